"""One thread for the arithmetic of a probe: several would split sums by the size of the stack."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run the block with one thread of tensor operations.

    A probe then has the same bits however many threads there are, in a stage and in a notebook; and operations as small
    as a probe's gain nothing from more.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
