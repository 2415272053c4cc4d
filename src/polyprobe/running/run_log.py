"""`.scratch/runs.jsonl`: which stage ran when, how long, and on what machine; one line per run."""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from polyprobe.running.machine import cores
from polyprobe.running.scratch import scratch_root

NAME: Final = "runs.jsonl"
Key = tuple[str, tuple[str, ...]]
"""A stage and its arguments."""

_OUTPUTS: Final = (":(exclude)metrics", ":(exclude)plots", ":(exclude)dvc.lock")
"""What runs change themselves, and git holds."""
_SECONDS_FOR_GIT: Final = 2.0


@dataclass(frozen=True)
class Run:
    """One run of a stage."""

    study: str
    parameters: str
    """A digest of the study's parameters."""
    stage: str
    arguments: tuple[str, ...]
    outcome: Literal["finished", "failed"]
    seconds: float
    finished: str
    """When it ended: ISO 8601, UTC."""
    commit: str | None
    """Of the tree that it ran in, at its beginning; None without git."""
    changed: bool | None
    """Whether that tree differed from the commit, outputs left out."""
    python: str
    torch: str | None
    """Its version; None for a stage that does without."""
    platform: str
    processor: str
    cores: int
    """That the process may use."""
    gpu: str | None
    """The one that the process computed on."""
    memory: int
    """Bytes at most, of the largest of its processes."""

    @property
    def key(self) -> Key:
        """What the run was of."""
        return self.stage, self.arguments


def path() -> Path:
    """Return where the log lies."""
    return scratch_root() / NAME


@contextmanager
def logged(study: str, parameters: str, stage: str, arguments: Sequence[str]) -> Iterator[None]:
    """Log the block as a run of a stage.

    A log that cannot be written is no error.

    Args:
        study: its name.
        parameters: a digest of its parameters.
        stage: its name.
        arguments: those of its command.
    """
    commit, changed = working_tree()
    outcome: Literal["finished", "failed"] = "failed"
    start = time.monotonic()
    try:
        yield
        outcome = "finished"
    finally:
        seconds = time.monotonic() - start
        with suppress(Exception):
            torch = sys.modules.get("torch")
            _append(
                Run(
                    study=study,
                    parameters=parameters,
                    stage=stage,
                    arguments=tuple(arguments),
                    outcome=outcome,
                    seconds=round(seconds, 3),
                    finished=datetime.now(UTC).isoformat(timespec="seconds"),
                    commit=commit,
                    changed=changed,
                    python=platform.python_version(),
                    torch=None if torch is None else str(torch.__version__),
                    platform=platform.platform(),
                    processor=_processor(),
                    cores=cores(),
                    gpu=_gpu(),
                    memory=_memory(),
                )
            )


def read_runs(file: Path | None = None) -> list[Run]:
    """Read the runs of a log, in the order of their ends.

    Lines that are no runs are left out: a full disk may have cut one off.

    Args:
        file: the log; None for the one at `path()`. Without a file there are no runs.
    """
    from pydantic import TypeAdapter, ValidationError

    file = path() if file is None else file
    line_of_log = TypeAdapter(Run)
    runs = []
    for line in file.read_bytes().splitlines() if file.exists() else []:
        with suppress(ValidationError):
            runs.append(line_of_log.validate_json(line))
    return runs


def last_runs(runs: Iterable[Run], study: str) -> dict[Key, Run]:
    """Return the last finished run of each stage and arguments, or the last failed one where none finished.

    Args:
        runs: in the order of their ends.
        study: the name of the study; other studies' runs are left out.
    """
    last: dict[Key, Run] = {}
    for run in runs:
        if run.study == study and (run.outcome == "finished" or last.get(run.key, run).outcome == "failed"):
            last[run.key] = run
    return last


def working_tree() -> tuple[str | None, bool | None]:
    """Return the commit of the current folder's tree, and whether the tree differs from it, outputs left out.

    Returns:
        Both None without git or without a commit.
    """
    # Without optional locks: stages run beside each other, and beside the user's own git.
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--", ".", *_OUTPUTS]
    try:
        lines = subprocess.run(
            command, capture_output=True, check=True, stdin=subprocess.DEVNULL, timeout=_SECONDS_FOR_GIT
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None, None
    commit = next((line.split()[-1].decode() for line in lines if line.startswith(b"# branch.oid ")), "(initial)")
    if commit == "(initial)":
        return None, None
    return commit, any(not line.startswith(b"#") for line in lines)


def _append(run: Run) -> None:
    line = json.dumps(asdict(run), ensure_ascii=False) + "\n"
    path().parent.mkdir(parents=True, exist_ok=True)
    # Without a buffer, so that the lines of processes that end at once do not mix.
    with path().open("ab", buffering=0) as log:
        log.write(line.encode())


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu() -> str | None:
    torch = sys.modules.get("torch")
    # A process that has not computed on a GPU would take a second and some memory to ask it for its name.
    if torch is None or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name(torch.cuda.current_device()))


def _memory() -> int:
    """Return the peak of resident memory, in bytes: this process's or that of its largest child."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    own, others = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    with suppress(OSError), open("/proc/self/status", encoding="utf-8") as lines:
        # Linux counts to a process what the one that started it had in memory then; its status does not.
        own = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), own)
    return max(own, others) * unit
