"""Which neurons of a checkpoint tell the labels of each category, per layer and language."""

from functools import partial
from itertools import chain
from typing import Any

import pandas as pd

from polyprobe.artefacts import embeddings, probes, words
from polyprobe.choices.categories import categories_of
from polyprobe.running.code_version import code_version
from polyprobe.running.errors import BadInputError
from polyprobe.running.fanout import fan_out
from polyprobe.running.knobs import knobs
from polyprobe.running.remembered import remembered
from polyprobe.running.scratch import scratch_folder
from polyprobe.running.seeds import derive_seed
from polyprobe.stage import run_keyed_stage
from polyprobe.study import PARAMS, Study


def probe(study: Study, key: str) -> None:
    """Trains every probe of a checkpoint; one that was dropped from the study gets an empty table."""
    categories = categories_of(study, key)
    frames = {code: words.read(words.path(code), ["split", *categories]) for code in study.languages}
    offered = [(code, name) for code in frames for name in categories if _values(study, frames[code], name)]
    if missing := [name for name in categories if name not in {name for _, name in offered}]:
        least = f"two values of {study.words.min_label_count} words each in train, dev and test"
        raise BadInputError(f"{PARAMS}: categories: no language has {missing[0]!r}, expected {least}")
    parts = [(layer, *one) for layer in embeddings.layers(embeddings.FOLDER / key) for one in offered]
    rows = fan_out(partial(_rows, study, key), parts, workers=knobs().workers, description=f"probe {key}")
    probes.write(probes.path(key), pd.DataFrame(chain.from_iterable(rows), columns=probes.SCHEMA.names))


def _values(study: Study, frame: pd.DataFrame, category: str) -> list[str]:
    values = words.surviving_values(frame[category], frame["split"], study.words.min_label_count)
    return values if len(values) > 1 else []


def _rows(study: Study, key: str, part: tuple[int, str, str]) -> list[dict[str, Any]]:
    """The table's rows for one layer, language and category; none where too few words have an embedding."""
    from polyprobe.probes import Dataset, Run, inputs_of, probe_dataset
    from polyprobe.probes.families import settings_of

    layer, code, category = part
    array, words_row = embeddings.read(embeddings.path(embeddings.FOLDER / key, layer, code))
    if study.probe.k_max > array.shape[1]:
        raise BadInputError(f"{PARAMS}: probe.k_max: expected at most the {array.shape[1]} neurons of {key}")
    frame = words.read(words.path(code), ["form", "split", category]).iloc[words_row]
    values = _values(study, frame, category)
    labels = pd.Index(values).get_indexer(pd.Index(frame[category].astype("object")))
    runs = Run.each(study.probe.controls, study.probe.seeds, partial(derive_seed, study.seed, key, *part))
    settings = settings_of(study.probe.family, study.probe.model_dump())
    try:
        inputs = inputs_of(array, frame["split"], study.probe.standardise, knobs().torch_device())
        dataset = Dataset.of(inputs, labels, frame["split"], pd.factorize(frame["form"].astype("object"), sort=True)[0])
        compute = partial(probe_dataset, dataset, runs, study.probe.family, study.probe.k_max, **settings)
        determines = [dataset.digest(), [vars(run) for run in runs], study.probe.family, study.probe.k_max, settings]
        found = remembered(scratch_folder("probes", code_version("probes")), determines, compute) if values else []
    except ValueError as error:
        raise BadInputError(f"{key}, layer {layer}, {code}, {category}: {error}") from error
    return [{"layer": layer, "language": code, "category": category} | row for row in found]


if __name__ == "__main__":
    run_keyed_stage(probe, section="checkpoints")
