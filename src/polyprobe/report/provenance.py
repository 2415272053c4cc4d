"""What a study was run on: its models, treebanks and task files, each by its hash."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from polyprobe.artefacts._tables import Entry, JsonFile
from polyprobe.artefacts.manifest import Manifest
from polyprobe.languages import languages
from polyprobe.report.licences import model_licence, treebank_licence
from polyprobe.report.listings import MISSING, Listing, counted, listing, text, upper

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
    return listing(
        "Models",
        manifests,
        {
            "checkpoint": lambda found: found.checkpoint,
            "from": lambda found: found.repository or found.folder or "a folder",
            "commit": lambda found: MISSING if found.commit is None else found.commit[:_SHOWN],
            "weights (SHA-256)": lambda found: found.weights_sha256[:_SHOWN],
            "settings (SHA-256)": lambda found: found.config_sha256[:_SHOWN],
            "tokenizer (SHA-256)": lambda found: found.tokenizer_sha256[:_SHOWN],
            "parameters": lambda found: f"{found.parameters:,}",
            "computed in": lambda found: found.dtype,
            "licence": model_licence,
            "": lambda found: "dropped as a duplicate" if found.dropped else "",
        },
        _other_tokenizers(manifests),
    )


def treebank_listing(treebanks: Mapping[str, Sequence[Entry]]) -> Listing:
    """List each language's treebanks.

    Args:
        treebanks: `metrics/treebanks.json`.
    """
    entries = [entry | {"language": code} for code, found in treebanks.items() for entry in found]
    return listing(
        "Treebanks",
        entries,
        {
            "language": lambda entry: _named(entry["language"]),
            "treebank": _treebank,
            "from": text("source"),
            "sentences": counted("sentences"),
            "words": counted("words"),
            "licence": lambda entry: treebank_licence(entry.get("licence")),
            "files (SHA-256)": lambda entry: files_digest(entry["files"]),
        },
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
    return listing(
        "Task files",
        entries,
        {
            "task": upper("task"),
            "split": text("split"),
            "language": lambda entry: _named(entry["language"]),
            "examples": counted("examples"),
            "labels": counted("items"),
            "in train too": lambda entry: _seen(entry.get("seen_in_train")),
            "in dev too": lambda entry: _seen(entry.get("seen_in_dev")),
            "file (SHA-256)": lambda entry: entry["sha256"][:_SHOWN],
        },
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


def _treebank(entry: Entry) -> str:
    folder, name = entry.get("folder", entry["treebank"]), entry["treebank"]
    return str(name) if folder == name else f"{name} (there {folder})"


def _seen(count: int | None) -> str:
    return MISSING if count is None else f"{count:,}"


def _left_out(entries: Sequence[Entry], count: str, sentences: str) -> str:
    numbers = [f"{entry['treebank']} {n:,}" for entry in entries if (n := entry.get(count, 0))]
    return f" {sentences} that were left out: {', '.join(numbers)}." if numbers else ""


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
