"""The probes of one layer, language and category of a checkpoint."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from polyprobe.artefacts import embeddings, words
from polyprobe.running.code_version import code_version
from polyprobe.running.errors import BadInputError
from polyprobe.running.knobs import knobs
from polyprobe.running.remembered import remembered
from polyprobe.running.scratch import scratch_folder
from polyprobe.running.seeds import derive_seed
from polyprobe.study import PARAMS, Study


@dataclass(frozen=True)
class Cell:
    """What one probe looks at."""

    checkpoint: str
    layer: int
    language: str
    category: str


def values_to_tell(study: Study, frame: pd.DataFrame, category: str) -> list[str]:
    """Return the values of a category that have enough words in every split; none where only one has.

    Args:
        study: says how many are enough.
        frame: words of one language, with `split` and the category.
        category: the column.
    """
    values = words.surviving_values(frame[category], frame["split"], study.words.min_label_count)
    return values if len(values) > 1 else []


def probe_cell(study: Study, cell: Cell) -> list[dict[str, Any]]:
    """Train the probes of a cell, or take what was remembered of them.

    Args:
        study: says which probes, of which family and settings.
        cell: the checkpoint, layer, language and category.

    Returns:
        The rows of `artefacts.probes`; none where too few words have an embedding.

    Raises:
        BadInputError: more neurons are to be picked than there are, or the words cannot be probed.
    """
    from polyprobe.probes import Dataset, Run, inputs_of, probe_dataset
    from polyprobe.probes.families import settings_of

    array, embedded_rows = embeddings.read(
        embeddings.path(embeddings.FOLDER / cell.checkpoint, cell.layer, cell.language)
    )
    if study.probe.k_max > array.shape[1]:
        raise BadInputError(
            f"{PARAMS}: probe.k_max: expected at most the {array.shape[1]} neurons of {cell.checkpoint}"
        )
    table = words.TABLE.read(words.TABLE.at(language=cell.language), ["form", "split", cell.category])
    table = table.iloc[embedded_rows]
    values = values_to_tell(study, table, cell.category)
    if not values:
        return []
    labels = pd.Index(values).get_indexer(pd.Index(table[cell.category].astype("object")))
    types, _ = pd.factorize(table["form"].astype("object"), sort=True)
    seed_of = partial(derive_seed, study.seed, cell.checkpoint, cell.layer, cell.language, cell.category)
    runs = Run.each(study.probe.controls, study.probe.seeds, seed_of)
    family, k_max = study.probe.family, study.probe.k_max
    settings = settings_of(family, study.probe.model_dump())
    try:
        inputs = inputs_of(array, table["split"], study.probe.standardise, knobs().torch_device())
        dataset = Dataset.of(inputs, labels, table["split"], types)
        rows = remembered(
            scratch_folder("probes", code_version("probes")),
            [dataset.digest(), [vars(run) for run in runs], family, k_max, settings],
            partial(probe_dataset, dataset, runs, family, k_max, **settings),
        )
    except ValueError as error:
        where = f"{cell.checkpoint}, layer {cell.layer}, {cell.language}, {cell.category}"
        raise BadInputError(f"{where}: {error}") from error
    return [{"layer": cell.layer, "language": cell.language, "category": cell.category} | row for row in rows]
