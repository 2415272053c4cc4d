"""Table 1 of the paper: from its r and p the numbers of points are recovered by our own correlation code."""

import numpy as np
import pytest
from numpy.typing import NDArray

from polyprobe.analysis import pearson
from polyprobe.report.paper_table import TABLE

LARGEST = 120


def points(r: float, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """n points whose correlation is exactly r."""
    x = np.linspace(-1, 1, n)
    across = x**2 - (x**2).mean()
    y = r * x / np.linalg.norm(x) + np.sqrt(1 - r * r) * across / np.linalg.norm(across)
    return x[:, None], y[:, None]


def half_a_unit(printed: str) -> float:
    """Half a unit in the last printed place."""
    mantissa, _, exponent = printed.partition("e")
    return 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def admissible(printed_r: str, printed_p: str) -> list[int]:
    """The numbers of points at which some r that is printed so has some p that is printed so."""
    r, p = float(printed_r), float(printed_p)
    found = []
    for n in range(3, LARGEST):
        low, high = (pearson(*points(r + sign * half_a_unit(printed_r), n)).p for sign in (1, -1))
        if low <= p + half_a_unit(printed_p) and p - half_a_unit(printed_p) <= high:
            found.append(n)
    return found


@pytest.mark.parametrize("cell", TABLE, ids="-".join)
def test_the_number_of_points_is_recovered(cell: tuple[str, str, str]) -> None:
    found = admissible(TABLE[cell].r, TABLE[cell].p)
    if cell == ("1b7", "xnli", "pairwise"):
        assert found == [28, 29, 30, 31, 32, 33]
    else:
        assert found == [TABLE[cell].n]
