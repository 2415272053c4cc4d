"""Which (language, category) pairs can be probed, here and in the paper: `python -m polyprobe.ops.survival`.

Prints a Markdown table from `metrics/corpus.json` or the file given, and lists where it differs from the paper's
Appendix A.2. With `--orders FOLDER LANGUAGE...` it makes the table of those languages from their treebanks among the
UD_* folders in FOLDER, and counts in how many splits, orders of files and orders of tags each pair survives.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyprobe.artefacts import corpus
from polyprobe.artefacts.dimensions import dimension_name, dimensions, short_name
from polyprobe.artefacts.words import SPLITS
from polyprobe.languages import languages
from polyprobe.running.errors import BadInputError
from polyprobe.study import load_study

if TYPE_CHECKING:
    from polyprobe.ops.survival_runs import Comparison, Treebank

_PAPER: Final = Path(__file__).with_name("appendix_a2.yaml")
_YES_OR_NO: Final = {True: "yes", False: "no", None: "–"}


@cache
def papers_categories() -> dict[str, frozenset[str]]:
    """The dimensions that the paper probes in each language (Appendix A.2)."""
    import yaml

    table: dict[str, list[str]] = yaml.safe_load(_PAPER.read_text(encoding="utf-8"))
    return {language: frozenset(map(dimension_name, names)) for language, names in table.items()}


def in_paper(language: str, category: str) -> bool | None:
    """Whether the paper probes the category in the language; None for a language that it has not."""
    known = papers_categories().get(language)
    return None if known is None else category in known


def corpus_table(entries: Sequence[corpus.Entry], minimum: int) -> str:
    """What each pair offers: words per split, the values that survive with the words of their smallest split.

    Args:
        entries: those of `metrics/corpus.json`.
        minimum: the `words.min_label_count` that they were made with.
    """
    header = ["language", "category", f"words, {'/'.join(SPLITS)}", "values that survive", "survives", "in the paper"]
    rows = []
    for entry in entries:
        least = {value: min(counts.values()) for value, counts in entry["values"].items()}
        survivors = [f"{value} {count}" for value, count in least.items() if count >= minimum]
        rows.append(
            [
                entry["language"],
                short_name(entry["category"]),
                "/".join(str(entry["words"][split]) for split in SPLITS),
                ", ".join(survivors) or "–",
                "yes" if entry["probed"] else f"no: {entry['reason']}",
                _YES_OR_NO[in_paper(entry["language"], entry["category"])],
            ]
        )
    return markdown([header, *rows])


def differences(entries: Sequence[corpus.Entry]) -> dict[tuple[str, str], str]:
    """The pairs that survive here and not in the paper, or the other way round, each with what is said of it here.

    Pairs of the paper in which no word has a value count too; languages that the paper has not do not.
    """
    by_pair = {(entry["language"], entry["category"]): entry for entry in entries}
    pairs = {
        (language, category)
        for language in {entry["language"] for entry in entries}
        for category in dimensions()
        if (language, category) in by_pair or in_paper(language, category)
    }
    found = {}
    for language, category in sorted(pairs):
        entry = by_pair.get((language, category))
        survives = entry is not None and entry["probed"]
        if in_paper(language, category) not in (None, survives):
            reason = entry["reason"] if entry else "no word has a value"
            found[language, category] = "survives here, not in the paper" if survives else f"in the paper; {reason}"
    return found


def runs_table(treebanks: Sequence["Treebank"], found: Mapping[str, Mapping[str, "Comparison"]]) -> str:
    """In how many runs of each kind each pair survives, with the range of what its second best value has.

    Pairs that survive in no run and are not in the paper are left out.
    """
    header = ["language", "category", "in the paper", "our split: seeds", "our split: tag orders"]
    header += ["released split: file orders", "released split: file orders × tag orders"]
    rows = []
    for language in (treebank.language for treebank in treebanks):
        for category, comparison in found[language].items():
            kinds = (comparison.seeds, comparison.tag_orders, comparison.file_orders, comparison.released)
            paper = in_paper(language, category)
            if paper or any(runs.survived for runs in kinds):
                cells = [f"{runs.survived} of {len(runs.margins)} ({_range(runs.margins)})" for runs in kinds]
                rows.append([language, short_name(category), _YES_OR_NO[paper], *cells])
    return markdown([header, *rows])


def released_against_paper(found: Mapping[str, Mapping[str, "Comparison"]]) -> list[str]:
    """Which pairs of the paper survive in all, some and no runs of the released code's way, and which others do."""
    groups: dict[str, list[str]] = {
        f"{where} the paper, in {how} of the runs": []
        for where, how in (("in", "all"), ("in", "some"), ("in", "none"), ("not in", "all"), ("not in", "some"))
    }
    for language, comparisons in found.items():
        for category, comparison in comparisons.items():
            runs = comparison.released
            how = "some" if runs.varies else "all" if runs.survived else "none"
            where = "in" if in_paper(language, category) else "not in"
            pair = f"{language} {short_name(category)}"
            groups.setdefault(f"{where} the paper, in {how} of the runs", []).append(
                f"{pair} ({runs.survived} of {len(runs.margins)})" if runs.varies else pair
            )
    groups.pop("not in the paper, in none of the runs", None)
    return [f"{group}: {', '.join(pairs) or 'none'}" for group, pairs in groups.items()]


def explained(treebank: "Treebank", category: str, comparison: "Comparison | None") -> str:
    """What a difference from the paper can come from, by the runs in which the pair survives and does not."""
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
        if comparison.tie_break_decides:
            causes.append("the choice among tags decides")
    return ", ".join(causes) or "neither seed, nor order of files, nor choice among tags changes it"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first line its header."""
    header, *rows = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _treebank_folder(folder: Path, given: str) -> tuple[str, Path]:
    """The language and the folder of `mr` (UD_Marathi) or `mr=UD_Marathi-UFAL`."""
    code, _, name = given.partition("=")
    if code not in languages():
        raise BadInputError(f"--orders: unknown language code {code!r}")
    return code, folder / (name or f"UD_{languages()[code].name.replace(' ', '_')}")


def _print_runs(folder: Path, given: Sequence[str], minimum: int) -> None:
    from polyprobe.ops.survival_runs import SEEDS, compare, labels, read_treebank, split_ours
    from polyprobe.treebanks import attributes
    from polyprobe.treebanks.inventory import inventory

    treebanks, entries, found = [], [], {}
    for code, path in [_treebank_folder(folder, name) for name in given]:
        treebank = read_treebank(path, code)
        split_of = split_ours(treebank, seed=0)
        frame = labels(treebank, attributes).assign(split=[split_of[key] for key in treebank.split_keys()])
        entries += inventory(code, frame, minimum)
        treebanks.append(treebank)
        found[code] = compare(treebank, minimum)
    print(corpus_table(entries, minimum))
    print(f"\nTreebanks ({SEEDS} seeds, {SEEDS} orders of all tags, every order of the files):\n")
    for treebank in treebanks:
        print(
            f"- {treebank.language}: {', '.join(treebank.files)}; {len(treebank.lemma)} words, "
            f"{len(set(treebank.lemma))} lemmas, {treebank.without_lemma()} words without one"
        )
    print("\nRuns in which a pair survives (words that its second best value has in its smallest split):\n")
    print(runs_table(treebanks, found))
    print("\nRuns of the released split and choice among tags:\n")
    for line in released_against_paper(found):
        print(f"- {line}")
    by_language = {treebank.language: treebank for treebank in treebanks}
    _print_differences(
        {
            pair: f"{what}; {explained(by_language[pair[0]], pair[1], found[pair[0]].get(pair[1]))}"
            for pair, what in differences(entries).items()
        }
    )


def _print_differences(found: Mapping[tuple[str, str], str]) -> None:
    print(f"\nDifferences from the paper: {len(found) or 'none'}")
    if found:
        print()
    for (language, category), what in found.items():
        print(f"- {language} {short_name(category)}: {what}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m polyprobe.ops.survival", description=__doc__)
    parser.add_argument("corpus", nargs="?", type=Path, help=f"{corpus.PATH} by default, none with --orders")
    parser.add_argument(
        "--orders",
        nargs="+",
        metavar=("FOLDER", "LANGUAGE"),
        help="a folder of UD_* folders, and codes (mr: UD_Marathi), or CODE=UD_NAME",
    )
    parser.add_argument("--min-label-count", type=int, help="that of the study in force by default")
    options = parser.parse_args(arguments)
    try:
        minimum = options.min_label_count
        if minimum is None:
            minimum = load_study().words.min_label_count
        if options.corpus or not options.orders:
            entries = corpus.read(options.corpus or corpus.PATH)
            print(corpus_table(entries, minimum))
            _print_differences(differences(entries))
        if options.orders:
            folder, *codes = options.orders
            if not codes:
                raise BadInputError("--orders: expected a folder and at least one language")
            _print_runs(Path(folder), codes, minimum)
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
