"""Training loss and dev score per step, kept by dvclive."""

import shutil
from pathlib import Path
from typing import Any, Final

import transformers

_FOLDER: Final = "dvclive"
_NAMES: Final = {"loss": "loss", "eval_score": "dev_score"}
"""Curves by the names that Trainer logs under."""


class Curves(transformers.TrainerCallback):  # type: ignore[misc]
    """What Trainer logs, handed on to dvclive.

    A run that is gone on with begins with what was logged before its last save.

    Args:
        scratch: where dvclive keeps the curves, in a folder of its own.
    """

    def __init__(self, scratch: Path) -> None:
        self.folder = scratch / _FOLDER
        self.live: Any = None

    def on_train_begin(self, arguments: Any, state: Any, control: Any, **rest: Any) -> None:
        """Open the curves.

        Args:
            arguments: not used.
            state: Trainer's, with what was logged before.
            control: not used.
            **rest: not used.
        """
        from dvclive import Live

        if state.is_world_process_zero:
            self.live = Live(str(self.folder), save_dvc_exp=False, dvcyaml=None, report=None)
            for logged in state.log_history:
                self._log(logged)

    def on_log(self, arguments: Any, state: Any, control: Any, **rest: Any) -> None:
        """Add what Trainer has just logged.

        Args:
            arguments: not used.
            state: Trainer's, with what was logged.
            control: not used.
            **rest: not used.
        """
        if self.live:
            self._log(state.log_history[-1])

    def on_train_end(self, arguments: Any, state: Any, control: Any, **rest: Any) -> None:
        """Close the curves.

        Args:
            arguments: not used.
            state: not used.
            control: not used.
            **rest: not used.
        """
        if self.live:
            self.live.end()

    def _log(self, logged: dict[str, float]) -> None:
        for name in _NAMES.keys() & logged.keys():
            self.live.step = logged["step"]
            self.live.log_metric(_NAMES[name], logged[name])


def save_curves(scratch: Path, output: Path) -> None:
    """Write `loss.tsv` and `dev_score.tsv` (step and value) from where `Curves` has kept them.

    Args:
        scratch: what `Curves` was given.
        output: the folder to write to.
    """
    for name in _NAMES.values():
        shutil.copyfile(scratch / _FOLDER / "plots" / "metrics" / f"{name}.tsv", output / f"{name}.tsv")
