"""Parquet tables with a schema that is checked on writing and on reading; byte-identical for identical contents."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

CATEGORY: Final = pa.dictionary(pa.int32(), pa.string())
"""A repeated text, kept as a dictionary column."""


def write_table(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    """Write a frame whose columns are those of `schema`, whole or not at all.

    Args:
        path: the Parquet file.
        frame: the table.
        schema: its columns, their types, and whether they may hold missing values.

    Raises:
        BadInputError: a column is missing, unknown, of the wrong type, or null where the schema forbids it.
    """
    write_tables(path, [frame], schema)


def write_tables(path: Path, frames: Iterable[pd.DataFrame], schema: pa.Schema) -> None:
    """Write frames one after the other into one table, each as a row group, as `write_table` does.

    Args:
        path: the Parquet file.
        frames: the row groups, in their order.
        schema: as for `write_table`.

    Raises:
        BadInputError: as for `write_table`.
    """
    with (
        new_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", version="2.6", store_schema=True) as writer,
    ):
        for frame in frames:
            writer.write_table(conform(frame, schema, path))


def read_table(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None, **options: Any) -> pd.DataFrame:
    """Read a table, or some of its columns, and check them against `schema`.

    Args:
        path: the Parquet file.
        schema: of the whole table.
        columns: those wanted, in this order; None for all of them.
        options: further ones of `pyarrow.parquet.read_table`.

    Raises:
        BadInputError: there is no such file, or its columns are not those of the schema.
    """
    if not path.exists():
        raise BadInputError(f"{path}: no such table; has the stage that writes it been run?")
    table = pq.read_table(path, columns=list(columns) if columns is not None else None, **options)
    expected = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    if not table.schema.remove_metadata().equals(expected.remove_metadata()):
        found = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise BadInputError(f"{path}: expected columns {', '.join(expected.names)}, found {found}")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def conform(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> pa.Table:
    """Return a frame as an Arrow table of exactly this schema, without pandas' metadata.

    Args:
        frame: the table, its columns in any order.
        schema: as for `write_table`.
        path: the file that it is meant for, for errors.

    Raises:
        BadInputError: as for `write_table`.
    """
    missing = [name for name in schema.names if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in schema.names]
    if missing or unknown:
        raise BadInputError(f"{path}: missing columns {missing}, unknown columns {unknown}")
    try:
        table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadInputError(f"{path}: {str(error).splitlines()[0]}") from None
    for field in schema:
        if not field.nullable and table.column(field.name).null_count:
            raise BadInputError(f"{path}: column {field.name} holds missing values")
    return table.replace_schema_metadata(None)


def write_csv(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    """Write a plot table as CSV, columns checked as for Parquet, floats to nine significant digits.

    Args:
        path: the CSV file.
        frame: the table.
        schema: as for `write_table`.

    Raises:
        BadInputError: as for `write_table`.
    """
    conform(frame, schema, path)
    with new_file(path) as temporary:
        frame[schema.names].to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")


def read_csv(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a plot table, and check that it has the schema's columns.

    Args:
        path: the CSV file.
        schema: its columns, in their order.

    Raises:
        BadInputError: there is no such file, or its columns are not those of the schema.
    """
    if not path.exists():
        raise BadInputError(f"{path}: no such table; has the stage that writes it been run?")
    texts = {field.name: "str" for field in schema if pa.types.is_dictionary(field.type) or field.type == pa.string()}
    # "NA" and "nan" are possible values of text columns, so only the empty field is a missing value.
    frame = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    if list(frame.columns) != schema.names:
        raise BadInputError(f"{path}: expected columns {', '.join(schema.names)}, found {', '.join(frame.columns)}")
    # Without rows nothing tells a column's kind, and a frame cannot be filtered by a column that is not boolean.
    kinds = {field.name: "bool" for field in schema if frame.empty and pa.types.is_boolean(field.type)}
    return frame.astype(kinds)


def schema(**columns: pa.DataType) -> pa.Schema:
    """Return a schema of columns that hold no missing values, except those given with a trailing underscore.

    Args:
        columns: the type of each column by its name. The underscore is no part of the name in the schema.
    """
    return pa.schema([pa.field(name.rstrip("_"), kind, nullable=name.endswith("_")) for name, kind in columns.items()])
