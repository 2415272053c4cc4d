"""Every parameter of a study as it was read."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from pydantic import BaseModel

from polyprobe.report.listings import Listing
from polyprobe.study import Study

_ONE_ROW_EACH: Final = ("models", "checkpoints")
"""Tables whose entries take one row each."""


def parameter_listing(study: Study) -> Listing:
    """List the parameters in the order of their sections."""
    rows = [row for name in Study.model_fields for row in _rows(name, getattr(study, name))]
    return Listing("Parameters", ["parameter", "value"], rows)


def _rows(key: str, value: Any) -> Iterator[list[str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _rows(f"{key}.{name}", getattr(value, name))
    elif isinstance(value, dict) and any(isinstance(entry, BaseModel) for entry in value.values()):
        for name, entry in value.items():
            if key in _ONE_ROW_EACH:
                yield [f"{key}.{name}", flow(entry)[1:-1]]
            else:
                yield from _rows(f"{key}.{name}", entry)
    else:
        yield [key, flow(value)]


def flow(value: Any) -> str:
    """Return a value as params.yaml has it, in one line."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(flow, value))}]"
        case dict():
            return f"{{{', '.join(f'{name}: {flow(entry)}' for name, entry in value.items())}}}"
        case PurePath():
            return value.as_posix()
    return str(value)
