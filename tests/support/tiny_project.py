"""A real repository with the real dvc, in a temporary folder, running the study `tiny`."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from polyprobe.running.run_log import NAME as LOG
from support import ROOT


@dataclass(frozen=True)
class Project:
    """A checkout of the project's working tree with its own git history, cache and remote."""

    path: Path

    def environment(self) -> dict[str, str]:
        """The environment of the project's commands."""
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.path / "src"),
            "DVC_NO_ANALYTICS": "1",
            # Of stages as small as these, more processes only start longer.
            "POLYPROBE_WORKERS": os.environ.get("POLYPROBE_WORKERS", "1"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "tester", "GIT_AUTHOR_EMAIL": "tester@example.org",
            "GIT_COMMITTER_NAME": "tester", "GIT_COMMITTER_EMAIL": "tester@example.org",
        }  # fmt: skip

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command in the checkout and returns what it printed (standard output and error together)."""
        done = subprocess.run(
            command, cwd=self.path, env=self.environment(), text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}"
        return done

    def start(self, *command: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Starts a command in the checkout, in a process group of its own."""
        return subprocess.Popen(
            command, cwd=self.path, env=self.environment(), stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def dvc(self, *arguments: str) -> str:
        """Runs dvc, which must succeed."""
        return self.run("dvc", *arguments).stdout

    def repro(self, *arguments: str) -> set[str]:
        """Runs `dvc repro` and returns the stages whose command was run."""
        return stages_run(self.dvc("repro", *arguments))

    def stale(self) -> set[str]:
        """The stages that `dvc status` finds changed, or of which a dependency has; not what follows from those."""
        return {stage.removesuffix(":") for stage in json.loads(self.dvc("status", "--json"))}

    def commit(self, message: str) -> None:
        """Commits everything."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def replace(self, file: str, old: str, new: str) -> None:
        """Edits a file; `old` must be there once."""
        text = (self.path / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file}: {old!r} occurs {text.count(old)} times"
        (self.path / file).write_text(text.replace(old, new), encoding="utf-8")

    def unfinished(self) -> list[str]:
        """What is in the scratch folder of work that did not end: all but what is kept on purpose."""
        kept = (LOG, "probes-", "vega-")
        names = (entry.name for entry in (self.path / ".scratch").glob("*"))
        return sorted(name for name in names if not name.startswith(kept))


def stages_run(output: str) -> set[str]:
    """The stages whose command dvc says it ran (restored ones are not among them)."""
    return set(re.findall(r"Running stage '([^']+)'", output))


def entry(weights: Path | str, step: int) -> str:
    """What params.yaml says of a checkpoint in a folder."""
    unknown = "repository: null, revision: null, tokens_seen: null, converged: false, layers: [], categories: []"
    return f"{{model: pocket, weights: {weights}, step: {step}, {unknown}}}"


def make_project(folder: Path, study: str = "tiny") -> Project:
    """Copies the working tree (what git would hold of it) into `folder` and puts a study in force."""
    bring_up_to_date(folder, study)
    project = Project(folder)
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.run("dvc", "config", "--local", "cache.type", "copy")
    project.commit("start")
    return project


def bring_up_to_date(folder: Path, study: str = "tiny") -> None:
    """Copies the working tree, but for what the study in force here wrote, over what lies in `folder`."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    outputs = ("metrics/", "plots/", "dvc.lock", "docs/results/", "docs/figures/")
    for name in names:
        source = ROOT / name
        kept = name == "metrics/watched/README.md"
        if name and source.is_file() and (kept or not name.startswith(outputs)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    shutil.copy2(folder / "studies" / f"{study}.yaml", folder / "params.yaml")
    offline = ROOT / ".dvc/plots/offline.html"
    if offline.exists():
        shutil.copy2(offline, folder / ".dvc/plots/offline.html")
