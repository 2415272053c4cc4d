"""The pipeline of a study that is not in force, without running or changing anything."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from polyprobe.ops.cluster.graph import Pipeline, pipeline
from polyprobe.study import PARAMS, Study

DVC_YAML: Final = Path("dvc.yaml")
_LARGE: Final = 100
"""DVC takes a minute for the 6,000 stages of 1,232 checkpoints."""


def pipeline_of(study: Study) -> Pipeline:
    """The pipeline as DVC reads it from dvc.yaml with this study in force, in a temporary folder.

    A study of very many checkpoints, none pretrained here, is read with two of them, and stretched.

    Raises:
        BadInputError: dvc.yaml is not valid.
    """
    keys = list(study.checkpoints)
    if len(keys) > _LARGE and not study.pretrain:
        two = study.model_copy(update={"checkpoints": {key: study.checkpoints[key] for key in keys[:2]}})
        return stretched(pipeline_of(two), keys[:2], keys)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(DVC_YAML, folder)
        # JSON is YAML.
        (Path(folder) / PARAMS).write_text(json.dumps(study.model_dump(mode="json")), encoding="utf-8")
        settings = Path(folder) / ".dvc/config"
        settings.parent.mkdir()
        settings.write_text("[core]\n    no_scm = true\n", encoding="utf-8")
        with contextlib.chdir(folder):
            return pipeline()


def stretched(small: Pipeline, its_keys: Sequence[str], keys: Sequence[str]) -> Pipeline:
    """The pipeline of a study with more checkpoints.

    A stage of one checkpoint waits for stages of the same one; a stage that is there once and waits for those of every
    checkpoint waits for all the new ones.

    Args:
        small: the pipeline with some checkpoints.
        its_keys: their keys.
        keys: those that take their place.
    """
    grown: dict[str, frozenset[str]] = {}
    for stage, waited_for in small.upstream.items():
        name, _, own = stage.partition("@")
        for key in keys if own == its_keys[0] else [] if own in its_keys else [None]:
            there = set()
            for earlier in waited_for:
                earlier_name, _, earlier_key = earlier.partition("@")
                if earlier_key not in its_keys:
                    there.add(earlier)
                else:
                    there |= {f"{earlier_name}@{each}" for each in (keys if key is None else [key])}
            grown[stage if key is None else f"{name}@{key}"] = frozenset(there)
    return Pipeline(dict(sorted(grown.items())))
