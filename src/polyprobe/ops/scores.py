"""Zero-shot scores of one fine-tuned checkpoint, and what they can mean.

Per language, the score with its bootstrap interval beside the two baselines, whether it is above the better one of
them, the labels that are predicted most, and how much of the test text is made of sub-words that fine-tuning has seen.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyprobe.artefacts import confusion, manifest, scores
from polyprobe.ops.markdown import markdown_table
from polyprobe.running.errors import BadInputError
from polyprobe.study import Study, load_study

if TYPE_CHECKING:
    import pandas as pd

_LABELS: Final = 2
"""How many of the most frequent labels are shown."""


def say_scores(task: str, checkpoint: str) -> None:
    """Print the table of a checkpoint of the study in force.

    Args:
        task: `xnli` or `pos`.
        checkpoint: a key of `checkpoints` in params.yaml.

    Raises:
        BadInputError: there is no such task or checkpoint, or it has not been fine-tuned.
    """
    if task not in scores.TASKS:
        raise BadInputError(f"{task}: no such task, expected one of {', '.join(scores.TASKS)}")
    study = load_study()
    study.checkpoint(checkpoint)
    table = score_table(scores.folder(task, checkpoint), scores.MAIN_METRIC[task])
    seen = _seen_in_study(study, task, checkpoint)
    table["sub-words seen"] = [f"{seen[str(language)]:.0%}" for language in table["language"]]
    print(markdown_table(table.columns, table.itertuples(index=False)))


def score_table(folder: Path, metric: str) -> "pd.DataFrame":
    """Return one row per language of a checkpoint's folder, first seed, in the order of its scores.

    Columns: language, items, the metric, interval, majority, untrained, verdict (above or below the better baseline, or
    open where the interval holds it), predicted and gold (the most frequent labels, as shares of all items).

    Args:
        folder: of the fine-tuned checkpoint.
        metric: one that its scores have.

    Raises:
        BadInputError: the scores are missing.
    """
    import pandas as pd

    table = scores.TABLE.read(folder / scores.TABLE.path.name)
    table = table[(table["metric"] == metric) & (table["seed"] == 0)]
    confused = confusion.TABLE.read(folder / confusion.TABLE.path.name)
    rows = []
    for row in table.to_dict("records"):
        of_language = confused[(confused["language"] == row["language"]) & (confused["seed"] == 0)]
        rows.append(
            {
                "language": row["language"],
                "items": row["items"],
                metric: row["score"],
                "interval": f"{row['low']:.3f} to {row['high']:.3f}",
                "majority": row["majority"],
                "untrained": row["untrained"],
                "verdict": _verdict(row["low"], row["high"], max(row["majority"], row["untrained"])),
                "predicted": _most_frequent(of_language, "predicted"),
                "gold": _most_frequent(of_language, "gold"),
            }
        )
    return pd.DataFrame(rows)


def _verdict(low: float, high: float, baseline: float) -> str:
    if low > baseline:
        return "above"
    return "below" if high < baseline else "open"


def _most_frequent(confused: "pd.DataFrame", side: str) -> str:
    counts = confused.groupby(confused[side].astype(object).fillna("cut off"))["count"].sum()
    shares = counts.sort_values(ascending=False, kind="stable").head(_LABELS) / counts.sum()
    return ", ".join(f"{label} {share:.0%}" for label, share in shares.items())


def seen_subwords(train: Iterable[int], tests: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Return the share of each test text's sub-words that occur in the text that was fine-tuned on.

    Args:
        train: sub-words of the text that was fine-tuned on.
        tests: those of each language's test text.
    """
    known = set(train)
    shares = {}
    for language, subwords in tests.items():
        counts = Counter(subwords)
        shares[language] = sum(count for subword, count in counts.items() if subword in known) / counts.total()
    return shares


def _seen_in_study(study: Study, name: str, checkpoint: str) -> dict[str, float]:
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
