"""What comes from outside is data: no code of it runs, no name of it leads elsewhere, no text of it becomes markup.

(Members of archives: test_downloads.py. Secrets of remotes: the tests of remotes.)
"""

import ast
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from polyprobe.artefacts import manifest
from polyprobe.checkpoints.loading import load_model
from polyprobe.checkpoints.location import location_of
from polyprobe.checkpoints.tokenizer import load_tokenizer
from polyprobe.downloads import hub
from polyprobe.running.errors import BadInputError
from polyprobe.stages.report import report
from polyprobe.study import load_study
from support import ROOT, synthetic_study
from support.hub_study import HubStudy
from support.loopback_hub import Models, serving_models
from support.stage_here import hub_settings
from support.tiny_bloom import tiny_bloom

SOURCE = ROOT / "src/polyprobe"

# Our own code


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the package, with its place."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{file.relative_to(SOURCE)}:{node.lineno}", node


def keyword(call: ast.Call, name: str) -> object:
    """A keyword's constant value; `...` where it is given otherwise, None where it is not given."""
    for one in call.keywords:
        if one.arg == name:
            return one.value.value if isinstance(one.value, ast.Constant) else ...
    return None


def called(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_nothing_is_unpickled_evaluated_or_given_to_a_shell() -> None:
    unpickling = {"marshal", "shelve", "dill", "cloudpickle", "joblib"}
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found += [f"{file.relative_to(SOURCE)}: {name}" for name in names if name.split(".")[0] in unpickling]
    for place, call in calls():
        name = called(call)
        if name in ("eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"):
            found.append(f"{place}: {name}")
        # The names of pickle's errors may be used.
        if name.startswith("pickle.") or name.endswith(("Pickler", "Unpickler", "read_pickle", "to_pickle")):
            found.append(f"{place}: {name}")
        if keyword(call, "allow_pickle") not in (None, False):
            found.append(f"{place}: {name}")
        if keyword(call, "shell") not in (None, False):
            found.append(f"{place}: {name} with a shell")
        if name == "YAML" and keyword(call, "typ") not in (None, "safe", "rt"):
            found.append(f"{place}: {name}")
    assert found == []


def test_weights_are_loaded_as_weights_only() -> None:
    loads = [(place, call) for place, call in calls() if called(call) == "torch.load"]
    assert loads
    assert [place for place, call in loads if keyword(call, "weights_only") is not True] == []


def test_no_model_may_bring_code() -> None:
    """Without a word on it, transformers asks the terminal whether to run a model's code, and a `y` would be a yes."""
    loads = [(place, call) for place, call in calls() if called(call).endswith(".from_pretrained")]
    # These two read files of known classes, and know no code of others.
    others = [(place, call) for place, call in loads if not called(call).startswith(("peft.", "PreTrainedTokenizer"))]
    assert others
    assert [place for place, call in others if keyword(call, "trust_remote_code") is not False] == []
    named = [place for place, call in calls() if keyword(call, "trust_remote_code") not in (None, False)]
    assert named == []


# Models that bring code

CODE = """
from pathlib import Path
Path({marker!r}).write_text("ran")
from transformers import BloomConfig, BloomModel, PreTrainedTokenizerFast
class EvilConfig(BloomConfig):
    model_type = "evil"
class EvilModel(BloomModel):
    config_class = EvilConfig
class EvilTokenizer(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def models() -> Iterator[Models]:
    with serving_models() as served:
        yield served


@pytest.mark.parametrize("kind", ["bloom", "evil"])
@pytest.mark.parametrize("local", [True, False], ids=["folder", "hub"])
def test_code_of_a_model_is_not_run(
    tmp_path: Path, models: Models, kind: str, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that transformers knows is loaded without its code, another one is refused, whatever the terminal answers."""
    folder, marker = tmp_path / "model", tmp_path / "marker"
    tiny_bloom(folder, ["the cat sat on the mat"] * 3)
    (folder / "modeling_evil.py").write_text(CODE.format(marker=str(marker)))
    where = "modeling_evil" if local else "a/b--modeling_evil"
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": f"{where}.EvilConfig", "AutoModel": f"{where}.EvilModel"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": kind, "auto_map": auto}))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["auto_map"] = {"AutoTokenizer": [None, f"{where}.EvilTokenizer"]}
    if kind == "evil":
        settings["tokenizer_class"] = "EvilTokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    path = tmp_path / "study"
    path.mkdir()
    study = HubStudy(path, models)
    if local:
        study.write({"one": {"weights": str(folder)}})
    else:
        models.add("a/b", "main", folder)
        study.write({"one": {"revision": "main"}})
    if kind == "evil":
        assert "config.json: model_type 'evil': transformers" in study.refused("one")
        assert not marker.exists()
        assert "modeling_evil.py" not in models.downloads()
        return
    study.resolve("one")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    with hub_settings({"HF_ENDPOINT": models.url, "HF_HOME": str(path / "home"), "NO_PROXY": "127.0.0.1"}), chdir(path):
        weights = load_study().checkpoint("one").weights
        found = location_of(manifest.read(Path("data/checkpoints/one.json")), weights)
        assert load_tokenizer(found)
        assert load_model(found)
    assert not marker.exists()
    assert "modeling_evil.py" not in models.downloads()


# Names from outside


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/../../../evil", "a\0b", "..", ".", ""])
def test_a_file_name_of_the_hub_stays_in_its_cache(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing that names a file elsewhere is refused before anything is written."""
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((BadInputError, ValueError, OSError)):
        hub.dataset_file("a/b", "0" * 40, name)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and path.name == "evil"] == []
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize("key", ["../evil", "/evil", "a/b", "a.b", "A", "a b", "", "a\n"])
def test_a_checkpoints_key_is_no_path(tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names files and folders."""
    values = synthetic_study.params().model_dump()
    one = next(iter(values["checkpoints"].values()))
    with pytest.raises(ValueError, match="checkpoints"):
        type(synthetic_study.params()).model_validate(values | {"checkpoints": {key: one}})


# The report

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&<!--"


class Tags(HTMLParser):
    """The tags of a page with the names of their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[tuple[str, ...]] = Counter()
        self.said: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag, *sorted(name for name, _ in attrs)] += 1

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def spoilt(value: Any, names: set[str]) -> Any:
    """JSON data with something hostile added to the texts under some names, keys of tables of values among them."""
    if isinstance(value, list):
        return [spoilt(one, names) for one in value]
    if isinstance(value, dict):
        return {
            key: f"{one}{HOSTILE}" if key in names and isinstance(one, str)
            else {f"{form}{HOSTILE}": count for form, count in one.items()} if key in names and isinstance(one, dict)
            else spoilt(one, names)
            for key, one in value.items()
        }  # fmt: skip
    return value


def test_no_text_of_the_data_becomes_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of treebanks, files, folders and models, licences, values of categories, and reasons."""
    from polyprobe.figures import FIGURES

    monkeypatch.setattr("polyprobe.report.page.FIGURES", FIGURES[-2:-1])
    synthetic_study.complete(tmp_path)
    page = tmp_path / "data/report/index.html"
    pages = []
    for names in (set(), {"treebank", "source", "folder", "name", "licence", "values", "reason", "repository"}):
        for file in ("metrics/treebanks.json", "metrics/corpus.json"):
            path = tmp_path / file
            path.write_text(json.dumps(spoilt(json.loads(path.read_text()), names)))
        for path in sorted((tmp_path / "data/checkpoints").glob("*.json")):
            path.write_text(json.dumps(spoilt(json.loads(path.read_text()), names)))
        with chdir(tmp_path):
            report(synthetic_study.params(study=f"study{HOSTILE}" if names else "study"))
        pages.append(Tags(page.read_text(encoding="utf-8")))
    benign, hostile = pages
    assert hostile.tags == benign.tags
    assert sum(HOSTILE in text for text in hostile.said) > 5
