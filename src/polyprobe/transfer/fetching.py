"""Task files of every source, brought into one place and checked: `data/tasks/<task>/<split>-<language>.tsv`."""

import hashlib
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_folder, write_json
from polyprobe.study import PARAMS, Study, Task
from polyprobe.transfer.examples import Example
from polyprobe.transfer.layout import FOLDER, file_name, files
from polyprobe.transfer.leaks import Leaks
from polyprobe.transfer.sources import SOURCES
from polyprobe.transfer.tasks import TASKS

METRICS: Final = Path("metrics/transfer_data.json")


def fetch(study: Study) -> None:
    """Copy the study's task files, checked, to `data/tasks`, and write what they hold to `metrics`.

    Raises:
        BadInputError: a file is missing or malformed, does not hold the examples that the study expects, or repeats
            examples of another split where `transfer.on_leak` is fail; nothing is written then.
    """
    report: list[dict[str, Any]] = []
    with SOURCES[study.transfer.source](study) as origins, new_folder(FOLDER) as folder:
        for name, task in TASKS.items():
            settings: Task = getattr(study.transfer, name)
            (folder / name).mkdir()
            leaks = Leaks(task.sentences)
            for split, language in files(settings, study.source_language):
                file = origins[name] / file_name(split, language)
                examples = task.read(file)
                if split == "train":
                    _check_size(examples, settings.train_examples, f"transfer.{name}.train_examples", file)
                if study.transfer.on_leak == "fail":
                    leaks.refuse(examples, file)
                shutil.copyfile(file, folder / name / file.name)
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                report.append(
                    {"task": name, "split": split, "language": language}
                    | _contents(examples, task.LABELS)
                    | leaks.counts(examples)
                    | {"sha256": digest}
                )
                if split != "test":
                    leaks.add(split, examples)
    write_json(METRICS, report)


def _check_size(examples: list[Example], expected: int | None, key: str, file: Path) -> None:
    if expected is not None and len(examples) != expected:
        raise BadInputError(f"{PARAMS}: {key}: expected {expected} examples in {file}, found {len(examples)}")


def _contents(examples: list[Example], labels: tuple[str, ...]) -> dict[str, Any]:
    """Count the examples of one file, their items, and the items of each label."""
    counts = Counter(label for example in examples for label in example.labels)
    return {
        "examples": len(examples),
        "items": sum(counts.values()),
        "labels": {label: counts[label] for label in labels},
    }
