"""The tasks as XTREME makes them, from the archives that it makes them of; test files keep their labels.

XNLI: the English (or another source language's) train pairs of XNLI-MT 1.0, dev and test of XNLI 1.0. Part-of-speech
tagging: UD 2.5, of each language every treebank whose files begin with its code, in the order of the files' names; see
`tagged_words` for what a word is. A language that UD has and XTREME has not (Catalan) is made in the same way.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from polyprobe.downloads import check_archive, download, extract
from polyprobe.running.errors import BadInputError
from polyprobe.running.scratch import temporary_folder
from polyprobe.study import PARAMS, Archive, Study, TransferArchive
from polyprobe.transfer.layout import file_name, files
from polyprobe.transfer.sources.tagged_words import tagged_words
from polyprobe.transfer.sources.writing import write_pairs, write_sentences
from polyprobe.transfer.sources.xnli_tables import evaluation_pairs, training_pairs

_TREEBANK_FILE: Final = re.compile(r"([a-z]+)_[^/]*-ud-(train|dev|test)\.conllu")


@contextmanager
def from_archive(study: Study) -> Iterator[Mapping[str, Path]]:
    """Yield temporary folders with the study's task files, written from the archives `transfer.archive`.

    Raises:
        BadInputError: an archive cannot be had, is not the expected one, or lacks a file that the study needs.
    """
    archives = study.transfer.archive
    assert archives is not None
    with temporary_folder("tasks") as folder, temporary_folder("unpacked") as unpacked:
        _write_xnli(study, archives, folder / "xnli", unpacked)
        _write_pos(study, archives.ud, folder / "pos", unpacked)
        yield {"xnli": folder / "xnli", "pos": folder / "pos"}


def _write_xnli(study: Study, archives: TransferArchive, folder: Path, unpacked: Path) -> None:
    source, languages = study.source_language, study.transfer.xnli.languages
    training = f"multinli.train.{source}.tsv"
    train = _unpacked(archives.multinli, unpacked, lambda name: name == training)
    if not train:
        raise BadInputError(f"{PARAMS}: source_language: {archives.multinli.url} has no {training}")
    write_pairs(folder / file_name("train", source), training_pairs(train[0]))
    tables = {"dev": [source], "test": languages}
    evaluation = _unpacked(archives.xnli, unpacked, lambda name: name in {f"xnli.{split}.tsv" for split in tables})
    for split, needed in tables.items():
        table = next((file for file in evaluation if file.name == f"xnli.{split}.tsv"), None)
        if table is None:
            raise BadInputError(f"{archives.xnli.url}: expected a file xnli.{split}.tsv in the archive")
        pairs: dict[str, list[tuple[str, str, str]]] = {language: [] for language in needed}
        for language, pair in evaluation_pairs(table):
            if language in pairs:
                pairs[language].append(pair)
        for language in needed:
            if not pairs[language]:
                key = "source_language" if split == "dev" else "transfer.xnli.languages"
                raise BadInputError(f"{PARAMS}: {key}: {archives.xnli.url} has no {split} pairs in {language!r}")
            write_pairs(folder / file_name(split, language), pairs[language])


def _write_pos(study: Study, archive: Archive, folder: Path, unpacked: Path) -> None:
    needed = files(study.transfer.pos, study.source_language)

    def wanted(name: str) -> bool:
        found = _TREEBANK_FILE.fullmatch(name)
        return found is not None and (found[2], found[1]) in needed

    treebanks = _unpacked(archive, unpacked, wanted)
    for split, language in needed:
        own = sorted(file for file in treebanks if re.fullmatch(rf"{language}_.*-ud-{split}\.conllu", file.name))
        if not own:
            key = "transfer.pos.languages" if split == "test" else "source_language"
            raise BadInputError(f"{PARAMS}: {key}: {archive.url} has no {split} file of a treebank in {language!r}")
        sentences = (sentence for file in own for sentence in tagged_words(file, language))
        write_sentences(folder / file_name(split, language), sentences)


def _unpacked(archive: Archive, folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Unpack those files of an archive whose names, without their folders, are wanted.

    Args:
        archive: downloaded where it is not on the disk yet.
        folder: where the files go, all into it.
        wanted: whether a name is.

    Returns:
        The files.
    """

    def target_name(member: str) -> str | None:
        name = PurePosixPath(member).name
        return name if wanted(name) else None

    return extract(download(archive.url, archive.sha256, check_archive), folder, target_name)
