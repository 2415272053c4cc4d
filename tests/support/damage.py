"""What can happen to a study, done to a copy of one."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from support.tiny_project import Project


def contents(project: Project) -> dict[str, str]:
    """The digest of every output; that of a file which is not there is none."""
    return {
        str(file.relative_to(project.path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in ("data", "metrics", "plots")
        for file in sorted((project.path / folder).rglob("*"))
        if file.is_file()
    }


def differing(first: Project, second: Project) -> set[str]:
    """The outputs that two studies do not have in common, byte for byte."""
    one, other = contents(first), contents(second)
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def locked(project: Project) -> Any:
    """What dvc.lock says."""
    return YAML(typ="safe").load(project.path / "dvc.lock")


def forget(project: Project, *stages: str) -> None:
    """Leaves nothing of what stages made: `dvc repro` has to run them, and finds nothing to restore."""
    lock, yaml = project.path / "dvc.lock", YAML()
    computed = yaml.load(lock)
    for stage in stages:
        for out in computed["stages"].pop(stage)["outs"]:
            path = project.path / out["path"]
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    yaml.dump(computed, lock)
    shutil.rmtree(project.path / ".dvc/cache/runs")
    shutil.rmtree(project.path / ".scratch", ignore_errors=True)


def object_of(project: Project, output: str) -> Path:
    """The file of the cache that holds an output, or its list of files where it is a folder."""
    for stage in locked(project)["stages"].values():
        for out in stage["outs"]:
            if out["path"] == output:
                digest: str = out["md5"]
                return project.path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    raise AssertionError(output)


def flip(file: Path) -> None:
    """Changes one bit in the middle, as a failing disk does: neither size nor time tells."""
    before, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    overwrite(file, bytes(content))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(file: Path) -> None:
    """Leaves the first half."""
    overwrite(file, file.read_bytes()[: file.stat().st_size // 2])


def overwrite(file: Path, content: bytes) -> None:
    """Writes into a file in place, its mode kept."""
    mode = file.stat().st_mode
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(mode)
