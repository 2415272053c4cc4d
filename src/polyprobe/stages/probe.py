"""Which neurons of a checkpoint tell the labels of each category, per layer and language."""

from functools import partial
from itertools import chain
from typing import Any

import pandas as pd

from polyprobe.artefacts import embeddings, probes, words
from polyprobe.running import BadInputError, derive_seed, fan_out, knobs, remembered, scratch_folder
from polyprobe.running.stage import run_keyed_stage
from polyprobe.study import PARAMS, Study


def probe(study: Study, key: str) -> None:
    """Trains every probe of a checkpoint; one that was dropped from the study gets an empty table."""
    parts = [(layer, code) for layer in embeddings.layers(embeddings.FOLDER / key) for code in study.languages]
    frames = [words.read(words.path(code), ["split", *study.categories_of(key)]) for code in study.languages]
    for category in study.categories_of(key):
        if not any(_values(study, frame, category) for frame in frames):
            least = f"two values of {study.words.min_label_count} words each in train, dev and test"
            raise BadInputError(f"{PARAMS}: categories: no language has {category!r}, expected {least}")
    rows = fan_out(partial(_rows, study, key), parts, workers=knobs().workers, description=f"probe {key}")
    probes.write(probes.path(key), pd.DataFrame(chain.from_iterable(rows), columns=probes.SCHEMA.names))


def _values(study: Study, frame: pd.DataFrame, category: str) -> list[str]:
    values = words.surviving_values(frame[category], frame["split"], study.words.min_label_count)
    return values if len(values) > 1 else []


def _rows(study: Study, key: str, part: tuple[int, str]) -> list[dict[str, Any]]:
    """The table's rows for one layer and language."""
    from polyprobe.probes import Dataset, Run, inputs_of, probe_dataset, version

    layer, code = part
    array, words_row = embeddings.read(embeddings.path(embeddings.FOLDER / key, layer, code))
    if study.probe.k_max > array.shape[1]:
        raise BadInputError(f"{PARAMS}: probe.k_max: expected at most the {array.shape[1]} neurons of {key}")
    frame = words.read(words.path(code), ["split", *study.categories_of(key)]).iloc[words_row]
    inputs = inputs_of(array, frame["split"], study.probe.standardise, knobs().torch_device())
    settings = study.probe.model_dump(exclude={"controls", "seeds", "standardise"})
    table: list[dict[str, Any]] = []
    for category in study.categories_of(key):
        if values := _values(study, frame, category):
            labels = pd.Index(values).get_indexer(pd.Index(frame[category].astype("object")))
            dataset = Dataset.of(inputs, labels, frame["split"])
            seed = partial(derive_seed, study.seed, key, layer, code, category)
            runs = [Run("none", index, seed(index, "none")) for index in range(study.probe.seeds)]
            runs += [Run(control, 0, seed(0, control)) for control in study.probe.controls[1:]]
            determines = [dataset.digest(), [vars(run) for run in runs], settings]
            compute = partial(probe_dataset, dataset, runs, **settings)
            found = remembered(scratch_folder("probes", version()), determines, compute)
            table += [{"layer": layer, "language": code, "category": category} | row for row in found]
    return table


if __name__ == "__main__":
    run_keyed_stage(probe, section="checkpoints")
