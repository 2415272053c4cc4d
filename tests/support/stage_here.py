"""A stage in the process of the tests, as its command runs it: python, torch and transformers start only once."""

import importlib
import io
import os
import runpy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock


@contextmanager
def hub_settings(environment: dict[str, str]) -> Iterator[None]:
    """Sets variables, and unsets what may be set of the hub's and the scratch folder's.

    The hub's library reads its settings when it is imported: it is made to read them again, and once more afterwards.
    """
    from huggingface_hub import constants

    try:
        with mock.patch.dict(os.environ):
            for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "POLYPROBE_SCRATCH"):
                os.environ.pop(name, None)
            os.environ.update(environment)
            importlib.reload(constants)
            yield
    finally:
        importlib.reload(constants)


def run_stage_here(
    folder: Path, stage: str, *arguments: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m polyprobe.stages.STAGE ARGUMENTS` in a folder.

    Args:
        folder: the current folder for the time of the stage.
        stage: its name.
        arguments: of its command line.
        environment: variables that are set meanwhile.

    Returns:
        Its exit status, and what it printed.
    """
    printed, errors, code = io.StringIO(), io.StringIO(), 0
    with (
        hub_settings(environment),
        mock.patch.object(sys, "argv", [stage, *arguments]),
        chdir(folder),
        redirect_stdout(printed),
        redirect_stderr(errors),
        warnings.catch_warnings(),
    ):
        # The tests may have imported the stage's module already.
        warnings.filterwarnings("ignore", "'polyprobe.stages", RuntimeWarning)
        try:
            runpy.run_module(f"polyprobe.stages.{stage}", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            if isinstance(end.code, str):
                errors.write(f"{end.code}\n")
    return subprocess.CompletedProcess([stage, *arguments], code, printed.getvalue(), errors.getvalue())
