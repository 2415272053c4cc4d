"""Sizes of the sets of neurons whose overlap is measured."""

from polyprobe.study import Study


def set_sizes(study: Study) -> list[int]:
    """Return every k of `overlap.k`, in neurons, ascending."""
    return sorted(study.overlap.k) if isinstance(study.overlap.k, list) else [study.overlap.k]


def largest_size(study: Study) -> int:
    """Return the number of neurons of a set where one k is meant: the largest of `overlap.k`."""
    return set_sizes(study)[-1]
