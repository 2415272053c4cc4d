"""What dvc costs where nothing is to be done: `python benchmarks/pipeline_overhead.py`.

The paper's study as it is (`studies/paper.yaml`), in a git repository of its own, with every stage present: each out is
a file of a few bytes, and dvc.lock says that all is up to date. Prints seconds of `dvc status` and `dvc repro`, on the
clock and of one core, below a dvc that only starts and beside a YAML parser without its C extension (params.yaml is
parsed once for each stage), and the ratio of the two.

`python benchmarks/pipeline_overhead.py STUDY K` then measures in the folder of a finished study (a clone: it is left
with that k) how long `dvc exp run -S overlap.k=K` takes from the command to new figures, stage by stage. K must be new
to it.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from _machine import children, machine
from dvc_overhead import lock_all

ROOT: Final = Path(__file__).resolve().parents[1]
REPETITIONS: Final = 3
WITHOUT_C: Final = (
    "import sys; sys.modules['_ruamel_yaml'] = None; from dvc.cli import main; sys.exit(main(sys.argv[1:]))"
)
"""dvc with the parser's C extension out of reach."""
COMMANDS: Final = (("--version",), ("status",), ("repro",))


def make(root: Path) -> int:
    """Write the pipeline, its outs and its dvc.lock into an empty folder; return how many stages there are.

    Raises:
        SystemExit: a command failed.
    """
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root)
    for name in ("src", "studies"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "studies/paper.yaml", root / "params.yaml")
    run(root, "git", "init", "--quiet")
    run(root, sys.executable, "-m", "dvc", "init", "--quiet")
    shutil.copy(ROOT / ".dvc/config", root / ".dvc")
    with contextlib.chdir(root):
        stages = lock_all()
    run(root, "git", "add", "--all")
    author = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")
    run(root, "git", *author, "commit", "--quiet", "--message", "paper")
    return stages


def environment(root: Path) -> dict[str, str]:
    """Return the environment of the commands: a study runs its own code."""
    return {**os.environ, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(root / "src")}


def run(root: Path, *command: str) -> str:
    """Run a command, which must succeed, and return what it printed.

    Args:
        root: the folder that it runs in.
        *command: its words.

    Raises:
        SystemExit: the command failed.
    """
    done = subprocess.run(command, cwd=root, env=environment(root), check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def least(root: Path, *command: str) -> tuple[float, float]:
    """Return the seconds of a command that has nothing to do, the least of some runs.

    Args:
        root: the folder that it runs in.
        *command: its words.

    Returns:
        Seconds on the clock and of one core.

    Raises:
        SystemExit: the command failed, or found something to do.
    """
    clock, core = [], []
    for _ in range(REPETITIONS):
        began, used = time.perf_counter(), children()
        said = run(root, *command)
        clock.append(time.perf_counter() - began)
        core.append(children() - used)
        if "Running stage" in said or "changed" in said.replace("didn't change", ""):
            sys.exit(f"{' '.join(command)}: expected nothing to do, got\n{said}")
    return min(clock), min(core)


def change_k(root: Path, k: int) -> None:
    """Print how long another k takes in a finished study, from the command to the end of each stage.

    Args:
        root: the study's folder.
        k: the new value of `overlap.k`.

    Raises:
        SystemExit: `dvc exp run` failed.
    """
    command = [sys.executable, "-m", "dvc", "exp", "run", "--set-param", f"overlap.k={k}"]
    print(f"{'overlap.k=' + str(k):12}{'seconds':>9}{'since the command':>19}")
    began = last = time.perf_counter()
    with subprocess.Popen(
        command, cwd=root, env=environment(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        doing = "dvc"
        for line in process.stdout or ():
            stage = re.match(r"Running stage '([^']+)'", line)
            if stage or line.startswith("Updating lock file"):
                now = time.perf_counter()
                print(f"{doing:12}{now - last:9.1f}{now - began:19.1f}", flush=True)
                last, doing = now, stage[1] if stage else "dvc"
    now = time.perf_counter()
    print(f"{doing:12}{now - last:9.1f}{now - began:19.1f}")
    if process.returncode:
        sys.exit("dvc exp run failed")


def main() -> None:
    """Print the tables.

    Raises:
        SystemExit: a command failed, or found something to do where nothing was.
    """
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        print(f"paper: {make(root)} stages")
        print(f"{'':12}{'seconds':>9}{'of a core':>11}{'without C':>11}{'ratio':>7}")
        for arguments in COMMANDS:
            clock, core = least(root, sys.executable, "-m", "dvc", *arguments)
            _, slow = least(root, sys.executable, "-c", WITHOUT_C, *arguments)
            print(f"{'dvc ' + arguments[0]:12}{clock:9.1f}{core:11.1f}{slow:11.1f}{slow / core:7.1f}", flush=True)
    if sys.argv[1:]:
        study, k = sys.argv[1:]
        change_k(Path(study).resolve(), int(k))


if __name__ == "__main__":
    main()
