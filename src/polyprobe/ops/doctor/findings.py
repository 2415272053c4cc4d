"""What a check finds: how bad it is, what it is about, what to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["ok", "warning", "fault"]
_NAMED: Final = 3


@dataclass(frozen=True)
class Asked:
    """How far to look."""

    network: bool = False
    """Whether servers are asked."""
    deep: bool = False
    """Whether every byte of the study is read."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    level: Level
    """A fault keeps the study from running, or makes its results wrong; a warning does not."""
    subject: str
    says: str
    advice: str = ""
    """What to do: empty where nothing is wrong."""
    mend: Callable[[], str] | None = None
    """Mends it, where that is safe, and returns what it did. What it takes away it keeps under `.dvc/tmp/damaged`,
    locks and half-written temporary files excepted."""

    def line(self) -> str:
        """The finding as printed."""
        text = f"{self.level:<8} {self.subject}: {self.says}"
        if self.advice:
            text += f"; {self.advice}"
        return text + (" (or let --fix do it)" if self.mend else "")


def ok(subject: str, says: str) -> Finding:
    """Nothing is wrong."""
    return Finding("ok", subject, says)


def warning(subject: str, says: str, advice: str, mend: Callable[[], str] | None = None) -> Finding:
    """Something to know of."""
    return Finding("warning", subject, says, advice, mend)


def fault(subject: str, says: str, advice: str, mend: Callable[[], str] | None = None) -> Finding:
    """Something to mend first."""
    return Finding("fault", subject, says, advice, mend)


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
