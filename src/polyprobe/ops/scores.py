"""Zero-shot scores of one fine-tuned checkpoint: `python -m polyprobe.ops.scores TASK CHECKPOINT`.

Per language, the score with its bootstrap interval beside the two baselines, whether it is above the better one of
them, and the labels that are most often taken for others.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyprobe.artefacts import confusion, scores
from polyprobe.ops.results import interval, markdown
from polyprobe.running import BadInputError
from polyprobe.study import load_study

if TYPE_CHECKING:
    import pandas as pd

_MISTAKES: Final = 3


def score_table(folder: Path, metric: str) -> "pd.DataFrame":
    """One row per language of a checkpoint's folder, first seed, in the table's order.

    Columns: language, items, the metric, interval, majority, untrained, verdict (above or below the better baseline, or
    open where the interval holds it), mistakes (the most frequent ones, as shares of all items).
    """
    import pandas as pd

    table = scores.read(folder / scores.NAME)
    table = table[(table["metric"] == metric) & (table["seed"] == 0)]
    confused = confusion.read(folder / confusion.NAME)
    rows = []
    for row in table.to_dict("records"):
        baseline = max(row["majority"], row["untrained"])
        of_language = confused[(confused["language"] == row["language"]) & (confused["seed"] == 0)]
        rows.append(
            {
                "language": row["language"],
                "items": row["items"],
                metric: row["score"],
                "interval": interval(row["low"], row["high"]),
                "majority": row["majority"],
                "untrained": row["untrained"],
                "verdict": "above" if row["low"] > baseline else "below" if row["high"] < baseline else "open",
                "mistakes": _mistakes(of_language),
            }
        )
    return pd.DataFrame(rows)


def _mistakes(confused: "pd.DataFrame") -> str:
    wrong = confused[confused["gold"].astype(str) != confused["predicted"].astype(str)]
    most = wrong.sort_values("count", ascending=False, kind="stable").head(_MISTAKES)
    total = confused["count"].sum()
    shares = zip(most["gold"], most["predicted"].astype(object).fillna("cut off"), most["count"] / total, strict=True)
    return ", ".join(f"{gold} as {predicted} {share:.0%}" for gold, predicted, share in shares)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m polyprobe.ops.scores", description=__doc__)
    parser.add_argument("task", choices=scores.TASKS)
    parser.add_argument("checkpoint", help="a key of `checkpoints` in params.yaml")
    options = parser.parse_args()
    try:
        if options.checkpoint not in (known := load_study().checkpoints):
            raise BadInputError(
                f"params.yaml: checkpoints: no {options.checkpoint}, expected one of {', '.join(known)}"
            )
        folder = scores.folder(options.task, options.checkpoint)
        print(markdown(score_table(folder, scores.MAIN_METRIC[options.task])))
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
