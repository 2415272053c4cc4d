"""Task files of every source, brought into one place and checked: `data/tasks/<task>/<split>-<language>.tsv`."""

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_folder, write_json
from polyprobe.study import PARAMS, Study, Task
from polyprobe.transfer.examples import Example
from polyprobe.transfer.layout import FOLDER, file_name, files
from polyprobe.transfer.tasks import TASKS

METRICS: Final = Path("metrics/transfer_data.json")


@contextmanager
def _pocket(study: Study) -> Iterator[Path]:
    """The mini-languages' tasks, generated."""
    from polyprobe.pocket import write_tasks

    assert study.pocket is not None  # study.py asks for the section where a source is pocket
    tested = {*study.transfer.xnli.languages, *study.transfer.pos.languages, study.source_language}
    with tempfile.TemporaryDirectory() as folder:
        languages = [code for code in study.languages if code in tested]
        write_tasks(Path(folder), languages, study.source_language, study.pocket)
        yield Path(folder)


@contextmanager
def _dir(study: Study) -> Iterator[Path]:
    """A folder on disk."""
    assert study.transfer.dir is not None  # study.py asks for it where the source is dir
    if not study.transfer.dir.is_dir():
        raise BadInputError(f"{PARAMS}: transfer.dir: no such folder: {study.transfer.dir}")
    yield study.transfer.dir


SOURCES: Final[dict[str, Callable[[Study], AbstractContextManager[Path]]]] = {"pocket": _pocket, "dir": _dir}
"""Per source, the folder that holds the tasks' folders in XTREME's layout while the context lasts."""


def fetch(study: Study) -> None:
    """Copies the study's task files, checked, to `data/tasks`, and writes what they hold to `metrics`.

    Raises:
        BadInputError: a file is missing or malformed; nothing is written then.
    """
    report: list[dict[str, Any]] = []
    with SOURCES[study.transfer.source](study) as origin, new_folder(FOLDER) as folder:
        for name, task in TASKS.items():
            settings: Task = getattr(study.transfer, name)
            (folder / name).mkdir()
            earlier: dict[str, set[tuple[str, ...]]] = {}
            for split, language in files(settings, study.source_language):
                file = origin / settings.folder / file_name(split, language)
                examples = task.read(file)
                shutil.copyfile(file, folder / name / file.name)
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                report.append(
                    {"task": name, "split": split, "language": language}
                    | _contents(examples, task.LABELS, earlier)
                    | {"sha256": digest}
                )
                if split != "test":
                    earlier[split] = {example.texts for example in examples}
    write_json(METRICS, report)


def _contents(
    examples: list[Example], labels: tuple[str, ...], earlier: dict[str, set[tuple[str, ...]]]
) -> dict[str, Any]:
    """Counts of one file; `seen_in_<split>` is the number of its examples whose texts are also in that split."""
    counts = Counter(label for example in examples for label in example.labels)
    return {
        "examples": len(examples),
        "items": sum(counts.values()),
        "labels": {label: counts[label] for label in labels},
        **{f"seen_in_{split}": sum(example.texts in texts for example in examples) for split, texts in earlier.items()},
    }
