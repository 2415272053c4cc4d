"""`plots/transfer.csv`: the scores of all checkpoints, averaged over fine-tuning seeds."""

from collections.abc import Iterable, Sequence

import pandas as pd

from polyprobe.artefacts.manifest import Manifest
from polyprobe.artefacts.scores import PLOT


def transfer_table(scores: Iterable[tuple[Manifest, str, pd.DataFrame]], languages: Sequence[str]) -> pd.DataFrame:
    """Return the scores as one table, in the order given; an empty one where none are given.

    The standard error and the interval's ends are means over seeds: the seeds share their test items. The spread is
    the sample's standard deviation over seeds.

    Args:
        scores: checkpoint, task and the scores of that checkpoint fine-tuned for that task.
        languages: the order of the languages.

    Returns:
        Rows of `artefacts.scores.PLOT`.
    """
    frames = []
    for manifest, task, frame in scores:
        averaged = frame.groupby(["metric", "language"], as_index=False, observed=True).agg(
            score=("score", "mean"),
            standard_error=("standard_error", "mean"),
            low=("low", "mean"),
            high=("high", "mean"),
            majority=("majority", "mean"),
            untrained=("untrained", "mean"),
            items=("items", "first"),
            spread=("score", "std"),
        )
        averaged = averaged.astype({"metric": "str", "language": "str"})
        averaged["place"] = averaged["language"].map({code: position for position, code in enumerate(languages)})
        averaged = averaged.sort_values(["metric", "place"], kind="stable").drop(columns="place")
        averaged.insert(0, "checkpoint", manifest.checkpoint)
        averaged["model"] = manifest.model
        averaged["step"] = manifest.step
        averaged["tokens_seen"] = pd.array([manifest.tokens_seen] * len(averaged), dtype="Int64")
        averaged["task"] = task
        frames.append(averaged)
    if not frames:
        return pd.DataFrame(columns=PLOT.schema.names)
    return pd.concat(frames, ignore_index=True)[list(PLOT.schema.names)]
