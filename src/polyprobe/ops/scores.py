"""Zero-shot scores of one fine-tuned checkpoint: `python -m polyprobe.ops.scores TASK CHECKPOINT`.

Per language, the score with its bootstrap interval beside the two baselines, whether it is above the better one of
them, the labels that are predicted most, and how much of the test text is made of sub-words that fine-tuning has seen.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyprobe.artefacts import confusion, manifest, scores
from polyprobe.ops.results import interval, markdown
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Study, load_study

if TYPE_CHECKING:
    import pandas as pd

_LABELS: Final = 2


def score_table(folder: Path, metric: str) -> "pd.DataFrame":
    """One row per language of a checkpoint's folder, first seed, in the table's order.

    Columns: language, items, the metric, interval, majority, untrained, verdict (above or below the better baseline, or
    open where the interval holds it), predicted and gold (the most frequent labels, as shares of all items).
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
                "predicted": _most(of_language, "predicted"),
                "gold": _most(of_language, "gold"),
            }
        )
    return pd.DataFrame(rows)


def _most(confused: "pd.DataFrame", side: str) -> str:
    counts = confused.groupby(confused[side].astype(object).fillna("cut off"))["count"].sum()
    shares = counts.sort_values(ascending=False, kind="stable").head(_LABELS) / counts.sum()
    return ", ".join(f"{label} {share:.0%}" for label, share in shares.items())


def seen_subwords(train: Iterable[int], tests: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """The share of each test text's sub-words that occur in the text that was fine-tuned on."""
    known = set(train)
    shares = {}
    for language, subwords in tests.items():
        counts = Counter(subwords)
        shares[language] = sum(count for subword, count in counts.items() if subword in known) / counts.total()
    return shares


def _seen(study: Study, name: str, checkpoint: str) -> dict[str, float]:
    from polyprobe.checkpoints.location import location_of
    from polyprobe.transfer import TASKS
    from polyprobe.transfer.layout import file_name
    from polyprobe.transfer.model import load_tokenizer

    task, settings, folder = TASKS[name], getattr(study.transfer, name), Path("data/tasks") / name
    location = location_of(manifest.read(manifest.path(checkpoint)), study.checkpoint(checkpoint).weights)
    tokenizer = load_tokenizer(location)

    def subwords(split: str, language: str) -> Iterable[int]:
        examples = task.read(folder / file_name(split, language))
        encoded = task.encode(examples, tokenizer, settings, language)
        return chain.from_iterable(example.input_ids for example in encoded)

    tests = {language: subwords("test", language) for language in settings.languages}
    return seen_subwords(subwords("train", study.source_language), tests)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m polyprobe.ops.scores", description=__doc__)
    parser.add_argument("task", choices=scores.TASKS)
    parser.add_argument("checkpoint", help="a key of `checkpoints` in params.yaml")
    options = parser.parse_args()
    try:
        study = load_study()
        if options.checkpoint not in (known := study.checkpoints):
            raise BadInputError(f"{PARAMS}: checkpoints: no {options.checkpoint}, expected one of {', '.join(known)}")
        folder = scores.folder(options.task, options.checkpoint)
        table = score_table(folder, scores.MAIN_METRIC[options.task])
        seen = _seen(study, options.task, options.checkpoint)
        table["sub-words seen"] = [f"{seen[str(language)]:.0%}" for language in table["language"]]
        print(markdown(table))
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
