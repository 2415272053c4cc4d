"""Names of a task's files, in XTREME's layout and in `data/tasks/<task>`."""

from pathlib import Path
from typing import Final

from polyprobe.study import Task

FOLDER: Final = Path("data/tasks")


def file_name(split: str, language: str) -> str:
    """The name of a task's file."""
    return f"{split}-{language}.tsv"


def files(settings: Task, source: str) -> list[tuple[str, str]]:
    """Split and language of each of a task's files: train and dev of the source language, test of every language."""
    return [("train", source), ("dev", source), *(("test", language) for language in settings.languages)]
