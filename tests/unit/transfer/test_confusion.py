"""Confusion matrices hold every item once, and labels' scores follow from them as sklearn has them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from polyprobe.artefacts import confusion, scores
from polyprobe.artefacts.results import load
from polyprobe.transfer import scoring
from polyprobe.transfer.examples import LOST
from polyprobe.transfer.tasks import pos

LABELS = pos.LABELS[:6]


def drawn(seed: int, lost: float) -> tuple[list[list[int]], list[list[int]]]:
    """Sentences of up to 9 words with 6 classes, the last one only predicted."""
    generator = np.random.default_rng(seed)
    gold = [generator.integers(0, 5, generator.integers(1, 10)).tolist() for _ in range(60)]
    predicted = [
        np.where(generator.random(len(row)) < lost, LOST, generator.integers(0, 6, len(row))).tolist() for row in gold
    ]
    return gold, predicted


def table(seed: int, lost: float, language: str = "qaa") -> pd.DataFrame:
    counts = scoring.confusion(*drawn(seed, lost), LABELS)
    rows = [
        {"language": language, "seed": seed, "gold": gold, "predicted": predicted, "count": count}
        for (gold, predicted), count in counts.items()
    ]
    return pd.DataFrame(rows, columns=confusion.TABLE.schema.names)


def test_the_matrix_is_sklearns() -> None:
    gold, predicted = (np.concatenate(rows) for rows in drawn(0, 0.0))
    expected = confusion_matrix(gold, predicted, labels=range(6))
    found = np.zeros_like(expected)
    for (want, guess), count in scoring.confusion(*drawn(0, 0.0), LABELS).items():
        assert guess is not None
        found[LABELS.index(want), LABELS.index(guess)] = count
    assert (found == expected).all()


def test_words_that_were_cut_off_are_counted() -> None:
    gold, predicted = drawn(1, 0.3)
    counts = scoring.confusion(gold, predicted, LABELS)
    assert sum(counts.values()) == sum(map(len, gold))
    lost = sum(count for (_, guess), count in counts.items() if guess is None)
    assert lost == sum(row.count(LOST) for row in predicted) > 0
    assert all(counts.values())


@pytest.mark.parametrize("lost", [0.0, 0.3])
def test_scores_per_label_are_sklearns(lost: float, tmp_path: Path) -> None:
    confusion.TABLE.write(pd.concat([table(0, lost), table(1, lost), table(0, lost, "qab")]), tmp_path / "c.parquet")
    found = confusion.per_label_scores(confusion.TABLE.read(tmp_path / "c.parquet"))
    assert [*found.columns] == ["language", "seed", "label", "precision", "recall", "f1", "gold", "predicted"]
    assert len(found) == 3 * 6
    part = found[(found["language"] == "qaa") & (found["seed"] == 1)].set_index("label").loc[list(LABELS)]
    gold, predicted = (np.concatenate(rows) for rows in drawn(1, lost))
    precision, recall, f1, support = precision_recall_fscore_support(
        gold, predicted, labels=range(6), zero_division=np.nan
    )
    np.testing.assert_allclose(part["precision"], precision)
    np.testing.assert_allclose(part["recall"], recall)
    np.testing.assert_allclose(part["f1"], f1)
    assert part["gold"].tolist() == support.tolist()
    assert part["predicted"].sum() == (predicted != LOST).sum()
    macro = scoring.score(*drawn(1, lost), 6)["f1_macro"].value
    assert part.loc[part["gold"] > 0, "f1"].mean() == pytest.approx(macro)


def test_tables_of_several_tasks_come_joined(tmp_path: Path) -> None:
    for task in scores.TASKS:
        confusion.TABLE.write(table(0, 0.1), scores.folder(task, "step-0", tmp_path) / confusion.TABLE.path.name)
    joined = load(tmp_path)["confusion"]
    assert [*joined.columns] == ["task", "checkpoint", *confusion.TABLE.schema.names]
    found = confusion.per_label_scores(joined)
    alone = confusion.per_label_scores(table(0, 0.1))
    for task in scores.TASKS:
        part = found[found["task"] == task].drop(columns=["task", "checkpoint"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(part, alone, check_dtype=False)


def test_an_empty_table_has_no_scores(tmp_path: Path) -> None:
    confusion.TABLE.write(pd.DataFrame([], columns=confusion.TABLE.schema.names), tmp_path / "c.parquet")
    assert len(confusion.per_label_scores(confusion.TABLE.read(tmp_path / "c.parquet"))) == 0
