"""Table 1 of the paper: from its r and p the numbers of points are recovered by our own correlation code."""

import numpy as np
import pytest
from numpy.typing import NDArray

from polyprobe.analysis import pearson

TABLE = {
    # r, p as printed, and the points that the models' checkpoints and the tasks' target languages give.
    ("560m", "xnli", "average"): ("0.808", "0.052", 6),
    ("1b1", "xnli", "average"): ("0.804", "0.016", 8),
    ("1b7", "xnli", "average"): ("0.395", "0.605", 4),
    ("560m", "xnli", "pairwise"): ("0.568", "8.774e-05", 6 * 7),
    ("1b1", "xnli", "pairwise"): ("0.723", "3.081e-10", 8 * 7),
    ("1b7", "xnli", "pairwise"): ("0.572", "0.001", 4 * 7),
    ("560m", "pos", "average"): ("0.940", "0.005", 6),
    ("1b1", "pos", "average"): ("0.831", "0.011", 8),
    ("1b7", "pos", "average"): ("0.258", "0.742", 4),
    # With the converged model beside the intermediate checkpoints.
    ("560m", "pos", "pairwise"): ("0.612", "3.277e-09", 7 * 11),
    ("1b1", "pos", "pairwise"): ("0.638", "1.204e-12", 9 * 11),
    ("1b7", "pos", "pairwise"): ("0.534", "2.691e-05", 5 * 11),
}
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
    r, p, expected = TABLE[cell]
    found = admissible(r, p)
    if cell == ("1b7", "xnli", "pairwise"):
        assert found == [28, 29, 30, 31, 32, 33]
    else:
        assert found == [expected]
