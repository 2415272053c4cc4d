"""Names of a task's files, in XTREME's layout and in `data/tasks/<task>`."""

from pathlib import Path
from typing import Final

from polyprobe.study import Task

FOLDER: Final = Path("data/tasks")


def file_name(split: str, language: str) -> str:
    """Return the name of a task's file.

    Args:
        split: train, dev or test.
        language: the language's code.
    """
    return f"{split}-{language}.tsv"


def files(settings: Task, source: str) -> list[tuple[str, str]]:
    """Return the split and the language of each of a task's files.

    Args:
        settings: the task's.
        source: the source language's code.

    Returns:
        Train and dev of the source language, then test of every language of the task.
    """
    return [("train", source), ("dev", source), *(("test", language) for language in settings.languages)]
