"""The package's own imports, read from its source; imports inside functions count."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"


def module_name(file: Path) -> str:
    """`polyprobe.treebanks` for src/polyprobe/treebanks/__init__.py."""
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    return {module_name(file): file for file in sorted((SOURCE / "polyprobe").rglob("*.py"))}


@cache
def imports(module: str) -> frozenset[str]:
    """The package's modules that a module names in an import. A name imported from a package is its submodule where
    there is one of this name, else it comes through the package's `__init__`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in modules() else str(node.module))
    return frozenset(found & modules().keys())


def closure(module: str) -> set[str]:
    """Everything that a module imports, directly or not."""
    reached: set[str] = set()
    frontier = {module}
    while frontier:
        frontier = {name for start in frontier for name in imports(start)} - reached
        reached |= frontier
    return reached
