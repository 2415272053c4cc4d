"""The report's tables: a caption, column heads and rows of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from polyprobe.analysis.coverage import measured_coverage
from polyprobe.artefacts.correlation import Cell
from polyprobe.artefacts.dimensions import short_name
from polyprobe.artefacts.manifest import Manifest
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.figures import Tables

MISSING = "–"
_NEURONS: Final = 3
"""Listed per category and layer."""
_USED: Final = {True: "yes", False: ""}


@dataclass(frozen=True)
class Listing:
    """One table as it is shown."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    """Texts; the first column names the row."""
    note: str = ""


def checkpoint_listing(manifests: Sequence[Manifest]) -> Listing:
    """List the checkpoints and their place in training."""
    return Listing(
        "Checkpoints",
        ["checkpoint", "model", "step", "sub-words seen", "layers", "width", ""],
        [
            [
                found.checkpoint,
                found.model,
                f"{found.step:,}",
                MISSING if found.tokens_seen is None else f"{found.tokens_seen:,}",
                str(found.layers),
                str(found.width),
                "dropped as a duplicate" if found.dropped else "converged" if found.converged else "",
            ]
            for found in manifests
        ],
    )


def overlap_listings(tables: Tables) -> list[Listing]:
    """List, per model, the overlap of each category at each checkpoint, averaged over the study's layers."""
    studied = tables.means[tables.means["studied"]]
    listings = []
    for model, of_model in studied.groupby("model", sort=False):
        proper = of_model[of_model["control"] == "none"].assign(category=lambda rows: rows["category"].map(short_name))
        rates = proper.pivot_table(index="step", columns="category", values="overlap", sort=False)
        shuffled = of_model[of_model["control"] == "shuffled_labels"].groupby("step")["overlap"].mean()
        ceiling = proper.groupby("step")["ceiling"].mean()
        chance = proper.groupby("step")["expected"].mean()
        across = tables.categories[tables.categories["model"] == model].groupby("step")["overlap"].mean()
        listings.append(
            Listing(
                f"Overlap rate of {model}, averaged over pairs of languages and the study's layers",
                ["step", *map(str, rates.columns), "by chance", "shuffled labels", "other category", "noise ceiling"],
                [
                    [
                        f"{step:,}",
                        *map(number, rates.loc[step]),
                        number(chance.get(step)),
                        number(shuffled.get(step)),
                        number(across.get(step)),
                        number(ceiling.get(step)),
                    ]
                    for step in sorted(rates.index)
                ],
                "Other category: what two different categories share within one language.",
            )
        )
    return listings


def selection_listings(tables: Tables) -> list[Listing]:
    """List what the layer scan says of layers and of categories (section 3.1), per model.

    Returns:
        Two listings per model, one of layers and one of categories; none of a model without a scan.
    """
    proper = tables.layers[tables.layers["control"] == "none"]
    listings = []
    for model, scan in proper.groupby("model", sort=False):
        if scan["studied"].astype(bool).all() or scan["layer"].nunique() < 2:
            continue
        # So many languages have the category: each two of them are a pair.
        scan = scan.assign(languages=(1 + (1 + 8 * scan["pairs"]) ** 0.5) / 2)
        by_layer, by_category = (
            scan.groupby(key, sort=False)
            .agg(
                depth=("depth", "first"),
                corrected=("corrected", "mean"),
                significant=("significant", "mean"),
                languages=("languages", "first"),
                cells=("corrected", "size"),
                studied=("studied", "max"),
            )
            .sort_values(order, ascending=False, kind="stable")
            for key, order in (("layer", ["corrected"]), ("category", ["languages", "corrected"]))
        )
        checkpoint = scan["checkpoint"].iloc[0]
        listings += [
            Listing(
                f"Layers of {model}, {checkpoint}, by corrected overlap",
                ["layer", "relative depth", "corrected overlap", "significant pairs", "categories", "in the study"],
                [
                    [
                        str(layer),
                        number(row["depth"]),
                        number(row["corrected"]),
                        f"{row['significant']:.0%}",
                        str(row["cells"]),
                        _USED[bool(row["studied"])],
                    ]
                    for layer, row in by_layer.iterrows()
                ],
                "Means over the categories probed; the study averages over the layers marked.",
            ),
            Listing(
                f"Categories of {model}, {checkpoint}, by languages that have them",
                ["category", "languages", "corrected overlap", "significant pairs", "in the study"],
                [
                    [
                        short_name(str(category)),
                        f"{row['languages']:.0f}",
                        number(row["corrected"]),
                        f"{row['significant']:.0%}",
                        _USED[bool(row["studied"])],
                    ]
                    for category, row in by_category.iterrows()
                ],
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
    return Listing(
        "Neurons that most languages share, last checkpoint",
        ["model", "category", "layer", "neuron", "found in", "of", "such neurons by chance", "languages"],
        [
            [
                str(row["model"]),
                short_name(str(row["category"])),
                str(row["layer"]),
                str(row["neuron"]),
                str(row["found_in"]),
                str(row["probed_in"]),
                number(row["expected"]),
                str(row["languages"]),
            ]
            for row in top.to_dict("records")
        ],
        f"The {_NEURONS} of each category and layer that are among the k neurons of most languages' probes, if three "
        "or more share any. By chance: how many neurons of the layer would be found in as many languages if each "
        "language's k were drawn at random.",
    )


def transfer_listings(tables: Tables) -> list[Listing]:
    """List, per model and task, the score of each language at each checkpoint, beside the baseline."""
    rows = tables.transfer[tables.transfer["metric"] == tables.transfer["task"].map(MAIN_METRIC)]
    rows = rows.assign(baseline=rows[["majority", "untrained"]].max(axis=1))
    listings = []
    for (model, task), group in rows.groupby(["model", "task"], sort=False):
        codes = [code for code in tables.languages if code in set(group["language"])]
        codes.sort(key=lambda code: code != tables.source_language)
        scores = group.pivot_table(index="step", columns="language", values="score", sort=False)
        targets = group[group["language"] != tables.source_language]
        mean, error, baseline = (
            targets.groupby("step")[column].mean() for column in ("score", "standard_error", "baseline")
        )
        listings.append(
            Listing(
                f"{str(task).upper()} of {model} ({MAIN_METRIC[str(task)]})",
                [
                    "step",
                    *(f"{code} (source)" if code == tables.source_language else code for code in codes),
                    "mean of targets",
                    "baseline",
                ],
                [
                    [
                        f"{step:,}",
                        *(number(scores.loc[step].get(code)) for code in codes),
                        f"{number(mean[step])} ± {number(error[step])}",
                        number(baseline[step]),
                    ]
                    for step in sorted(scores.index)
                ],
                "Baseline: the better of the majority class and the untrained head, averaged over target languages; "
                "± one standard error.",
            )
        )
    return listings


def correlation_listing(cells: Sequence[Cell], *, total: bool) -> Listing:
    """List the rows of Table 1: the totals, or those per category and layer beside them.

    Args:
        cells: `metrics/correlation.json`.
        total: whether to list the totals rather than the rows beside them.
    """
    shown = [cell for cell in cells if (cell["category"] is None) == total]
    part_heads = [] if total else ["category", "layer"]
    return Listing(
        "Correlation of overlap and transfer" + ("" if total else ", per category and layer"),
        [
            "model",
            "task",
            "points",
            *part_heads,
            "n",
            "r",
            "p",
            "95% interval",
            "Spearman's ρ",
            "permutation p",
            "within language",
            "within checkpoint",
            "mixed model's slope",
            "",
        ],
        [
            [
                str(cell["model"]),
                str(cell["task"]).upper(),
                str(cell["aggregation"]),
                *([] if total else [short_name(cell["category"]), str(cell["layer"])]),
                str(cell["n"]),
                number(cell["r"]),
                p_value(cell["p"]),
                MISSING if cell["interval"] is None else " to ".join(map(number, cell["interval"])),
                number(cell["spearman"]),
                MISSING
                if cell["permutation_p"] is None
                else f"{p_value(cell['permutation_p'])} (least {p_value(cell['smallest_p'])})",
                number(cell["within_language"]),
                number(cell["within_checkpoint"]),
                MISSING if cell["mixed_slope"] is None else _slope(cell),
                cell["note"] or ("with the converged model" if cell["converged_included"] else ""),
            ]
            for cell in shown
        ],
        "p takes the points for independent, as the paper does; the interval resamples whole checkpoints, and the "
        "permutation p permutes whole checkpoints (in brackets the smallest p that so few can give). The mixed model "
        "has an intercept for each language; its slope is score per unit of overlap. " + _coverage(shown),
    )


def _slope(cell: Cell) -> str:
    interval = cell["mixed_interval"]
    return number(cell["mixed_slope"]) + (f" ({number(interval[0])} to {number(interval[1])})" if interval else "")


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
    told = ", ".join(f"{share:.0%} at {count} checkpoints ({name})" for (count, name), share in found.items())
    return f"Called 95%, the interval held the truth less often in simulated studies: {told}."


def predictor_listing(table: pd.DataFrame) -> Listing:
    """List what else predicts transfer, and what overlap adds to it.

    Args:
        table: `plots/predictors.csv`.
    """
    return Listing(
        "Other predictors of transfer on the same points, and overlap given them",
        ["model", "task", "points", "predictor", "n", "r", "r given overlap", "overlap's r given it", "95% interval"],
        [
            [
                str(row["model"]),
                str(row["task"]).upper(),
                str(row["aggregation"]),
                str(row["predictor"]).replace("_", " "),
                str(row["n"]),
                number(row["r"]),
                MISSING if row["predictor"] == "overlap" else number(row["partial"]),
                number(row["overlap_partial"]),
                MISSING if pd.isna(row["low"]) else f"{number(row['low'])} to {number(row['high'])}",
            ]
            for row in table.to_dict("records")
        ],
        "Similarity: of parallel sentences, above that of mismatched ones. In overlap's own row all other predictors "
        "are held fixed at once. An interval that holds 0 says that overlap adds nothing that is seen here; it "
        "draws checkpoints again, for pairwise points languages too; with few of them there is none.",
    )


def drop_listing(table: pd.DataFrame) -> Listing:
    """List the checkpoints at which overlap or transfer falls by more than the noise (section 4.2).

    Args:
        table: `plots/drops.csv`.
    """
    falls = table[table["drop"].astype(bool)]
    return Listing(
        "Falls by more than the noise",
        ["model", "what", "checkpoint", "step", "from", "to", "change", "± (one standard error)"],
        [
            [
                str(row["model"]),
                "overlap" if row["series"] == "overlap" else str(row["series"]).upper(),
                str(row["checkpoint"]),
                f"{row['step']:,}",
                number(row["value"] - row["change"]),
                number(row["value"]),
                number(row["change"]),
                number(row["noise"]),
            ]
            for row in falls.to_dict("records")
        ],
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
        [[code, *(_survival(found.get((code, category))) for category in shown)] for code in languages],
        f"{MISSING}: not probed"
        + (f" ({'; '.join(reasons[:3])}{'; …' if len(reasons) > 3 else ''})." if reasons else "."),
    )


def _survival(entry: dict[str, Any] | None) -> str:
    if entry is None or not entry["probed"]:
        return MISSING
    words = entry["words"]
    return f"{words['train']:,} / {words['dev']:,} / {words['test']:,}"


def number(value: float | None) -> str:
    """Return a number with three decimals, or a dash for what is not there."""
    return MISSING if value is None or pd.isna(value) else f"{value:z.3f}"


def p_value(value: float | None) -> str:
    """Return p with three decimals, below 0.001 in scientific notation as in the paper; a dash where there is none."""
    if value is None or pd.isna(value):
        return MISSING
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
