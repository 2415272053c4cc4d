"""Figures as files: vector graphics whose bytes depend on the figure alone."""

from pathlib import Path

from matplotlib.figure import Figure

from polyprobe.figures.style import styled


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write `<name>.svg` and `<name>.pdf`, with text kept as text, and without dates or random ids.

    Args:
        figure: what is written.
        folder: where the files go; it has to exist.
        name: the files' name without its ending; the ids within the SVG derive from it.
    """
    with styled(hash_salt=name):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
