"""Figures as files: vector graphics whose bytes depend on the figure alone."""

from pathlib import Path

from matplotlib.figure import Figure

from polyprobe.figures.style import styled


def save(figure: Figure, folder: Path, name: str) -> None:
    """Writes `<name>.svg` and `<name>.pdf`, text kept as text; no date, no random ids."""
    with styled(hash_salt=name):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
