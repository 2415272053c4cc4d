"""The mini-languages' tasks, generated."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from polyprobe.running.errors import BadInputError
from polyprobe.running.scratch import temporary_folder
from polyprobe.study import PARAMS, Study


@contextmanager
def from_pocket(study: Study) -> Iterator[Mapping[str, Path]]:
    """Yield temporary folders with the tasks of the study's mini-languages.

    Raises:
        BadInputError: the study has no `pocket` section, or a language is no mini-language.
    """
    from polyprobe.pocket import write_tasks

    if study.pocket is None:
        raise BadInputError(f"{PARAMS}: pocket: missing section, expected it because transfer.source is pocket")
    tested = {*study.transfer.xnli.languages, *study.transfer.pos.languages, study.source_language}
    with temporary_folder("tasks") as folder:
        languages = [code for code in study.languages if code in tested]
        write_tasks(folder, languages, study.source_language, study.pocket)
        yield {"xnli": folder / "xnli", "pos": folder / "udpos"}
