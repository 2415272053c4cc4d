"""The report's tables: a caption, column heads and rows of text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from polyprobe.analysis.coverage import measured_coverage
from polyprobe.artefacts.correlation import Cell
from polyprobe.artefacts.dimensions import short_name
from polyprobe.artefacts.manifest import Manifest
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.figures import Tables, transfer_over_steps

MISSING = "–"
Column = Callable[[Any], str]
"""What a column says of a row."""
_NEURONS: Final = 3
"""Listed per category and layer."""


@dataclass(frozen=True)
class Listing:
    """One table as it is shown."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    """Texts; the first column names the row."""
    note: str = ""


def listing(caption: str, rows: Iterable[Any], columns: Mapping[str, Column], note: str = "") -> Listing:
    """Return a table of rows.

    Args:
        caption: of the table.
        rows: whatever its rows are about.
        columns: what each column says of a row, by the column's head.
        note: below the table.
    """
    return Listing(caption, [*columns], [[says(row) for says in columns.values()] for row in rows], note)


def text(key: str) -> Column:
    """Return the column of a value as it is."""
    return lambda row: str(row[key])


def upper(key: str) -> Column:
    """Return the column of a task's name."""
    return lambda row: str(row[key]).upper()


def rounded(key: str) -> Column:
    """Return the column of a number with three decimals, as `number` gives it."""
    return lambda row: number(row[key])


def counted(key: str) -> Column:
    """Return the column of a whole number with its thousands apart."""
    return lambda row: f"{row[key]:,}"


def checkpoint_listing(manifests: Sequence[Manifest]) -> Listing:
    """List the checkpoints and their place in training."""
    return listing(
        "Checkpoints",
        manifests,
        {
            "checkpoint": lambda found: found.checkpoint,
            "model": lambda found: found.model,
            "step": lambda found: f"{found.step:,}",
            "sub-words seen": lambda found: MISSING if found.tokens_seen is None else f"{found.tokens_seen:,}",
            "layers": lambda found: str(found.layers),
            "width": lambda found: str(found.width),
            "": lambda found: "dropped as a duplicate" if found.dropped else "converged" if found.converged else "",
        },
    )


def overlap_listings(tables: Tables) -> list[Listing]:
    """List, per model, the overlap of each category at each checkpoint, averaged over the study's layers."""
    studied = tables.means[tables.means["studied"]]
    listings = []
    for model, of_model in studied.groupby("model", sort=False):
        proper = of_model[of_model["control"] == "none"].assign(category=lambda rows: rows["category"].map(short_name))
        rates = proper.pivot_table(index="step", columns="category", values="overlap", sort=False)
        shuffled = of_model[of_model["control"] == "shuffled_labels"]
        across = tables.categories[tables.categories["model"] == model]
        rates["by chance"] = proper.groupby("step")["expected"].mean()
        rates["shuffled labels"] = shuffled.groupby("step")["overlap"].mean()
        rates["other category"] = across.groupby("step")["overlap"].mean()
        rates["noise ceiling"] = proper.groupby("step")["ceiling"].mean()
        caption = f"Overlap rate of {model}, averaged over pairs of languages and the study's layers"
        note = "Other category: what two different categories share within one language."
        listings.append(_by_step(caption, rates, note))
    return listings


def _by_step(caption: str, frame: pd.DataFrame, note: str) -> Listing:
    """List a frame of numbers and texts whose index is the training step."""
    rows = [
        [f"{step:,}", *(value if isinstance(value, str) else number(value) for value in values)]
        for step, *values in frame.sort_index().itertuples(name=None)
    ]
    return Listing(caption, ["step", *map(str, frame.columns)], rows, note)


def selection_listings(tables: Tables) -> list[Listing]:
    """List what the layer scan says of layers and of categories (section 3.1), per model.

    Returns:
        Two listings per model, one of layers and one of categories; none of a model without a scan.
    """
    proper = tables.layers[tables.layers["control"] == "none"]
    scores: dict[str, Column] = {
        "corrected overlap": rounded("corrected"),
        "significant pairs": lambda row: f"{row['significant']:.0%}",
    }
    in_study: dict[str, Column] = {"in the study": lambda row: "yes" if row["studied"] else ""}
    listings = []
    for model, scan in proper.groupby("model", sort=False):
        if scan["studied"].astype(bool).all() or scan["layer"].nunique() < 2:
            continue
        # So many languages have the category: each two of them are a pair.
        scan = scan.assign(languages=(1 + (1 + 8 * scan["pairs"]) ** 0.5) / 2)
        by_layer, by_category = (
            scan.groupby(key, sort=False, as_index=False)
            .agg(
                depth=("depth", "first"),
                corrected=("corrected", "mean"),
                significant=("significant", "mean"),
                languages=("languages", "first"),
                cells=("corrected", "size"),
                studied=("studied", "max"),
            )
            .sort_values(order, ascending=False, kind="stable")
            .to_dict("records")
            for key, order in (("layer", ["corrected"]), ("category", ["languages", "corrected"]))
        )
        checkpoint = scan["checkpoint"].iloc[0]
        of_layers = {"layer": text("layer"), "relative depth": rounded("depth"), **scores, "categories": text("cells")}
        of_categories: dict[str, Column] = {
            "category": lambda row: short_name(row["category"]),
            "languages": lambda row: f"{row['languages']:.0f}",
            **scores,
        }
        listings += [
            listing(
                f"Layers of {model}, {checkpoint}, by corrected overlap",
                by_layer,
                of_layers | in_study,
                "Means over the categories probed; the study averages over the layers marked.",
            ),
            listing(
                f"Categories of {model}, {checkpoint}, by languages that have them",
                by_category,
                of_categories | in_study,
                "Means over the layers scanned. A category that few languages have gives a mean over few pairs, and "
                "other ones than its neighbour's: coverage comes first, corrected overlap second.",
            ),
        ]
    return listings


def neuron_listing(table: pd.DataFrame) -> Listing:
    """List the neurons that most languages share at each model's last checkpoint.

    Args:
        table: `plots/overlap/neurons.csv`.
    """
    last = table.groupby("model", sort=False)["checkpoint"].transform("last")
    of_last = table[table["checkpoint"] == last].sort_values(
        ["found_in", "expected"], ascending=[False, True], kind="stable"
    )
    top = of_last.groupby(["model", "category", "layer"], sort=False).head(_NEURONS)
    top = top.sort_values(["model", "category", "layer"], kind="stable")
    return listing(
        "Neurons that most languages share, last checkpoint",
        top.to_dict("records"),
        {
            "model": text("model"),
            "category": lambda row: short_name(row["category"]),
            "layer": text("layer"),
            "neuron": text("neuron"),
            "found in": text("found_in"),
            "of": text("probed_in"),
            "such neurons by chance": rounded("expected"),
            "languages": text("languages"),
        },
        f"The {_NEURONS} of each category and layer that are among the k neurons of most languages' probes, if three "
        "or more share any. By chance: how many neurons of the layer would be found in as many languages if each "
        "language's k were drawn at random.",
    )


def transfer_listings(tables: Tables) -> list[Listing]:
    """List, per model and task, the score of each language at each checkpoint, beside the baseline."""
    listings = []
    source = tables.source_language
    for (model, task), group in transfer_over_steps.data(tables).groupby(["model", "task"], sort=False):
        codes = [code for code in tables.languages if code in set(group["language"])]
        codes.sort(key=lambda code: code != source)
        scores = group.pivot_table(index="step", columns="language", values="score", sort=False)[codes]
        scores = scores.rename(columns={source: f"{source} (source)"})
        of_targets = group[group["language"] != source].groupby("step")
        mean, error = (of_targets[column].mean().map(number) for column in ("score", "standard_error"))
        scores["mean of targets"] = mean + " ± " + error
        scores["baseline"] = of_targets["baseline"].mean()
        caption = f"{str(task).upper()} of {model} ({MAIN_METRIC[str(task)]})"
        note = (
            "Baseline: the better of the majority class and the untrained head, averaged over target languages; "
            "± one standard error."
        )
        listings.append(_by_step(caption, scores, note))
    return listings


def correlation_listing(cells: Sequence[Cell], *, total: bool) -> Listing:
    """List the rows of Table 1: the totals, or those per category and layer beside them.

    Args:
        cells: `metrics/correlation.json`.
        total: whether to list the totals rather than the rows beside them.
    """
    shown = [cell for cell in cells if (cell["category"] is None) == total]
    parts = {"category": lambda cell: short_name(cell["category"]), "layer": text("layer")}
    return listing(
        "Correlation of overlap and transfer" + ("" if total else ", per category and layer"),
        shown,
        {
            "model": text("model"),
            "task": upper("task"),
            "points": text("aggregation"),
            **({} if total else parts),
            "n": text("n"),
            "r": rounded("r"),
            "p": lambda cell: p_value(cell["p"]),
            "95% interval": lambda cell: interval(cell["interval"]),
            "Spearman's ρ": rounded("spearman"),
            "permutation p": _permutation,
            "within language": rounded("within_language"),
            "within checkpoint": rounded("within_checkpoint"),
            "mixed model's slope": _slope,
            "": lambda cell: cell["note"] or ("with the converged model" if cell["converged_included"] else ""),
        },
        "p takes the points for independent, as the paper does; the interval resamples whole checkpoints, and the "
        "permutation p permutes whole checkpoints (in brackets the smallest p that so few can give). The mixed model "
        "has an intercept for each language; its slope is score per unit of overlap. " + _coverage(shown),
    )


def _permutation(cell: Cell) -> str:
    if cell["permutation_p"] is None:
        return MISSING
    return f"{p_value(cell['permutation_p'])} (least {p_value(cell['smallest_p'])})"


def _slope(cell: Cell) -> str:
    ends = cell["mixed_interval"]
    return number(cell["mixed_slope"]) + (f" ({interval(ends)})" if ends else "")


def _coverage(cells: Sequence[Cell]) -> str:
    """Say how often intervals over so few checkpoints hold the truth in simulated studies; nothing where unknown."""
    found = {
        (count, aggregation): share
        for count, aggregation in sorted(
            {(cell["checkpoints"], cell["aggregation"]) for cell in cells if cell["interval"]}
        )
        if (share := measured_coverage(count, aggregation)) is not None
    }
    if not found:
        return ""
    shares = ", ".join(f"{share:.0%} at {count} checkpoints ({name})" for (count, name), share in found.items())
    return f"Called 95%, the interval held the truth less often in simulated studies: {shares}."


def predictor_listing(table: pd.DataFrame) -> Listing:
    """List what else predicts transfer, and what overlap adds to it.

    Args:
        table: `plots/predictors.csv`.
    """
    return listing(
        "Other predictors of transfer on the same points, and overlap given them",
        table.to_dict("records"),
        {
            "model": text("model"),
            "task": upper("task"),
            "points": text("aggregation"),
            "predictor": lambda row: row["predictor"].replace("_", " "),
            "n": text("n"),
            "r": rounded("r"),
            "r given overlap": lambda row: MISSING if row["predictor"] == "overlap" else number(row["partial"]),
            "overlap's r given it": rounded("overlap_partial"),
            "95% interval": lambda row: interval(None if pd.isna(row["low"]) else (row["low"], row["high"])),
        },
        "Similarity: of parallel sentences, above that of mismatched ones. In overlap's own row all other predictors "
        "are held fixed at once. An interval that holds 0 says that overlap adds nothing that is seen here; it "
        "draws checkpoints again, for pairwise points languages too; with few of them there is none.",
    )


def drop_listing(table: pd.DataFrame) -> Listing:
    """List the checkpoints at which overlap or transfer falls by more than the noise (section 4.2).

    Args:
        table: `plots/drops.csv`.
    """
    return listing(
        "Falls by more than the noise",
        table[table["drop"].astype(bool)].to_dict("records"),
        {
            "model": text("model"),
            "what": lambda row: "overlap" if row["series"] == "overlap" else row["series"].upper(),
            "checkpoint": text("checkpoint"),
            "step": counted("step"),
            "from": lambda row: number(row["value"] - row["change"]),
            "to": rounded("value"),
            "change": rounded("change"),
            "± (one standard error)": rounded("noise"),
        },
        "Each checkpoint against the one before it: means over pairs of languages, or over target languages, that fall "
        "by more than two standard errors of the change.",
    )


def corpus_listing(entries: Sequence[dict[str, Any]]) -> Listing:
    """List which categories survive in which language, and why not (Appendix A.2).

    Args:
        entries: `metrics/corpus.json`.
    """
    languages, categories = (list(dict.fromkeys(entry[key] for entry in entries)) for key in ("language", "category"))
    found = {(entry["language"], entry["category"]): entry for entry in entries}
    shown = [
        category
        for category in categories
        if any(found[code, category]["probed"] for code in languages if (code, category) in found)
    ]
    reasons = sorted({entry["reason"] for entry in entries if entry["category"] in shown and entry["reason"]})
    return Listing(
        "Words per language and category (train / dev / test)",
        ["language", *map(short_name, shown)],
        [[code, *(_word_counts(found.get((code, category))) for category in shown)] for code in languages],
        f"{MISSING}: not probed"
        + (f" ({'; '.join(reasons[:3])}{'; …' if len(reasons) > 3 else ''})." if reasons else "."),
    )


def _word_counts(entry: dict[str, Any] | None) -> str:
    if entry is None or not entry["probed"]:
        return MISSING
    words = entry["words"]
    return f"{words['train']:,} / {words['dev']:,} / {words['test']:,}"


def number(value: float | None) -> str:
    """Return a number with three decimals, or a dash for what is not there."""
    return MISSING if value is None or pd.isna(value) else f"{value:z.3f}"


def interval(ends: Sequence[float] | None) -> str:
    """Return both ends of an interval, or a dash where there is none."""
    return MISSING if ends is None else " to ".join(map(number, ends))


def p_value(value: float | None) -> str:
    """Return p with three decimals, below 0.001 in scientific notation as in the paper; a dash where there is none."""
    if value is None or pd.isna(value):
        return MISSING
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
