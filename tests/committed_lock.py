"""Whether what git holds of a study is of the code and parameters that git holds: `python tests/committed_lock.py`.

Without data, and without running anything: dvc.lock has the commands, parameters and code of the tree, each stage reads
what an earlier one wrote, and the metrics and plots in git are those that it names. Each `docs/results/STUDY/dvc.lock`
names the tables that lie beside it.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]


def stale(root: Path = ROOT) -> list[str]:
    """What differs between a repository's dvc.lock and its tree, a line each; nothing where they agree."""
    with Repo(str(root)) as repo:
        stages = sorted(repo.index.stages, key=lambda stage: stage.name)
        written = {out.def_path: out.hash_info.value for stage in stages for out in stage.outs}
        return [line for stage in stages for line in _of_stage(stage, written)]


def _of_stage(stage: Any, written: dict[str, str | None]) -> Iterator[str]:
    if not stage.outs or any(out.hash_info.value is None for out in stage.outs):
        yield f"{stage.name}: not in dvc.lock"
        return
    if stage.changed_stage():
        yield f"{stage.name}: another command"
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            for names in dep.workspace_status().values():
                yield f"{stage.name}: parameters: {', '.join(names)}"
        elif dep.def_path in written:
            if dep.hash_info.value != written[dep.def_path]:
                yield f"{stage.name}: {dep.def_path} is another one than was written"
        elif dep.def_path.startswith("src/") and dep.workspace_status():
            yield f"{stage.name}: {dep.def_path} has changed"
    for out in stage.outs:
        if not out.use_cache and out.workspace_status():
            yield f"{stage.name}: {out.def_path} is not what it wrote"


def foreign(folder: Path) -> list[str]:
    """The tables of a page of results that its dvc.lock does not name as its outputs."""
    lock = YAML(typ="safe").load((folder / "dvc.lock").read_text(encoding="utf-8"))
    outs = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}
    beside = {path: md5 for path, md5 in outs.items() if path.startswith(("metrics/", "plots/"))}
    kept = {path: md5 for path, md5 in beside.items() if not path.startswith(("metrics/subwords", "metrics/watched"))}
    named = {path for path in kept if (folder / path).exists() and _md5(folder / path) == kept[path]}
    tables = [file for name in ("metrics", "plots") for file in (folder / name).rglob("*") if file.is_file()]
    unnamed = {file for file in tables if not {folder / path for path in named} & {file, *file.parents}}
    return sorted({*(kept.keys() - named), *(str(file.relative_to(folder)) for file in unnamed)})


def _md5(path: Path) -> str:
    """The hash of a file or a folder, as DVC makes it."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    listing = [{"md5": _md5(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    return hashlib.md5(json.dumps(sorted(listing, key=lambda one: one["relpath"])).encode()).hexdigest() + ".dir"


def main() -> None:
    """Prints what differs; exit code 1 where something does."""
    problems = [f"dvc.lock: {line}" for line in stale()]
    for lock in sorted((ROOT / "docs/results").glob("*/dvc.lock")):
        problems += [f"{lock.relative_to(ROOT)}: {path} is not what it names" for path in foreign(lock.parent)]
    for line in problems:
        print(line)
    if problems:
        sys.exit("run the study (`dvc repro`) or write its page (`python benchmarks/documents/results.py`), and commit")


if __name__ == "__main__":
    main()
