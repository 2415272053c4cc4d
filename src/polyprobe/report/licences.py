"""Under which licences the models and the data stand, as far as it is known."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from polyprobe.artefacts._tables import Entry
from polyprobe.artefacts.manifest import Manifest
from polyprobe.report.listings import Listing

NOT_STATED: Final = "not stated"

# By how the hub's repository begins.
_OF_REPOSITORIES: Final = {"bigscience/bloom": "BigScience RAIL License v1.0 (bigscience-bloom-rail-1.0)"}
_TRAINED_HERE: Final = PurePosixPath("data/pretrained")

_PUBLISHED_TASKS: Final = {
    "xnli": [
        ["XNLI, dev and test", "CC BY-NC 4.0", "facebookresearch/XNLI"],
        [
            "XNLI, train (MultiNLI)",
            "mostly that of the Open American National Corpus; some fiction CC BY 3.0 or CC BY-SA 3.0",
            "Williams et al. 2018",
        ],
    ],
    "pos": [["POS (UDPOS)", "that of each treebank of Universal Dependencies", "XTREME"]],
}
_GENERATED: Final = "none: generated here"

_CREATIVE_COMMONS: Final = re.compile(r"\bCC(?:0|(?: BY(?:-[A-Z]{2})*)) \d\.\d\b")
_LONGEST: Final = 40
"""Characters of what is taken for a licence's name rather than a sentence that holds one."""


def model_licence(found: Manifest) -> str:
    """Return a checkpoint's licence, or where to look for it."""
    if found.repository is not None:
        known = (name for start, name in _OF_REPOSITORIES.items() if found.repository.startswith(start))
        return next(known, "see the repository")
    trained_here = found.folder is not None and PurePosixPath(found.folder).is_relative_to(_TRAINED_HERE)
    return "none: trained here" if trained_here else "see the folder"


def treebank_licence(stated: str | None) -> str:
    """Return a licence's name, taken out of the sentence where a sentence is stated.

    Args:
        stated: what `metrics/treebanks.json` holds: a name, a sentence with one, or nothing.

    Returns:
        The name; the sentence itself where it names no Creative Commons licence; `not stated` for nothing.
    """
    text = (stated or NOT_STATED).rstrip(" :.")
    if len(text) > _LONGEST and (found := _CREATIVE_COMMONS.search(text)):
        return found[0]
    return text


def licence_listing(
    manifests: Sequence[Manifest],
    treebanks: Mapping[str, Sequence[Entry]],
    task_data: Sequence[Entry],
    task_source: str,
) -> Listing:
    """List what stands under which licence, and who says so.

    Args:
        manifests: the study's checkpoints.
        treebanks: `metrics/treebanks.json`.
        task_data: `metrics/transfer_data.json`.
        task_source: `transfer.source`.
    """
    rows = []
    models: dict[tuple[str, str], list[str]] = {}
    for found in manifests:
        said_by = "the model's card" if found.repository else ""
        models.setdefault((model_licence(found), said_by), []).append(found.model)
    rows += [[", ".join(dict.fromkeys(names)), *described] for described, names in models.items()]
    by_licence: dict[str, list[str]] = {}
    for entry in (entry for entries in treebanks.values() for entry in entries):
        by_licence.setdefault(treebank_licence(entry.get("licence")), []).append(entry["treebank"])
    rows += [[", ".join(dict.fromkeys(by_licence[name])), name, "the treebank"] for name in sorted(by_licence)]
    for task in dict.fromkeys(entry["task"] for entry in task_data):
        if task_source == "pocket":
            rows.append([f"{task.upper()}, all splits", _GENERATED, ""])
        else:
            rows += _PUBLISHED_TASKS.get(task, [[task.upper(), NOT_STATED, ""]])
    note = "What a folder on disk holds in a task's place stands under its own licence." if task_source == "dir" else ""
    return Listing("Licences", ["what", "licence", "said by"], rows, note)
