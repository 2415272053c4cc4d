"""`data/transfer/<task>/<ckpt>/confusion.parquet`: which labels were predicted for which, per language and seed."""

from typing import Final

import pandas as pd
import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, ParquetTable

TABLE: Final = ParquetTable(
    "data/transfer/{task}/{checkpoint}/confusion.parquet",
    language=CATEGORY,
    seed=pa.int32(),
    gold=CATEGORY,
    predicted_=CATEGORY,
    count=pa.int32(),
)
"""count: test pairs (xnli) or words (pos) of that gold label that got that prediction, at least one; predicted: null
for words that truncation cut off."""


def per_label_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Return precision, recall and F1 of each label, per language and seed.

    Where task and checkpoint are columns too, the scores are per task and checkpoint as well. A cut-off item is a miss
    of its gold label and no label's false alarm. A precision or recall without any item is null; F1 is 0 for a label
    that is only predicted or only gold.

    Returns:
        The key columns, `label`, `precision`, `recall`, `f1`, `gold` and `predicted` (how many items).
    """
    keys = [name for name in frame.columns if name not in ("gold", "predicted", "count")]
    # Dictionary columns would count every combination of their values, and differ between tables.
    plain = frame.astype({name: "str" for name, kind in frame.dtypes.items() if kind == "category"})
    plain["predicted"] = plain["predicted"].where(frame["predicted"].notna())

    def counted(rows: pd.DataFrame, label: str) -> "pd.Series[int]":
        return rows.rename(columns={label: "label"}).groupby([*keys, "label"], sort=False)["count"].sum()

    table = pd.DataFrame(
        {
            "gold": counted(plain, "gold"),
            "predicted": counted(plain[plain["predicted"].notna()], "predicted"),
            "right": counted(plain[plain["predicted"] == plain["gold"]], "gold"),
        }
    )
    table = table.fillna(0).astype("int64").sort_index()
    table.insert(0, "precision", table["right"] / table["predicted"].where(table["predicted"] > 0))
    table.insert(1, "recall", table["right"] / table["gold"].where(table["gold"] > 0))
    table.insert(2, "f1", 2 * table["right"] / (table["gold"] + table["predicted"]))
    return table.drop(columns="right").reset_index()
