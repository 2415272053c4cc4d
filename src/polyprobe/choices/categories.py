"""Categories by the full names of their dimensions, which tables hold."""

from collections.abc import Iterable

from polyprobe.artefacts.dimensions import SHORT_NAMES
from polyprobe.study import Study


def full_names(categories: Iterable[str]) -> list[str]:
    """Return the full names of categories that are given by full or short names, in their order, none twice."""
    return list(dict.fromkeys(SHORT_NAMES.get(name, name) for name in categories))


def study_categories(study: Study) -> list[str]:
    """Return the study's own categories by their full names, none twice."""
    return full_names(study.categories)


def categories_of(study: Study, key: str) -> list[str]:
    """Return the categories probed at a checkpoint: the study's, then its own.

    Args:
        study: the study.
        key: the checkpoint's key in the study.

    Returns:
        The categories' full names, none twice.

    Raises:
        BadInputError: the study has no such checkpoint.
    """
    return full_names([*study.categories, *study.checkpoint(key).categories])


def correlated_categories(study: Study) -> list[str]:
    """Return the categories that overlap is averaged over when it is correlated."""
    return full_names(study.correlate.categories or study.categories)
