"""Which neurons of a checkpoint tell the labels of each category, per layer and language."""

from functools import partial

import pandas as pd

from polyprobe.artefacts import embeddings, probes, words
from polyprobe.choices.categories import categories_of
from polyprobe.probing import Cell, probe_cell, values_to_tell
from polyprobe.running.errors import BadInputError
from polyprobe.running.fanout import fan_out
from polyprobe.running.knobs import knobs
from polyprobe.stage import run_keyed_stage
from polyprobe.study import PARAMS, Study


def probe(study: Study, key: str) -> None:
    """Train every probe of a checkpoint, and write which neurons they pick.

    Args:
        study: the parameters.
        key: the checkpoint's; one that was dropped from the study gets an empty table.

    Raises:
        BadInputError: no language has enough words for one of the categories.
    """
    offered = _categories_by_language(study, key)
    cells = [
        Cell(key, layer, language, category)
        for layer in embeddings.layers(embeddings.FOLDER / key)
        for language, categories in offered.items()
        for category in categories
    ]
    found = fan_out(partial(probe_cell, study), cells, workers=knobs().workers, description=f"probe {key}")
    rows = [row for of_cell in found for row in of_cell]
    probes.TABLE.write(pd.DataFrame(rows, columns=probes.TABLE.schema.names), probes.TABLE.at(checkpoint=key))


def _categories_by_language(study: Study, key: str) -> dict[str, list[str]]:
    """Return which categories each language has enough words for.

    Args:
        study: the parameters.
        key: of the checkpoint whose categories they are.

    Raises:
        BadInputError: no language has enough words for one of the categories.
    """
    wanted = categories_of(study, key)
    offered = {}
    for language in study.languages:
        table = words.TABLE.read(words.TABLE.at(language=language), ["split", *wanted])
        offered[language] = [category for category in wanted if values_to_tell(study, table, category)]
    anywhere = {category for categories in offered.values() for category in categories}
    for category in wanted:
        if category not in anywhere:
            raise BadInputError(
                f"{PARAMS}: categories: no language has {category!r}, expected two values of "
                f"{study.words.min_label_count} words each in train, dev and test"
            )
    return offered


if __name__ == "__main__":
    run_keyed_stage(probe, section="checkpoints")
