"""In how many runs each (language, category) pair survives: `python benchmarks/documents/probed_pairs_by_run.py`.

Makes the table of `probed_pairs.py` from the treebanks of some languages among the UD_* folders in a folder, and counts
in how many splits, orders of files and orders of tags each pair survives: the runs of `treebank_runs.py`.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from probed_pairs import YES_OR_NO, corpus_table, differences, print_differences
from treebank_runs import SEEDS, Comparison, Runs, Treebank, compare, labels, our_split, read_treebank

from polyprobe.artefacts._tables import Entry
from polyprobe.artefacts.dimensions import short_name
from polyprobe.languages import languages
from polyprobe.ops.appendix_a2 import in_paper, papers_categories
from polyprobe.ops.markdown import markdown_table
from polyprobe.running.errors import BadInputError
from polyprobe.study import load_study
from polyprobe.treebanks import attributes
from polyprobe.treebanks.inventory import inventory

Comparisons = Mapping[str, Mapping[str, Comparison]]
"""By language and category."""


def runs_table(found: Comparisons) -> str:
    """Return in how many runs of each kind each pair survives, with the range of what its second best value has.

    Pairs that survive in no run and are not in the paper are left out.

    Args:
        found: the comparisons.
    """
    header = ["language", "category", "in the paper", "our split: seeds", "our split: tag orders"]
    header += ["released split: file orders", "released split: file orders × tag orders"]
    rows = []
    for language, of_language in found.items():
        for category, comparison in of_language.items():
            kinds = (comparison.seeds, comparison.tag_orders, comparison.file_orders, comparison.released)
            probed_in_paper = in_paper(language, category)
            if probed_in_paper or any(runs.survived for runs in kinds):
                rows.append([language, short_name(category), YES_OR_NO[probed_in_paper], *map(_runs_cell, kinds)])
    return markdown_table(header, rows)


def _runs_cell(runs: Runs) -> str:
    low, high = min(runs.counts), max(runs.counts)
    counts = f"{low}" if low == high else f"{low} to {high}"
    return f"{runs.survived} of {len(runs.counts)} ({counts})"


def released_against_paper(found: Comparisons) -> list[str]:
    """Return which pairs of the paper survive in all, some and no runs of the released code, and which others do.

    Args:
        found: the comparisons.
    """
    groups: dict[str, list[str]] = {
        "in the paper, in all of the runs": [],
        "in the paper, in some of the runs": [],
        "in the paper, in none of the runs": [],
        "not in the paper, in all of the runs": [],
        "not in the paper, in some of the runs": [],
    }
    for language, of_language in found.items():
        for category, comparison in of_language.items():
            runs, pair = comparison.released, f"{language} {short_name(category)}"
            where = "in" if in_paper(language, category) else "not in"
            if runs.varies:
                groups[f"{where} the paper, in some of the runs"].append(
                    f"{pair} ({runs.survived} of {len(runs.counts)})"
                )
            elif runs.survived:
                groups[f"{where} the paper, in all of the runs"].append(pair)
            elif where == "in":
                groups["in the paper, in none of the runs"].append(pair)
    return [f"{group}: {', '.join(pairs) or 'none'}" for group, pairs in groups.items()]


def explanation(treebank: Treebank, category: str, comparison: Comparison | None) -> str:
    """Return what a difference from the paper can come from, by the runs in which the pair survives and does not.

    Args:
        treebank: of the pair's language.
        category: of the pair.
        comparison: of the pair; None where no word has a value.
    """
    causes = []
    if not any(category in categories for categories in papers_categories().values()):
        causes.append("the paper has the category in no language")
    if not any("-ud-train" in file for file in treebank.files):
        causes.append("there is no train file here")
    if comparison is not None:
        if comparison.seeds.varies:
            causes.append("the seed of the split decides")
        if comparison.file_orders.varies:
            causes.append("the order of the files decides")
        if comparison.tag_choice_decides:
            causes.append("the choice among tags decides")
    return ", ".join(causes) or "neither seed, nor order of files, nor choice among tags changes it"


def entries_of(treebank: Treebank, minimum: int) -> list[Entry]:
    """Return what `metrics/corpus.json` would hold of a treebank under seed 0.

    Args:
        treebank: its words.
        minimum: `words.min_label_count`.

    Raises:
        BadInputError: too few lemmas to split.
    """
    words = labels(treebank, attributes).iloc[treebank.words["tagging"]].reset_index(drop=True)
    return inventory(treebank.language, words.assign(split=our_split(treebank, seed=0)), minimum)


def treebank_folder(folder: Path, given: str) -> tuple[str, Path]:
    """Return the language and the folder of `mr` (UD_Marathi) or `mr=UD_Marathi-UFAL`.

    Args:
        folder: where the treebanks lie.
        given: the code, or code and name.

    Raises:
        BadInputError: there is no such language.
    """
    code, _, name = given.partition("=")
    if code not in languages():
        raise BadInputError(f"unknown language code {code!r}")
    return code, folder / (name or f"UD_{languages()[code].name.replace(' ', '_')}")


def print_runs(treebanks: Sequence[Treebank], minimum: int) -> None:
    """Print what each pair offers, in which runs it survives, and what differs from the paper.

    Args:
        treebanks: one per language.
        minimum: words that a value needs in each split.

    Raises:
        BadInputError: too few lemmas to split.
    """
    entries = [entry for treebank in treebanks for entry in entries_of(treebank, minimum)]
    found = {treebank.language: compare(treebank, minimum) for treebank in treebanks}
    print(corpus_table(entries, minimum))
    print(f"\nTreebanks ({SEEDS} seeds, {SEEDS} orders of all tags, every order of the files):\n")
    for treebank in treebanks:
        print(
            f"- {treebank.language}: {', '.join(treebank.files)}; {len(treebank.words)} words, "
            f"{treebank.words['lemma'].nunique()} lemmas, {treebank.without_lemma()} words without one"
        )
    print("\nRuns in which a pair survives (words that its second best value has in its smallest split):\n")
    print(runs_table(found))
    print("\nRuns of the released split and choice among tags:\n")
    for line in released_against_paper(found):
        print(f"- {line}")
    by_language = {treebank.language: treebank for treebank in treebanks}
    explained = {}
    for (language, category), known in differences(entries).items():
        cause = explanation(by_language[language], category, found[language].get(category))
        explained[language, category] = f"{known}; {cause}"
    print_differences(explained)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the runs of the languages given.

    Raises:
        SystemExit: a language is unknown, its treebank cannot be read, or it has too few lemmas to split.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of UD_* folders")
    parser.add_argument("languages", nargs="+", metavar="LANGUAGE", help="a code (mr: UD_Marathi), or CODE=UD_NAME")
    parser.add_argument("--min-label-count", type=int, help="that of the study in force by default")
    options = parser.parse_args(arguments)
    try:
        minimum = options.min_label_count
        if minimum is None:
            minimum = load_study().words.min_label_count
        folders = [treebank_folder(options.folder, given) for given in options.languages]
        print_runs([read_treebank(folder, code) for code, folder in folders], minimum)
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
