"""How a stage's module becomes a command: `python -m polyprobe.stages.NAME [KEY]`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Study, load_study


def run_stage(stage: Callable[[Study], None]) -> None:
    """Runs a stage that is there once. One readable line and exit code 1 for bad input."""
    _run(lambda arguments, study: stage(study), "")


def run_keyed_stage(stage: Callable[[Study, str], None], *, section: Literal["checkpoints", "pretrain"]) -> None:
    """Runs a stage that is there once per key of a section of params.yaml: per checkpoint or per pretrained model."""

    def keyed(arguments: list[str], study: Study) -> None:
        keys = getattr(study, section)
        if arguments[0] not in keys:
            raise BadInputError(f"{PARAMS}: {section}.{arguments[0]}: no such key, expected {', '.join(keys)}")
        stage(study, arguments[0])

    _run(keyed, "KEY")


def _run(call: Callable[[list[str], Study], None], usage: str) -> None:
    arguments = sys.argv[1:]
    if len(arguments) != len(usage.split()):
        sys.exit(f"usage: python -m polyprobe.stages.{Path(sys.argv[0]).stem} {usage}".rstrip())
    try:
        call(arguments, load_study())
    except BadInputError as error:
        sys.exit(f"error: {error}")
