"""Finds out which weights a checkpoint is, and writes that down as its manifest."""

from polyprobe.artefacts import manifest
from polyprobe.stage import run_keyed_stage
from polyprobe.study import Study


def resolve(study: Study, key: str) -> None:
    """Write `data/checkpoints/KEY.json`.

    Args:
        study: the parameters.
        key: the checkpoint's.
    """
    from polyprobe.checkpoints import resolving

    manifest.write(manifest.path(key, manifest.FOLDER), resolving.resolve(study, key))


if __name__ == "__main__":
    run_keyed_stage(resolve, section="checkpoints")
