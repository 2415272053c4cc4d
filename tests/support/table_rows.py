"""Rows of tables for tests that go through them one by one."""

from collections.abc import Iterator
from typing import Any

import pandas as pd


def named_rows(table: pd.DataFrame) -> Iterator[Any]:
    """Return each row as a named tuple; its fields are the table's columns, whose types no annotation knows."""
    return iter(table.itertuples())
