"""Hashes the files of one entry of `inputs`."""

from polyprobe.artefacts import inputs
from polyprobe.stage import run_keyed_stage
from polyprobe.study import Study


def watch(study: Study, key: str) -> None:
    """Write `metrics/watched/KEY.json`.

    Args:
        study: the parameters.
        key: the entry's name under `inputs`.
    """
    inputs.write_watched(key, inputs.files_of(study.inputs[key]))


if __name__ == "__main__":
    run_keyed_stage(watch, section="inputs")
