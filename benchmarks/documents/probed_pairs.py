"""Which (language, category) pairs can be probed, here and in the paper: `python benchmarks/documents/probed_pairs.py`.

Prints a Markdown table from `metrics/corpus.json` or the file given, and lists where it differs from the paper's
Appendix A.2.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from polyprobe.artefacts import corpus
from polyprobe.artefacts._tables import Entry
from polyprobe.artefacts.dimensions import dimensions, short_name
from polyprobe.artefacts.words import SPLITS
from polyprobe.ops.appendix_a2 import in_paper
from polyprobe.ops.markdown import markdown_table
from polyprobe.running.errors import BadInputError
from polyprobe.study import load_study

Pair = tuple[str, str]
"""A language and a category."""

YES_OR_NO: Final = {True: "yes", False: "no", None: None}


def corpus_table(entries: Sequence[Entry], minimum: int) -> str:
    """Return what each pair offers: words per split, the values that survive with the words of their smallest split.

    Args:
        entries: those of `metrics/corpus.json`.
        minimum: the `words.min_label_count` that they were made with.
    """
    header = ["language", "category", f"words, {'/'.join(SPLITS)}", "values that survive", "survives", "in the paper"]
    rows = []
    for entry in entries:
        in_smallest_split = {value: min(counts.values()) for value, counts in entry["values"].items()}
        survivors = [f"{value} {count}" for value, count in in_smallest_split.items() if count >= minimum]
        rows.append(
            [
                entry["language"],
                short_name(entry["category"]),
                "/".join(str(entry["words"][split]) for split in SPLITS),
                ", ".join(survivors) or None,
                "yes" if entry["probed"] else f"no: {entry['reason']}",
                YES_OR_NO[in_paper(entry["language"], entry["category"])],
            ]
        )
    return markdown_table(header, rows)


def differences(entries: Sequence[Entry]) -> dict[Pair, str]:
    """Return the pairs that survive here and not in the paper, or the other way round, with what is known of each.

    Pairs of the paper in which no word has a value count too; languages that the paper does not have are left out.

    Args:
        entries: those of `metrics/corpus.json`.
    """
    by_pair = {(entry["language"], entry["category"]): entry for entry in entries}
    found = {}
    for language in sorted({entry["language"] for entry in entries}):
        for category in sorted(dimensions()):
            entry = by_pair.get((language, category))
            probed_in_paper = in_paper(language, category)
            survives = entry is not None and entry["probed"]
            if probed_in_paper is False and survives:
                found[language, category] = "survives here, not in the paper"
            if probed_in_paper and not survives:
                reason = entry["reason"] if entry else "no word has a value"
                found[language, category] = f"in the paper; {reason}"
    return found


def print_differences(found: Mapping[Pair, str]) -> None:
    """Print a line for each pair that differs from the paper.

    Args:
        found: what is known of each.
    """
    print(f"\nDifferences from the paper: {len(found) or 'none'}")
    if found:
        print()
    for (language, category), known in found.items():
        print(f"- {language} {short_name(category)}: {known}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and the differences.

    Raises:
        SystemExit: `metrics/corpus.json` or the study in force cannot be read.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "corpus", nargs="?", type=Path, default=corpus.TABLE.path, help=f"{corpus.TABLE.path} by default"
    )
    parser.add_argument("--min-label-count", type=int, help="that of the study in force by default")
    options = parser.parse_args(arguments)
    try:
        minimum = options.min_label_count
        if minimum is None:
            minimum = load_study().words.min_label_count
        entries = corpus.TABLE.read(options.corpus)
    except BadInputError as error:
        sys.exit(f"error: {error}")
    print(corpus_table(entries, minimum))
    print_differences(differences(entries))


if __name__ == "__main__":
    main()
