"""What no stage depends on, replaced: silent progress, errors in other words, no log, parameters without checks."""

from pathlib import Path

from support.import_graph import EXCUSED, SOURCE, modules

__all__ = ["EXCUSED", "REPLACED", "replace_excused"]

WITHOUT_STATEMENTS = '"""Nothing."""\n'
REPLACED = {
    "polyprobe": WITHOUT_STATEMENTS,
    # Without checks, and without the keys that the stage does not declare in dvc.yaml: reading one is an error.
    "polyprobe.study": """

def load_study(path=PARAMS):
    import sys
    from types import UnionType
    from typing import get_args, get_origin

    from ruamel.yaml import YAML

    values = YAML(typ="safe").load(path.read_text())
    name, key = Path(sys.argv[0]).stem, (sys.argv[1:] or [""])[0]
    stage = YAML(typ="safe").load(Path("dvc.yaml").read_text())["stages"][name]
    declared = stage.get("do", stage).get("params", [])
    # Where things lie is no part of a result: manifests and data/inputs say what lies there.
    places = ["inputs", f"checkpoints.{key}.weights", "transfer.xnli.folder", "transfer.pos.folder"]
    wanted = []
    for one in [*declared, *places]:
        if isinstance(one, str):
            model = values["checkpoints"].get(key, {}).get("model", "")
            wanted.append(one.replace("${key}", key).replace("${item.model}", model))

    def seen(address):
        whole = {"params.yaml": None} in declared
        return whole or any(f"{address}.".startswith(f"{one}.") or one.startswith(f"{address}.") for one in wanted)

    def bare(annotation, value, address):
        inner = [annotation, *get_args(annotation)]
        if value is None:
            return None
        if isinstance(value, dict):
            section = next((one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)), None)
            if section is not None and get_origin(annotation) is not dict:
                fields = section.model_fields
                return section.model_construct(**{
                    name: bare(fields[name].annotation, one, f"{address}.{name}".lstrip("."))
                    for name, one in value.items() if seen(f"{address}.{name}".lstrip("."))
                })
            return {
                name: bare(get_args(annotation)[1], one, f"{address}.{name}")
                for name, one in value.items() if seen(f"{address}.{name}")
            }
        return Path(value) if Path in inner and isinstance(value, str) else value

    return bare(Study, values, "")
""",
    "polyprobe.stage": """
import sys

from polyprobe.study import load_study


def run_stage(stage):
    stage(load_study())


def run_keyed_stage(stage, *, section):
    stage(load_study(), sys.argv[1])
""",
    "polyprobe.running.errors": """

class BadInputError(Exception):
    def __init__(self, *said):
        super().__init__("something is wrong")


def one_line(error):
    return "it went wrong"
""",
    "polyprobe.running.progress": '''
"""Silence."""


class _Silent:
    def __init__(self, items):
        self._items = items

    def __iter__(self):
        return iter(self._items)

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        return None

    def __getattr__(self, name):
        return lambda *given, **named: None


def progress(items=None, **told):
    return _Silent(items)
''',
    "polyprobe.running.run_log": """

def logged(*given):
    from contextlib import nullcontext

    return nullcontext()
""",
}
"""For each module that no stage depends on and that has statements, what it does instead: the whole file, or, for those
of OVERRULED, an end that overrules what stands before it."""
OVERRULED = {"polyprobe.study", "polyprobe.running.errors", "polyprobe.running.run_log"}


def replace_excused(source: Path) -> None:
    """Replaces what each excused module does.

    Args:
        source: the folder `src` of a copy of the project.
    """
    for module in EXCUSED:
        file = source / modules()[module].relative_to(SOURCE)
        before = file.read_text(encoding="utf-8") if module in OVERRULED else ""
        file.write_text(before + REPLACED.get(module, WITHOUT_STATEMENTS), encoding="utf-8")
