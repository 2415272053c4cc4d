"""What a check finds: how bad it is, what it is about, what to do, and how it is fixed."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Level = Literal["ok", "warning", "fault"]
QUARANTINE: Final = Path(".dvc/tmp/damaged")
"""Where damaged files are put, so that nothing is lost by fixing; git and DVC ignore it."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    level: Level
    """A fault keeps the study from running, or makes its results wrong; a warning does not."""
    subject: str
    message: str
    advice: str = ""
    """What to do: empty where nothing is wrong."""
    fix: Callable[[], str] | None = None
    """Fixes it, where that is safe, and returns what it did. What it takes away goes to `QUARANTINE`, but for locks and
    half-written temporary files."""

    def line(self) -> str:
        """Return the finding as it is printed."""
        text = f"{self.level:<8} {self.subject}: {self.message}"
        if self.advice:
            text += f"; {self.advice}"
        return text + (" (or let --fix do it)" if self.fix else "")


def ok(subject: str, message: str) -> Finding:
    """Return that nothing is wrong."""
    return Finding("ok", subject, message)


def warning(subject: str, message: str, advice: str, fix: Callable[[], str] | None = None) -> Finding:
    """Return something to know of."""
    return Finding("warning", subject, message, advice, fix)


def fault(subject: str, message: str, advice: str, fix: Callable[[], str] | None = None) -> Finding:
    """Return something to put right first."""
    return Finding("fault", subject, message, advice, fix)


def quarantine(path: Path, name: str | None = None) -> Path:
    """Move a file out of the way and return where it lies now.

    Args:
        path: the file.
        name: what to call it there; its own name where there is none.
    """
    QUARANTINE.mkdir(parents=True, exist_ok=True)
    target = QUARANTINE / (name or path.name)
    number = 0
    while target.exists():
        number += 1
        target = QUARANTINE / f"{name or path.name}.{number}"
    shutil.move(path, target)
    return target
