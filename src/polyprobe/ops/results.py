"""A page of a finished study's results: `python -m polyprobe.ops.results PAGE.md`.

Writes the page, and beside it `results/STUDY/` with what it shows: the study's metrics, plot tables, figures and report
(numbers only, no text of a treebank), and the dvc.lock that names what these were made of. A file `notes.md` in that
folder is kept and ends the page.
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyprobe.choices.categories import study_categories
from polyprobe.choices.sizes import largest_size, set_sizes
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file, new_folder
from polyprobe.study import Study, load_study

if TYPE_CHECKING:
    import pandas as pd

_FIGURES: Final = Path("data/report/figures")
_REPORT: Final = Path("data/report/index.html")
_LOCK: Final = Path("dvc.lock")
_REPORT_COPY: Final = "report.html"
_NOTES: Final = "notes.md"
_INTRODUCTIONS: Final = {
    "Overlap per step and category": "Chance-corrected overlap of neurons, mean over language pairs and the study's "
    "layers (0: chance, 1: equal sets). `null`: the same for probes trained on shuffled labels; `ceiling`: raw overlap "
    "of two seeds of one language; `chance`: raw overlap of random sets.",
    "Pairs that share most": "The ten highest overlaps of two languages at the last checkpoint, at the study's layers "
    "and categories, averaged over pairs of seeds; p: exact hypergeometric, of the first seed's probes, "
    "adjusted over the pairs of its heat map.",
    "XNLI": "Accuracy per language and step, zero-shot but for the source language. `interval`: of the bootstrap over "
    "test examples, 95 %, at the last step; `majority`: the most frequent label; `untrained`: the last checkpoint with "
    "its head as initialised.",
    "POS": "F1 per language and step, zero-shot but for the source language; columns as for XNLI.",
    "Correlation of overlap and transfer": "Table 1 of the paper. n: points; p: Pearson's, which takes the points as "
    "independent; permutation p: checkpoints permuted, for all languages at once, with the smallest that can be had; "
    "interval: bootstrap over checkpoints.",
}


def write_results(page: Path, study: Study) -> None:
    """Writes the page and its folder for the study in the current folder.

    Raises:
        BadInputError: the study has not been run to its end.
    """
    for needed in (_FIGURES, _LOCK):
        if not needed.exists():
            raise BadInputError(f"{needed}: not there; run `dvc repro` first")
    notes = page.parent / _folder(study) / _NOTES
    said = notes.read_text(encoding="utf-8") if notes.exists() else ""
    text = "\n".join([_page(study, page), said] if said else [_page(study, page)])
    with new_folder(page.parent / _folder(study)) as folder:
        if said:
            (folder / _NOTES).write_text(said, encoding="utf-8")
        for kept in ("metrics", "plots"):
            shutil.copytree(kept, folder / kept, ignore=shutil.ignore_patterns(".gitignore", "subwords", "watched"))
        (folder / "figures").mkdir()
        for figure in sorted(_FIGURES.glob("*.svg")):
            shutil.copy(figure, folder / "figures")
        shutil.copy(_REPORT, folder / _REPORT_COPY)
        shutil.copy(_LOCK, folder)
    with new_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _page(study: Study, page: Path) -> str:
    parts = [f"# Results of the study `{study.study}`", _head(study, page)]
    models = list(dict.fromkeys(entry.model for entry in study.checkpoints.values()))
    tables: dict[str, Callable[[Study, str], pd.DataFrame]] = {
        "Overlap per step and category": _overlap,
        "Pairs that share most": _closest,
        "XNLI": partial(_transfer, task="xnli"),
        "POS": partial(_transfer, task="pos"),
    }
    for title, table in tables.items():
        parts += [f"## {title}", _INTRODUCTIONS[title]]
        for model in models:
            rows = table(study, model)
            parts += [f"### {model}"] * (len(models) > 1)
            parts.append(markdown(rows) if len(rows) else "Nothing was measured.")
    title = "Correlation of overlap and transfer"
    parts += [f"## {title}", _INTRODUCTIONS[title], markdown(_correlation(study))]
    parts.append("## Figures")
    for figure in sorted(_FIGURES.glob("*.svg")):
        path = _folder(study) / "figures" / figure.name
        parts.append(f"![{figure.stem.replace('_', ' ').capitalize()}]({path.as_posix()})")
    return "\n\n".join(parts) + "\n"


def _folder(study: Study) -> Path:
    """Where the tables and figures lie, beside the page."""
    return Path("results") / study.study


def _head(study: Study, page: Path) -> str:
    from polyprobe.artefacts import corpus

    probed = [entry for entry in corpus.read() if entry["probed"]]
    words = f"{study.extract.max_words.train:,} / {study.extract.max_words.dev:,} / {study.extract.max_words.test:,}" \
        if study.extract.max_words else "all"  # fmt: skip
    by_category: dict[str, list[str]] = {}
    for entry in probed:
        by_category.setdefault(entry["category"], []).append(entry["language"])
    offered = "; ".join(f"{category}: {' '.join(codes)}" for category, codes in sorted(by_category.items()))
    others = f" (means for every k of {set_sizes(study)}: plots/overlap/sizes.csv)" if len(set_sizes(study)) > 1 else ""
    return (
        f"Made by `python -m polyprobe.ops.study use {study.study} && dvc repro && "
        f"python -m polyprobe.ops.results {page}`; the tables behind it are in "
        f"[{_folder(study)}/]({_folder(study)}/), among them the study's report, one page to look at in a browser: "
        f"[{_REPORT_COPY}]({_folder(study)}/{_REPORT_COPY}).\n\n"
        f"Languages: {' '.join(study.languages)} (source: {study.source_language}). k = {largest_size(study)}{others}; "
        f"probes per language, category and layer: {study.probe.seeds}; words per language at most (train / dev / "
        f"test): {words}.\n\n"
        f"Languages whose treebanks allow a category to be probed: {offered}."
    )


def _overlap(study: Study, model: str) -> "pd.DataFrame":
    import pandas as pd

    from polyprobe.artefacts import overlap

    means = overlap.read_means()
    means = means[means["studied"] & (means["model"] == model)]
    proper, null = (means[means["control"] == control] for control in ("none", "shuffled_labels"))
    table = proper.pivot_table(index="step", columns="category", values="corrected", observed=True)
    table = table[[name for name in study_categories(study) if name in table]]
    steps = proper.groupby("step")
    table["mean"] = steps["corrected"].mean()
    table["null"] = null.groupby("step")["corrected"].mean() if len(null) else pd.Series(dtype=float)
    table["raw"] = steps["overlap"].mean()
    table["chance"] = steps["expected"].mean()
    table["ceiling"] = steps["ceiling"].mean()
    return table.reset_index()


def _closest(study: Study, model: str) -> "pd.DataFrame":
    import pandas as pd

    from polyprobe.artefacts import overlap

    pairs = overlap.read_pairs()
    pairs = pairs[pairs["studied"] & (pairs["control"] == "none") & (pairs["model"] == model)]
    pairs = pairs[pairs["language_a"] != pairs["language_b"]]
    last = pairs[pairs["checkpoint"] == _last_checkpoint(study, pairs)]
    # Ties in the order of the table, whatever sorts them.
    top = last.sort_values("corrected", ascending=False, kind="stable").head(10)
    columns = ["language_a", "language_b", "category", "layer", "overlap", "corrected", "p_adjusted"]
    shown: pd.DataFrame = top[columns].rename(columns={"p_adjusted": "p"})
    return shown


def _last_checkpoint(study: Study, table: "pd.DataFrame") -> str | None:
    """The last of one model's checkpoints in a table; None for an empty one."""

    def order(name: str) -> tuple[bool, int]:
        return study.checkpoint(name).converged, study.checkpoint(name).step

    return max(dict.fromkeys(table["checkpoint"]), key=order, default=None)


def _transfer(study: Study, model: str, *, task: str) -> "pd.DataFrame":
    from polyprobe.artefacts import scores

    table = scores.read_plot()
    table = table[(table["task"] == task) & (table["metric"] == scores.MAIN_METRIC[task]) & (table["model"] == model)]
    shown = table.pivot_table(index="language", columns="step", values="score", observed=True)
    last = table[table["checkpoint"] == _last_checkpoint(study, table)].set_index("language")
    ends = last.loc[shown.index]
    shown["interval"] = [interval(low, high) for low, high in zip(ends["low"], ends["high"], strict=True)]
    shown[["majority", "untrained"]] = last[["majority", "untrained"]]
    order = [code for code in study.languages if code in shown.index]
    return shown.loc[order].reset_index()


def _correlation(study: Study) -> "pd.DataFrame":
    import pandas as pd

    from polyprobe.artefacts import correlation

    rows = []
    for cell in correlation.read():
        if cell["category"] is None and cell["layer"] is None:
            interval = cell["interval"]
            rows.append(
                {name: cell[name] for name in ("model", "task", "aggregation", "n", "r", "p", "spearman")}
                | {
                    "interval": f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else None,
                    "permutation p": cell["permutation_p"],
                    "smallest p": cell["smallest_p"],
                    "note": cell["note"],
                }
            )
    return pd.DataFrame(rows)


def interval(low: float, high: float) -> str:
    """Both ends, as text."""
    return f"{low:.3f} to {high:.3f}"


def markdown(table: "pd.DataFrame") -> str:
    """A Markdown table; numbers to three decimals, a dash for what is missing."""

    def text(value: object) -> str:
        if value is None or value != value:
            return "–"
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [[str(name) for name in table.columns], ["---"] * len(table.columns)]
    lines += [[text(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m polyprobe.ops.results", description=__doc__)
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    try:
        write_results(parser.parse_args().page, load_study())
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
