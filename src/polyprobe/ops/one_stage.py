"""One stage run by hand."""

import os
import sys
from typing import Final

from polyprobe.running.errors import BadInputError

DVC_YAML: Final = "dvc.yaml"


def stage_names() -> list[str]:
    """Return the names of the stages in their order.

    Raises:
        BadInputError: there is no dvc.yaml here.
    """
    import yaml

    try:
        with open(DVC_YAML, encoding="utf-8") as file:
            return list(yaml.safe_load(file)["stages"])
    except FileNotFoundError:
        raise BadInputError(f"{DVC_YAML}: no such file, expected the pipeline; is this the study's folder?") from None


def run(name: str, key: str | None) -> None:
    """Become the process that `dvc repro` starts for a stage.

    Args:
        name: of the stage, as in dvc.yaml.
        key: which one, of a stage that is there once per key of a section.

    Raises:
        BadInputError: there is no such stage.
    """
    if name not in (names := stage_names()):
        raise BadInputError(f"{DVC_YAML}: no stage {name!r}, expected one of {', '.join(names)}")
    keys = [] if key is None else [key]
    os.execv(sys.executable, [sys.executable, "-m", f"polyprobe.stages.{name}", *keys])
