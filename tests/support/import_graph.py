"""What a module of the package brings in: other modules, read from the source, and data files beside them.

Imports inside functions and for type checkers count; so does the `__init__` of every package that an imported module
lies in, which Python runs first.
"""

import ast
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final

from support import ROOT

SOURCE = ROOT / "src"

EXCUSED: Final = {
    "polyprobe": "names `load_results` for notebooks, which no stage calls",
    "polyprobe.stages": "has no statements",
    "polyprobe.artefacts": "has no statements",
    "polyprobe.choices": "has no statements",
    "polyprobe.study": "says which keys there are and refuses what is wrong; it has no defaults and derives nothing",
    "polyprobe.stage": "hands a stage the study and its key, logs the run, and prints one line for bad input",
    "polyprobe.running.errors": "the error that ends a stage without output, and its text",
    "polyprobe.running.progress": "progress bars on the terminal",
    "polyprobe.running.run_log": "writes the log of runs, which no stage reads",
}
"""Modules that no stage depends on, and why a change in them cannot change a byte of an output. What only they import
is excused with them. Those in a folder that stages depend on are in .dvcignore too."""


def module_name(file: Path) -> str:
    """`polyprobe.treebanks` for src/polyprobe/treebanks/__init__.py."""
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    return {module_name(file): file for file in sorted((SOURCE / "polyprobe").rglob("*.py"))}


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> frozenset[str]:
    """The package's modules that a module names in an import. A name imported from a package is its submodule where
    there is one of this name, else it comes through the package's `__init__`."""
    found: set[str] = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in modules() else str(node.module))
    return frozenset(found & modules().keys())


def packages(module: str) -> set[str]:
    """The packages that a module lies in, outermost included."""
    parts = module.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts))}


def closure(module: str) -> set[str]:
    """Everything that a module imports, directly or not."""
    return _reached({module}, imports)


def needed(module: str) -> set[str]:
    """The module and everything that runs when it does: its imports and their packages, directly or not. What is
    excused is left out, and not followed."""

    def brought(name: str) -> frozenset[str]:
        direct = imports(name) | packages(name)
        return direct.union(*map(packages, direct)) - EXCUSED.keys()

    return {module} | _reached({module}, brought)


def _reached(start: set[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    reached: set[str] = set()
    frontier = start
    while frontier:
        frontier = {name for one in frontier for name in step(one)} - reached
        reached |= frontier
    return reached


@cache
def data_files() -> frozenset[Path]:
    """Every file of the package that is no module."""
    return frozenset(
        file for file in (SOURCE / "polyprobe").rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc") and file.name != "py.typed"
    )  # fmt: skip


@cache
def data_files_of(module: str) -> frozenset[Path]:
    """The data files beside a module that it names in a text, and those that these name, as a page its parts."""
    texts = {node.value for node in ast.walk(_tree(module)) if isinstance(node, ast.Constant)}
    beside = {file for file in data_files() if file.parent == modules()[module].parent}
    found = {file for file in beside if file.name in texts}
    parts = {part for part in beside for file in found if f'"{part.name}"' in file.read_text(encoding="utf-8")}
    return frozenset(found | parts)
