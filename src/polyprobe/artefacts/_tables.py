"""Kinds of files: where each lies, and the columns of tables, which are checked on writing and on reading."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file, write_json

CATEGORY: Final = pa.dictionary(pa.int32(), pa.string())
"""A repeated text, kept as a dictionary column."""

Entry = dict[str, Any]
"""One object of a list in a JSON file."""

Content = TypeVar("Content")


class _File:
    """A kind of file.

    Args:
        path: where it lies in the study's folder; a name in braces stands for a key, such as `{checkpoint}`.
        missing: what is said of a file that is not there.
    """

    def __init__(self, path: str, missing: str) -> None:
        self.path, self._missing = Path(path), missing

    def at(self, root: Path = Path(), /, **keys: str) -> Path:
        """Return where a file of this kind lies.

        Args:
            root: the study's folder.
            keys: what the names in braces stand for.
        """
        return root / str(self.path).format(**keys)

    def _existing(self, file: Path | None) -> Path:
        file = file or self.path
        if not file.exists():
            raise BadInputError(f"{file}: {self._missing}")
        return file


class JsonFile(_File, Generic[Content]):
    """A small table as JSON, such as a list of objects.

    Args:
        path: where it lies in the study's folder.
        stage: the stage that writes it.
    """

    def __init__(self, path: str, stage: str) -> None:
        super().__init__(path, f"no such file; has {stage} been run?")

    def write(self, content: Content, file: Path | None = None) -> None:
        """Write a file, its entries in their order.

        Args:
            content: what it is to hold.
            file: where it goes; None for the kind's own place.
        """
        write_json(file or self.path, content)

    def read(self, file: Path | None = None) -> Content:
        """Read a file.

        Args:
            file: where it lies; None for the kind's own place.

        Raises:
            BadInputError: there is no such file.
        """
        content: Content = json.loads(self._existing(file).read_text(encoding="utf-8"))
        return content


class _Table(_File):
    """A kind of table.

    Args:
        path: where it lies in the study's folder; a name in braces stands for a key.
        columns: the type of each column by its name. A column holds no missing values, except where a trailing
            underscore is given, which is no part of the name in the schema.
    """

    def __init__(self, path: str, /, **columns: pa.DataType) -> None:
        super().__init__(path, "no such table; has the stage that writes it been run?")
        self.schema = pa.schema(
            [pa.field(name.rstrip("_"), kind, nullable=name.endswith("_")) for name, kind in columns.items()]
        )

    def _conform(self, frame: pd.DataFrame, file: Path) -> pa.Table:
        """Return a frame as an Arrow table of exactly the kind's schema, without pandas' metadata.

        Args:
            frame: the table, its columns in any order.
            file: the file that it is meant for, for errors.

        Raises:
            BadInputError: a column is missing, unknown, of the wrong type, or null where the schema forbids it.
        """
        missing = [name for name in self.schema.names if name not in frame.columns]
        unknown = [name for name in frame.columns if name not in self.schema.names]
        if missing or unknown:
            raise BadInputError(f"{file}: missing columns {missing}, unknown columns {unknown}")
        try:
            table = pa.Table.from_pandas(frame[self.schema.names], schema=self.schema, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise BadInputError(f"{file}: {str(error).splitlines()[0]}") from None
        for field in self.schema:
            if not field.nullable and table.column(field.name).null_count:
                raise BadInputError(f"{file}: column {field.name} holds missing values")
        return table.replace_schema_metadata(None)


class ParquetTable(_Table):
    """A table as Parquet, byte-identical for identical contents."""

    def write(self, frame: pd.DataFrame, file: Path | None = None) -> None:
        """Write a table, whole or not at all.

        Args:
            frame: its rows, with the columns of the schema in any order.
            file: where it goes; None for the kind's own place.

        Raises:
            BadInputError: a column is missing, unknown, of the wrong type, or null where the schema forbids it.
        """
        self.write_frames([frame], file)

    def write_frames(self, frames: Iterable[pd.DataFrame], file: Path | None = None) -> None:
        """Write frames one after the other into one table, each as a row group.

        Args:
            frames: the row groups, in their order.
            file: as for `write`.

        Raises:
            BadInputError: as for `write`.
        """
        file = file or self.path
        with (
            new_file(file) as temporary,
            pq.ParquetWriter(temporary, self.schema, compression="zstd", version="2.6", store_schema=True) as writer,
        ):
            for frame in frames:
                writer.write_table(self._conform(frame, file))

    def read(self, file: Path | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read a table, or some of its columns.

        Args:
            file: where it lies; None for the kind's own place.
            columns: those wanted, in this order; None for all of them.

        Raises:
            BadInputError: there is no such file, or its columns are not those of the schema.
        """
        file = self._existing(file)
        names = self.schema.names if columns is None else list(columns)
        table = pq.read_table(file, columns=None if columns is None else names)
        if not table.schema.remove_metadata().equals(pa.schema([self.schema.field(name) for name in names])):
            found = ", ".join(f"{field.name} {field.type}" for field in table.schema)
            raise BadInputError(f"{file}: expected columns {', '.join(names)}, found {found}")
        frame: pd.DataFrame = table.to_pandas()
        return frame


class CsvTable(_Table):
    """A table for plots as CSV, floats to nine significant digits."""

    def write(self, frame: pd.DataFrame, file: Path | None = None) -> None:
        """Write a table, whole or not at all.

        Args:
            frame: its rows, with the columns of the schema in any order.
            file: where it goes; None for the kind's own place.

        Raises:
            BadInputError: a column is missing, unknown, of the wrong type, or null where the schema forbids it.
        """
        file = file or self.path
        self._conform(frame, file)
        with new_file(file) as temporary:
            frame[self.schema.names].to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")

    def read(self, file: Path | None = None) -> pd.DataFrame:
        """Read a table.

        Args:
            file: where it lies; None for the kind's own place.

        Raises:
            BadInputError: there is no such file, or its columns are not those of the schema.
        """
        file, names = self._existing(file), self.schema.names
        texts = {field.name: "str" for field in self.schema if field.type in (CATEGORY, pa.string())}
        # "NA" and "nan" are possible values of text columns, so only the empty field is a missing value.
        frame = pd.read_csv(file, dtype=texts, keep_default_na=False, na_values=[""])
        if list(frame.columns) != names:
            raise BadInputError(f"{file}: expected columns {', '.join(names)}, found {', '.join(frame.columns)}")
        # Without rows nothing tells a column's kind, and a frame cannot be filtered by a column that is not boolean.
        kinds = {field.name: "bool" for field in self.schema if frame.empty and pa.types.is_boolean(field.type)}
        return frame.astype(kinds)
