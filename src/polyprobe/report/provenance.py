"""What a study was run on: its models, treebanks and task files, each by its hash."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from polyprobe.artefacts._tables import Entry, JsonFile
from polyprobe.artefacts.manifest import Manifest
from polyprobe.languages import languages
from polyprobe.report.licences import model_licence, treebank_licence
from polyprobe.report.listings import MISSING, Listing

TREEBANKS: Final = JsonFile[dict[str, list[Entry]]]("metrics/treebanks.json", stage="fetch_ud")
"""The treebanks of each language, as `fetch_ud` found them."""
TASK_DATA: Final = JsonFile[list[Entry]]("metrics/transfer_data.json", stage="fetch_transfer")

_SHOWN: Final = 12
"""Hexadecimal digits of a hash."""


def read_task_data(file: Path = TASK_DATA.path) -> list[Entry]:
    """Read the entries of the task files, as `fetch_transfer` found them; none where it has not been run."""
    return TASK_DATA.read(file) if file.exists() else []


def model_listing(manifests: Sequence[Manifest]) -> Listing:
    """List where each checkpoint is from."""
    return Listing(
        "Models",
        [
            "checkpoint",
            "from",
            "commit",
            "weights (SHA-256)",
            "settings (SHA-256)",
            "tokenizer (SHA-256)",
            "parameters",
            "computed in",
            "licence",
            "",
        ],
        [
            [
                found.checkpoint,
                found.repository or found.folder or "a folder",
                MISSING if found.commit is None else found.commit[:_SHOWN],
                found.weights_sha256[:_SHOWN],
                found.config_sha256[:_SHOWN],
                found.tokenizer_sha256[:_SHOWN],
                f"{found.parameters:,}",
                found.dtype,
                model_licence(found),
                "dropped as a duplicate" if found.dropped else "",
            ]
            for found in manifests
        ],
        _other_tokenizers(manifests),
    )


def treebank_listing(treebanks: Mapping[str, Sequence[Entry]]) -> Listing:
    """List each language's treebanks.

    Args:
        treebanks: `metrics/treebanks.json`.
    """
    entries = [(code, entry) for code, found in treebanks.items() for entry in found]
    return Listing(
        "Treebanks",
        ["language", "treebank", "from", "sentences", "words", "licence", "files (SHA-256)"],
        [
            [
                _named(code),
                entry["treebank"]
                if entry.get("folder", entry["treebank"]) == entry["treebank"]
                else f"{entry['treebank']} (there {entry['folder']})",
                entry["source"],
                f"{entry['sentences']:,}",
                f"{entry['words']:,}",
                treebank_licence(entry.get("licence")),
                files_digest(entry["files"]),
            ]
            for code, entry in entries
        ],
        "The hash is that of a text with one line `name hash` per file, in the order of the names."
        + _left_out(entries, "withheld_sentences", "Sentences without their text")
        + _left_out(entries, "skipped_sentences", "Malformed sentences"),
    )


def task_data_listing(entries: Sequence[Entry], source: str) -> Listing:
    """List the files that transfer is trained and tested on.

    Args:
        entries: `metrics/transfer_data.json`.
        source: `transfer.source`.
    """
    return Listing(
        "Task files",
        ["task", "split", "language", "examples", "labels", "in train too", "in dev too", "file (SHA-256)"],
        [
            [
                entry["task"].upper(),
                entry["split"],
                _named(entry["language"]),
                f"{entry['examples']:,}",
                f"{entry['items']:,}",
                *(
                    MISSING if (seen := entry.get(f"seen_in_{split}")) is None else f"{seen:,}"
                    for split in ("train", "dev")
                ),
                entry["sha256"][:_SHOWN],
            ]
            for entry in entries
        ],
        f"Source: {source}. Labels: one per pair of sentences (XNLI) or word (POS). In train or dev too: examples that "
        "stand there word for word.",
    )


def files_digest(files: Sequence[Mapping[str, str]]) -> str:
    """Return the first digits of one SHA-256 for a treebank's files.

    It is that of their names and hashes; their order does not matter.

    Args:
        files: name and sha256 of each.
    """
    lines = sorted(f"{file['name']} {file['sha256']}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:_SHOWN]


def _left_out(entries: Sequence[tuple[str, Entry]], count: str, sentences: str) -> str:
    counted = [f"{entry['treebank']} {n:,}" for _, entry in entries if (n := entry.get(count, 0))]
    return f" {sentences} that were left out: {', '.join(counted)}." if counted else ""


def _named(code: str) -> str:
    known = languages().get(code)
    return code if known is None else f"{code} {known.name}"


def _other_tokenizers(manifests: Sequence[Manifest]) -> str:
    others = dict.fromkeys(
        f"{found.tokenizer_repository} at {(found.tokenizer_commit or MISSING)[:_SHOWN]}"
        for found in manifests
        if found.tokenizer_repository is not None
    )
    return f"Tokenizers that do not lie with the weights: {', '.join(others)}." if others else ""
