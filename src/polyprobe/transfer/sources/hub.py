"""The tasks from the hub's datasets: XNLI from `facebook/xnli`, part-of-speech tagging from `google/xtreme`.

The hub's part-of-speech data are UD 2.5 as XTREME's, and the English files have XTREME's sizes (21,253 train
sentences), but they are not XTREME's own files, which the source `archive` makes:

- words are UD's syntactic words (French `de` `le`), XTREME has the fused form `du` instead; empty nodes that have a
  form are words too;
- test files have labels, which XTREME's published ones lack;
- a language is every treebank that has its name in the folder's, also within a longer name: the hub's Chinese has
  Classical Chinese in it (11,004 of its 18,998 train sentences), its French Old French, its Greek Ancient Greek, its
  German Swiss German.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyprobe.downloads import dataset_file
from polyprobe.languages import language as language_of
from polyprobe.running.errors import BadInputError
from polyprobe.running.scratch import temporary_folder
from polyprobe.study import PARAMS, HubRepository, Study
from polyprobe.transfer.layout import file_name, files
from polyprobe.transfer.sources.writing import write_pairs, write_sentences

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_SPLITS: Final = {"train": "train", "dev": "validation", "test": "test"}


@contextmanager
def from_hub(study: Study) -> Iterator[Mapping[str, Path]]:
    """Yield temporary folders with the study's task files, written from the datasets `transfer.hub`.

    Raises:
        BadInputError: a dataset lacks a language, cannot be fetched, or is not made as expected.
    """
    datasets = study.transfer.hub
    assert datasets is not None
    with temporary_folder("tasks") as folder:
        for task, write, config in (("xnli", _write_xnli, _xnli_config), ("pos", _write_pos, _pos_config)):
            settings = getattr(study.transfer, task)
            for split, language in files(settings, study.source_language):
                where = f"{PARAMS}: transfer.{task}: the {split} file of language {language!r}"
                dataset: HubRepository = getattr(datasets, task)
                parquet = _fetched(where, dataset, f"{config(language)}/{_SPLITS[split]}-00000-of-00001.parquet")
                write(parquet, folder / task / file_name(split, language))
        yield {task: folder / task for task in ("xnli", "pos")}


def _fetched(where: str, dataset: HubRepository, path: str) -> Path:
    try:
        return dataset_file(dataset.repository, dataset.revision, path)
    except BadInputError as error:
        raise BadInputError(f"{where}: {error}") from None


def _xnli_config(language: str) -> str:
    return language


def _pos_config(language: str) -> str:
    return f"udpos.{language_of(language).name}"


def _write_xnli(parquet: Path, file: Path) -> None:
    label, rows = _label_names(parquet, "label"), _rows(parquet, "premise", "hypothesis", "label")
    write_pairs(file, ((premise, hypothesis, label(number)) for premise, hypothesis, number in rows))


def _write_pos(parquet: Path, file: Path) -> None:
    tag, rows = _label_names(parquet, "pos_tags"), _rows(parquet, "tokens", "pos_tags")
    write_sentences(file, ((words, [tag(number) for number in numbers]) for words, numbers in rows))


@contextmanager
def _opened(parquet: Path) -> "Iterator[pq.ParquetFile]":
    """Open a parquet file.

    Raises:
        BadInputError: it is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(parquet) as opened:
            yield opened
    except pa.ArrowInvalid as error:
        raise BadInputError(f"{parquet}: no parquet file: {str(error).splitlines()[0]}") from None


def _rows(parquet: Path, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a parquet file, read in batches.

    Args:
        parquet: the file.
        *columns: the columns of a row, in this order.

    Raises:
        BadInputError: it is no parquet file, or a column is missing.
    """
    with _opened(parquet) as opened:
        missing = [column for column in columns if column not in opened.schema_arrow.names]
        if missing:
            raise BadInputError(f"{parquet}: no column {missing[0]!r}, expected {', '.join(columns)}")
        for batch in opened.iter_batches(columns=list(columns)):
            yield from zip(*(batch.column(column).to_pylist() for column in columns), strict=True)


def _label_names(parquet: Path, column: str) -> Callable[[int], str]:
    """Return what turns a label's number into its name, as the file's metadata have them.

    Args:
        parquet: the file.
        column: the one that holds labels, or lists of them.

    Raises:
        BadInputError: it is no parquet file, or its metadata name no labels; when what is returned is called: the
            number has no name.
    """
    with _opened(parquet) as opened:
        metadata = opened.schema_arrow.metadata or {}
    try:
        feature = json.loads(metadata[b"huggingface"])["info"]["features"][column]
        names: list[str] = feature.get("feature", feature)["names"]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise BadInputError(f"{parquet}: its metadata do not name the labels of column {column!r}") from None

    def name(number: int) -> str:
        if number is None or not 0 <= number < len(names):
            raise BadInputError(
                f"{parquet}: column {column!r}: no label of number {number}, expected 0 to {len(names) - 1}"
            )
        return names[number]

    return name
