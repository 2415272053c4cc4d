"""A page of a finished study's results: `python benchmarks/documents/results.py PAGE.md`.

Writes the page, and beside it `results/STUDY/` with what it shows: the study's metrics, plot tables, figures and report
(numbers only, no text of a treebank), and the dvc.lock that names what these were made of. A file `notes.md` in that
folder is kept and ends the page.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from polyprobe.artefacts import corpus, correlation, overlap, scores
from polyprobe.choices.categories import study_categories
from polyprobe.choices.sizes import largest_size, set_sizes
from polyprobe.ops.markdown import markdown_table
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file, new_folder
from polyprobe.study import Study, load_study

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
    """Write the page and its folder for the study in the current folder.

    Args:
        page: the Markdown file.
        study: the study in force.

    Raises:
        BadInputError: the study has not been run to its end.
    """
    for path in (_FIGURES, _LOCK):
        if not path.exists():
            raise BadInputError(f"{path}: not there; run `dvc repro` first")
    notes_file = page.parent / _folder(study) / _NOTES
    notes = notes_file.read_text(encoding="utf-8") if notes_file.exists() else ""
    text = _text(study, page)
    with new_folder(page.parent / _folder(study)) as folder:
        if notes:
            (folder / _NOTES).write_text(notes, encoding="utf-8")
            text += f"\n{notes}"
        for name in ("metrics", "plots"):
            shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns(".gitignore", "subwords", "watched"))
        (folder / "figures").mkdir()
        for figure in sorted(_FIGURES.glob("*.svg")):
            shutil.copy(figure, folder / "figures")
        shutil.copy(_REPORT, folder / _REPORT_COPY)
        shutil.copy(_LOCK, folder)
    with new_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _text(study: Study, page: Path) -> str:
    """Return the page without its notes."""
    parts = [f"# Results of the study `{study.study}`", *_introduction(study, page)]
    models = list(dict.fromkeys(checkpoint.model for checkpoint in study.checkpoints.values()))
    tables = {
        "Overlap per step and category": [_overlap(study, model) for model in models],
        "Pairs that share most": [_pairs_that_share_most(study, model) for model in models],
        "XNLI": [_transfer(study, model, "xnli") for model in models],
        "POS": [_transfer(study, model, "pos") for model in models],
    }
    for title, of_models in tables.items():
        parts += [f"## {title}", _INTRODUCTIONS[title]]
        for model, table in zip(models, of_models, strict=True):
            parts += [f"### {model}"] * (len(models) > 1)
            parts.append(_markdown(table) if len(table) else "Nothing was measured.")
    title = "Correlation of overlap and transfer"
    parts += [f"## {title}", _INTRODUCTIONS[title], _markdown(_correlation()), "## Figures"]
    for figure in sorted(_FIGURES.glob("*.svg")):
        path = _folder(study) / "figures" / figure.name
        parts.append(f"![{figure.stem.replace('_', ' ').capitalize()}]({path.as_posix()})")
    return "\n\n".join(parts) + "\n"


def _markdown(table: pd.DataFrame) -> str:
    return markdown_table(table.columns, table.itertuples(index=False))


def _folder(study: Study) -> Path:
    """Return where the tables and figures lie, beside the page."""
    return Path("results") / study.study


def _introduction(study: Study, page: Path) -> list[str]:
    """Return the first paragraphs: how the page is made, and what the study is of."""
    folder = _folder(study)
    others = f" (means for every k of {set_sizes(study)}: plots/overlap/sizes.csv)" if len(set_sizes(study)) > 1 else ""
    return [
        f"Made by `polyprobe study use {study.study} && dvc repro && python benchmarks/documents/results.py {page}`; "
        f"the tables behind it are in [{folder}/]({folder}/), among them the study's report, one page to look at in a "
        f"browser: [{_REPORT_COPY}]({folder}/{_REPORT_COPY}).",
        f"Languages: {' '.join(study.languages)} (source: {study.source_language}). k = {largest_size(study)}{others}; "
        f"probes per language, category and layer: {study.probe.seeds}; words per language at most (train / dev / "
        f"test): {_most_words(study)}.",
        f"Languages whose treebanks allow a category to be probed: {_probed_languages()}.",
    ]


def _most_words(study: Study) -> str:
    caps = study.extract.max_words
    return f"{caps.train:,} / {caps.dev:,} / {caps.test:,}" if caps else "all"


def _probed_languages() -> str:
    by_category: dict[str, list[str]] = {}
    for entry in corpus.TABLE.read():
        if entry["probed"]:
            by_category.setdefault(entry["category"], []).append(entry["language"])
    return "; ".join(f"{category}: {' '.join(codes)}" for category, codes in sorted(by_category.items()))


def _overlap(study: Study, model: str) -> pd.DataFrame:
    means = overlap.MEANS.read()
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


def _pairs_that_share_most(study: Study, model: str) -> pd.DataFrame:
    pairs = overlap.PAIRS.read()
    pairs = pairs[pairs["studied"] & (pairs["control"] == "none") & (pairs["model"] == model)]
    pairs = pairs[pairs["language_a"] != pairs["language_b"]]
    last = pairs[pairs["checkpoint"] == _last_checkpoint(study, pairs)]
    # Ties in the order of the table, whatever sorts them.
    top = last.sort_values("corrected", ascending=False, kind="stable").head(10)
    columns = ["language_a", "language_b", "category", "layer", "overlap", "corrected", "p_adjusted"]
    return top[columns].rename(columns={"p_adjusted": "p"})


def _last_checkpoint(study: Study, table: pd.DataFrame) -> str | None:
    """Return the last of one model's checkpoints in a table; None for an empty one."""

    def order(name: str) -> tuple[bool, int]:
        return study.checkpoint(name).converged, study.checkpoint(name).step

    return max(dict.fromkeys(table["checkpoint"]), key=order, default=None)


def _transfer(study: Study, model: str, task: str) -> pd.DataFrame:
    table = scores.PLOT.read()
    table = table[(table["task"] == task) & (table["metric"] == scores.MAIN_METRIC[task]) & (table["model"] == model)]
    shown = table.pivot_table(index="language", columns="step", values="score", observed=True)
    last = table[table["checkpoint"] == _last_checkpoint(study, table)].set_index("language")
    ends = last.loc[shown.index]
    shown["interval"] = [f"{low:.3f} to {high:.3f}" for low, high in zip(ends["low"], ends["high"], strict=True)]
    shown[["majority", "untrained"]] = last[["majority", "untrained"]]
    order = [code for code in study.languages if code in shown.index]
    return shown.loc[order].reset_index()


def _correlation() -> pd.DataFrame:
    rows = []
    for cell in correlation.TABLE.read():
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page.

    Raises:
        SystemExit: the study has not been run to its end, or its parameters are wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    try:
        write_results(parser.parse_args(arguments).page, load_study())
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
