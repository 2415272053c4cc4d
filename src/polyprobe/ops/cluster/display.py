"""What a run on several workers shows while it goes on: bars on a terminal, else one line per start and end."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyprobe.running.progress import progress


@dataclass
class _Shown:
    worker: str
    log: Path | None
    started: float
    bar: Any


@dataclass
class Display:
    """The stages that run, and how many have finished."""

    total: int
    """Stages to bring up to date."""
    expected: Mapping[str, float]
    """Seconds that each stage is expected to take."""
    _done: int = 0
    _shown: dict[str, _Shown] = field(default_factory=dict)
    _bar: Any = None

    def __enter__(self) -> "Display":
        self._bar = progress(description="stages", total=self.total, unit="stage")
        return self

    def __exit__(self, *_: object) -> None:
        for stage in list(self._shown):
            self._remove(stage)
        self._bar.close()

    def say(self, line: str) -> None:
        """Prints a line above the bars."""
        self._bar.write(line, file=sys.stdout)
        sys.stdout.flush()

    def started(self, stage: str, worker: str, log: Path | None) -> None:
        """A stage was handed to a worker."""
        seconds = max(1, round(self.expected.get(stage, 1)))
        bar: Any = progress(description=f"{stage} on {worker}", total=seconds, unit="s")
        bar.bar_format = "{desc}: |{bar:20}| {elapsed} of about {total} s{postfix}"
        self._shown[stage] = _Shown(worker, log, time.monotonic(), bar)
        self.say(f"started   {stage} on {worker}")

    def finished(self, stage: str, how: str) -> None:
        """A stage is up to date.

        Args:
            stage: its address.
            how: `ran` or `restored`.
        """
        shown = self._remove(stage)
        self._done += 1
        self._bar.update()
        seconds = time.monotonic() - shown.started
        self.say(f"{how:<9} {stage} on {shown.worker}, {seconds:.1f} s [{self._done}/{self.total}]")

    def lost(self, stage: str, why: str) -> None:
        """A stage's worker did not bring it to an end."""
        shown = self._remove(stage)
        self.say(f"lost      {stage} on {shown.worker}, {time.monotonic() - shown.started:.1f} s: {why}")

    def failed(self, stage: str) -> None:
        """A stage failed."""
        shown = self._remove(stage)
        self.say(f"failed    {stage} on {shown.worker}, {time.monotonic() - shown.started:.1f} s")

    def tick(self) -> None:
        """Draws the bars anew."""
        for shown in self._shown.values():
            if not shown.bar.disable:
                shown.bar.n = min(round(time.monotonic() - shown.started), shown.bar.total)
                shown.bar.set_postfix_str(_last_line(shown.log), refresh=True)

    def _remove(self, stage: str) -> _Shown:
        shown = self._shown.pop(stage)
        shown.bar.close()
        return shown


def _last_line(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    with log.open("rb") as opened:
        opened.seek(max(0, log.stat().st_size - 300))
        lines = opened.read().replace(b"\r", b"\n").decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:60]
