"""Python and the installed packages, against requirements.lock and requirements-torch.txt."""

import importlib.metadata as metadata
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polyprobe
from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, some, warning

LOCKED: Final = (Path("requirements.lock"), Path("requirements-torch.txt"))


def check(asked: Asked) -> Iterator[Finding]:
    """The interpreter, the one that the stages will be run by, and the packages."""
    yield _python()
    yield _python_of_stages()
    yield from _packages()


def _python() -> Finding:
    from packaging.specifiers import SpecifierSet

    wanted = metadata.metadata("polyprobe")["Requires-Python"] or ""
    if platform.python_version() not in SpecifierSet(wanted):
        return fault("Python", f"{platform.python_version()}, but {wanted} is needed", "install one and `make install`")
    return ok("Python", f"{platform.python_version()} in {sys.prefix}")


def _python_of_stages() -> Finding:
    """DVC runs each stage as `python -m polyprobe.stages.NAME`, by the first python of PATH."""
    subject, here = "python of the stages", Path(polyprobe.__file__).resolve().parent
    activate = "put the environment's folder first: `export PATH=$PWD/.venv/bin:$PATH`, or use `make repro`"
    found = shutil.which("python")
    if found is None:
        return fault(subject, "there is no `python` on PATH", activate)
    asked = [found, "-c", "import importlib.util as u; print(u.find_spec('polyprobe').origin)"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return fault(subject, f"{found} does not have polyprobe", activate)
    theirs = Path(done.stdout.strip()).resolve().parent
    if theirs != here:
        return fault(subject, f"{found} has polyprobe from {theirs}, this is the one in {here}", activate)
    source = Path("src/polyprobe").resolve()
    if source.is_dir() and here != source:
        return fault(
            subject,
            f"polyprobe is installed from {here}, not from this folder: a change of src/ here would not be run",
            "`make install` here",
        )
    return ok(subject, f"{found} has polyprobe from {here}")


def _packages() -> Iterator[Finding]:
    locked = _locked()
    if not locked:
        yield warning(
            "packages", f"{LOCKED[0]} is not there or empty", f"`git checkout {LOCKED[0]}`, then `make install`"
        )
        return
    needed = _needed()
    missing: list[str] = []
    other: list[str] = []
    only_tests: list[str] = []
    for name, version in sorted(locked.items()):
        try:
            found = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            (missing if name in needed else only_tests).append(name)
        else:
            if found != version:
                other.append(f"{name} {found} (locked: {version})")
    if missing:
        yield fault("packages", f"not installed: {some(missing)}", "`make install`")
    if other:
        yield warning(
            "packages", f"of another version: {some(other)}", "`make install`; otherwise results may differ in digits"
        )
    if only_tests:
        yield warning("packages", f"not installed, needed by tests only: {some(only_tests)}", "`make install`")
    if not missing and not other:
        yield ok("packages", f"{len(locked) - len(only_tests)} as in {' and '.join(map(str, LOCKED))}")


def _locked() -> dict[str, str]:
    """Locked versions by name, of packages that this platform needs."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    for file in LOCKED:
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
            if not line or line[0] in "# -":
                continue
            try:
                requirement = Requirement(line.partition(" #")[0].rstrip("\\ "))
            except InvalidRequirement:
                continue
            versions = [one.version for one in requirement.specifier if one.operator == "=="]
            if versions and (requirement.marker is None or requirement.marker.evaluate()):
                found[canonicalize_name(requirement.name)] = versions[0].partition("+")[0]
    return found


def _needed() -> set[str]:
    """What polyprobe needs to run, and what that needs: the extras for tests left out."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    needed: set[str] = set()
    waiting = [("polyprobe", "")]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        needed.add(name)
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for text in requires:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                other = canonicalize_name(requirement.name)
                waiting += [(other, one) for one in ("", *sorted(requirement.extras))]
    return needed
