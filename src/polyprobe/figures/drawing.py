"""Every figure of a study as files, drawn by several processes."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

from polyprobe.figures.saving import save
from polyprobe.figures.tables import Tables
from polyprobe.running.fanout import fan_out


def draw_all(figures: Sequence[ModuleType], tables: Tables, folder: Path, *, workers: int) -> list[ModuleType]:
    """Write `<name>.svg` and `<name>.pdf` of each figure that the study has data for.

    Args:
        figures: modules of figures.
        tables: the study's tables.
        folder: where the files go; it has to exist.
        workers: processes that draw; no byte depends on their number.

    Returns:
        The figures drawn, in the order of `figures`.
    """
    there = [figure for figure in figures if not figure.data(tables).empty]
    # The tables go to each process once.
    shares = [there[first::workers] for first in range(min(workers, len(there)))]
    named = [[figure.__name__ for figure in share] for share in shares]
    for _ in fan_out(partial(_draw, tables, folder), named, workers=workers, description="figures", tensors=False):
        pass
    return there


def _draw(tables: Tables, folder: Path, modules: Sequence[str]) -> None:
    from importlib import import_module

    for name in modules:
        figure = import_module(name)
        save(figure.draw(figure.data(tables), tables), folder, figure.NAME)
