"""Every parameter of a study as it was read, defaults too."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from pydantic import BaseModel

from polyprobe.report.listings import Listing
from polyprobe.study import Study

_ONE_ROW_EACH: Final = ("checkpoints",)
"""Tables whose entries take one row each, with what differs from the default."""
_REQUIRED: Final = object()
"""In the place of a default that there is not."""


def parameter_listing(study: Study) -> Listing:
    """The parameters in the order of their sections, with the default where the study has chosen otherwise."""
    return Listing(
        "Parameters",
        ["parameter", "value", "default"],
        [row for name in Study.model_fields for row in _rows(name, getattr(study, name), _default_of(study, name))],
        "As read, what params.yaml leaves out included. Default: given where the study's value is another one. A "
        "checkpoint's row has what differs from the defaults only.",
    )


def _rows(key: str, value: Any, default: Any) -> Iterator[list[str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if isinstance(default, BaseModel):
                below = getattr(default, name)
            else:
                below = _default_of(value, name) if default is _REQUIRED else default
            yield from _rows(f"{key}.{name}", getattr(value, name), below)
    elif isinstance(value, dict) and any(isinstance(entry, BaseModel) for entry in value.values()):
        for name, entry in value.items():
            if key in _ONE_ROW_EACH:
                yield [f"{key}.{name}", _chosen(entry), ""]
            else:
                yield from _rows(f"{key}.{name}", entry, _REQUIRED)
    else:
        yield [key, flow(value), "" if default is _REQUIRED or default == value else flow(default)]


def _default_of(section: BaseModel, name: str) -> Any:
    field = type(section).model_fields[name]
    return _REQUIRED if field.is_required() else field.get_default(call_default_factory=True)


def _chosen(section: BaseModel) -> str:
    values = {name: getattr(section, name) for name in type(section).model_fields}
    chosen = {name: value for name, value in values.items() if value != _default_of(section, name)}
    return flow(chosen)[1:-1]


def flow(value: Any) -> str:
    """A value as params.yaml has it, in one line."""
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
