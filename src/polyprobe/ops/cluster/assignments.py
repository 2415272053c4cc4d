"""What the coordinator gives to a worker for one stage, and what it gets back."""

from dataclasses import dataclass, field
from typing import Any

Files = dict[str, dict[str, bytes]]
"""An output that DVC's cache does not hold, by its path in the repository → its files by their paths in it; `""` for an
output that is a file itself."""

LOST = 75
"""The exit code of a stage's process that could not do its work for reasons that are not the stage's: EX_TEMPFAIL."""


@dataclass(frozen=True)
class CloneSource:
    """Where a worker that shares no file system with the main workspace gets everything from."""

    url: str
    """Of the git repository."""
    commit: str
    remote: str
    """The name of the DVC remote."""
    settings: dict[str, dict[str, Any]]
    """Of DVC, by section: what the clone's own `.dvc/config.local` is to say."""


@dataclass(frozen=True)
class Assignment:
    """One stage to be brought up to date."""

    stage: str
    inputs: tuple[str, ...]
    """The stages whose outputs have to be there."""
    project: str
    """The path of the main workspace; marks the processes that work for it."""
    folder: str
    """The worktree or clone to work in."""
    clone_source: CloneSource | None
    """None where the folder is a worktree that the coordinator made."""
    lock: dict[str, Any]
    """The entries of dvc.lock of `inputs`, and the stage's own last one if there is one."""
    files: Files
    """The uncached outputs of the same stages."""
    uncached: tuple[str, ...]
    """The stage's own uncached outputs."""
    environment: dict[str, str | None]
    """Variables for the stage's processes; None for one that must not be set."""
    log: str | None
    """The file to write, on a shared file system; None where the log is to be sent back."""
    stage_lock: str | None
    """A file that whoever runs the stage holds locked, on a shared file system."""


@dataclass(frozen=True)
class Outcome:
    """What became of an assignment."""

    code: int
    """0: the stage is up to date. `LOST`: nothing to do with the stage itself. Else it failed."""
    problem: str = ""
    ran: bool = False
    """Whether the stage's command was run; else it was restored or had not changed."""
    lock: dict[str, Any] | None = None
    """Its entry of dvc.lock."""
    files: Files = field(default_factory=dict)
    """Its uncached outputs."""
    log: bytes = b""
    """What it printed, where the log is to be sent back."""
