"""Every key is in every study file: no result depends on a default that DVC cannot see."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from polyprobe.study import Study
from support import ROOT

FILES = [*sorted((ROOT / "studies").glob("*.yaml")), ROOT / "params.yaml"]


def sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a key's type names, and those inside them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from sections(field.annotation)
    for part in get_args(annotation):
        yield from sections(part)


def test_no_key_has_a_default() -> None:
    found = set(sections(Study))
    assert {"Study", "Checkpoint", "Probe", "POSTask", "IncludeConverged"} <= {section.__name__ for section in found}
    optional = [
        f"{one.__name__}.{name}" for one in found for name, key in one.model_fields.items() if not key.is_required()
    ]
    assert optional == []


def keys(section: type[BaseModel], values: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The place of every key of a study file; keys that the user names, as of checkpoints, are none."""
    for name, value in values.items():
        yield (*place, name)
        inner = next((one for one in sections(section.model_fields[name].annotation)), None)
        if inner is None or not isinstance(value, dict):
            continue
        if value.keys() <= inner.model_fields.keys():
            yield from keys(inner, value, (*place, name))
        else:
            for key, entry in value.items():
                yield from keys(inner, entry, (*place, name, key))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_study_file_without_one_of_its_keys_is_refused(file: Path) -> None:
    values = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    Study.model_validate(values)
    places = list(keys(Study, values))
    assert len(places) > 100
    assert ("checkpoints", next(iter(values["checkpoints"])), "converged") in places
    assert ("transfer", "pos", "label_on") in places
    for *above, name in places:
        without = copy.deepcopy(values)
        section = without
        for key in above:
            section = section[key]
        del section[name]
        with pytest.raises(ValidationError) as raised:
            Study.model_validate(without)
        missing = [".".join(map(str, error["loc"])) for error in raised.value.errors() if error["type"] == "missing"]
        assert missing == [".".join([*above, name])]
