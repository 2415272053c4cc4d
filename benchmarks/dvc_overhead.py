"""What dvc itself costs as a study grows: `python benchmarks/dvc_overhead.py [CHECKPOINTS...]`.

The project's own dvc.yaml in a temporary folder, with the paper's study cut or stretched to so many checkpoints; every
out is a file of a few bytes, and dvc.lock says that all is up to date. Measured, in seconds of one core: what a worker
pays for each stage beside the stage itself (`dvc repro --single-item STAGE` where nothing runs), `dvc status`, and
`dvc repro` where nothing runs. Last, the straight line through what a worker pays, and what the other two would take
for Pythia.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from _machine import children, machine

ROOT: Final = Path(__file__).resolve().parents[1]
CHECKPOINTS: Final = (5, 20, 60)
LARGER: Final = (5 * 154 + 9, 5 * 8 * 154 + 9)
"""Stages of one size of Pythia and of all eight."""
ENVIRONMENT: Final = {**os.environ, "DVC_NO_ANALYTICS": "1"}


def make(root: Path, checkpoints: int) -> tuple[int, str]:
    """Write the pipeline, its outs and its dvc.lock.

    Args:
        root: an empty folder.
        checkpoints: how many the study has.

    Returns:
        How many stages there are, and the address of one.
    """
    from ruamel.yaml import YAML

    values = YAML(typ="safe").load((ROOT / "studies/paper.yaml").read_text(encoding="utf-8"))
    values["checkpoints"] = {
        f"{key}-{number // len(values['checkpoints'])}": one
        for number, (key, one) in zip(range(checkpoints), _again_and_again(values["checkpoints"]), strict=False)
    }
    values["duplicates"]["known"] = []
    with (root / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(values, file)
    shutil.copy(ROOT / "dvc.yaml", root)
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for file in ("studies/hub", "metrics/watched/README.md"):
        (root / file).parent.mkdir(parents=True)
        shutil.copy(ROOT / file, root / file)
    (root / ".dvcignore").write_text("__pycache__\n", encoding="utf-8")
    dvc(root, "init", "--quiet", "--no-scm")
    with contextlib.chdir(root):
        return lock_all(), f"probe@{next(iter(values['checkpoints']))}"


def _again_and_again(table: dict[str, Any]) -> Any:
    while True:
        yield from table.items()


def lock_all() -> int:
    """Write every out as a small file, and the whole dvc.lock in one go.

    dvc's own would be written anew for each stage.

    Returns:
        How many stages there are.
    """
    from dvc.dependency.param import ParamsDependency
    from dvc.repo import Repo
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dump_yaml

    with Repo() as repo, repo.lock:
        stages = sorted(repo.index.stages, key=lambda stage: str(stage.addressing))
        paths = {str(item) for stage in stages for item in stage.outs}
        inside = {str(item) for stage in stages for item in stage.deps} - paths
        for path in sorted(paths):
            nested = [Path(other) for other in inside if Path(path) in Path(other).parents]
            for file in nested or [Path(path)]:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("stub\n", encoding="utf-8")
        locked: dict[str, Any] = {}
        hashes: dict[str, Any] = {}
        for stage in stages:
            for dep in stage.deps:
                # The code that all stages of a kind depend on is hashed once.
                if isinstance(dep, ParamsDependency) or str(dep) not in hashes:
                    dep.save()
                    hashes[str(dep)] = dep.hash_info, dep.meta
                else:
                    dep.hash_info, dep.meta = hashes[str(dep)]
            for out in stage.outs:
                out.save()
                out.commit()
            locked |= to_lockfile(stage)
        dump_yaml("dvc.lock", {"schema": "2.0", "stages": locked})
        return len(stages)


def dvc(root: Path, *arguments: str) -> str:
    """Run dvc, which must succeed, and return what it printed.

    Args:
        root: the folder of the pipeline.
        *arguments: of the command line.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout


def seconds(root: Path, *arguments: str) -> float:
    """Return the seconds of one core that a dvc command takes which has nothing to do.

    The less of two runs: other work on the machine does not count.

    Args:
        root: the folder of the pipeline.
        *arguments: of the command line.

    Raises:
        SystemExit: dvc found something to do.
    """
    taken = []
    for _ in range(2):
        began = children()
        said = dvc(root, *arguments)
        taken.append(children() - began)
        if "Running stage" in said or "changed" in said:
            sys.exit(f"dvc {' '.join(arguments)}: expected nothing to do, got\n{said}")
    return min(taken)


def main() -> None:
    """Print the table.

    Raises:
        SystemExit: dvc found something to do.
    """
    print(machine())
    print(f"{'stages':>7}{'one stage, s':>14}{'status, s':>11}{'repro, s':>10}{'dvc.lock, KiB':>15}")
    measured = []
    for checkpoints in [int(text) for text in sys.argv[1:]] or CHECKPOINTS:
        with tempfile.TemporaryDirectory() as folder:
            stages, one = make(Path(folder), checkpoints)
            single = seconds(Path(folder), "repro", "--single-item", one)
            status, repro = seconds(Path(folder), "status"), seconds(Path(folder), "repro")
            size = (Path(folder) / "dvc.lock").stat().st_size / 1024
            print(f"{stages:7}{single:14.1f}{status:11.1f}{repro:10.1f}{size:15.0f}", flush=True)
        measured.append((stages, single, status, repro))
    if len(measured) > 2:
        stages_of, singles, *rest = zip(*measured, strict=True)
        slope, fixed = np.polyfit(stages_of, singles, 1)
        print(f"one stage: {fixed:.1f} s and {1000 * slope:.1f} ms per stage of the pipeline")
        for name, taken in zip(("status", "repro"), rest, strict=True):
            curve = np.polyfit(stages_of, taken, 2)
            larger = ", ".join(f"{np.polyval(curve, number):,.0f} s for {number:,} stages" for number in LARGER)
            print(f"{name}, by the parabola through these: {larger}")


if __name__ == "__main__":
    main()
