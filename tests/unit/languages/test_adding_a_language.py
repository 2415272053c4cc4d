"""The five steps of docs/extending.md, taken for a language outside the study, in a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from support import ROOT

GUIDE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")

NOUNS = ["domo", "libro", "arboro", "kato", "hundo", "urbo", "maro", "voyo", "amiko", "lando", "pomo", "tablo"]
VERBS = ["vidar", "amar", "havar", "serchar", "trovar", "dankar"]
ENDINGS = {"as": "Mood=Ind|Tense=Pres|VerbForm=Fin", "is": "Mood=Ind|Tense=Past|VerbForm=Fin", "os": "VerbForm=Fin"}


def treebank() -> str:
    """Ido: a subject, a verb in one of three tenses with agreement as a layer, an object in the plural."""
    sentences = []
    for number in range(120):
        subject, thing = NOUNS[number % 12], NOUNS[(5 * number + 1) % 12]
        verb = VERBS[number % 6]
        ending = [*ENDINGS][number // 3 % 3]
        layers = "Number[subj]=Sing|Person[subj]=3"
        rows = [
            (subject, subject, "NOUN", "Number=Sing"),
            (verb[:-2] + ending, verb, "VERB", f"{ENDINGS[ending].split('|VerbForm')[0]}|{layers}|VerbForm=Fin"
             if ending != "os" else f"{layers}|VerbForm=Fin"),
            (thing[:-1] + "i", thing, "NOUN", "Number=Plur"),
            ("laborinta", "laborar", "VERB", "Tense=Past|VerbForm=Part"),
        ]  # fmt: skip
        lines = [
            f"{place}\t{form}\t{lemma}\t{upos}\t_\t{feats}\t{place - 1}\tdep\t_\t_"
            for place, (form, lemma, upos, feats) in enumerate(rows, 1)
        ]
        sentences.append("\n".join([f"# sent_id = {number}", *lines]))
    return "\n\n".join(sentences) + "\n\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    folder = tmp_path / "ud/UD_Ido-Test"
    folder.mkdir(parents=True)
    (folder / "io_test-ud-train.conllu").write_text(treebank(), encoding="utf-8")
    values = YAML(typ="safe").load((ROOT / "studies/pocket.yaml").read_text(encoding="utf-8"))
    # Step 2
    values |= {"languages": ["io"], "source_language": "io", "inputs": {"UD_Ido-Test": "ud/UD_Ido-Test"}}
    values["words"]["min_label_count"] = 1
    values["treebanks"] |= {"source": "dir", "folders": {"io": ["UD_Ido-Test"]}}
    values["parallel"]["folders"] = {}
    values["transfer"]["xnli"]["languages"] = values["transfer"]["pos"]["languages"] = ["io"]
    YAML(typ="safe").dump(values, tmp_path / "params.yaml")
    return tmp_path


def run(project: Path, stage: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    command = [sys.executable, "-m", f"polyprobe.stages.{stage}"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_five_steps_add_a_language(project: Path) -> None:
    unknown = run(project, "fetch_ud")
    assert unknown.returncode == 1
    assert "unknown language code 'io'" in unknown.stderr

    # Step 1
    table = project / "src/polyprobe/languages/languages.yaml"
    line = re.search(r'"io": "Ido, Constructed"', GUIDE)
    assert line
    table.write_text(
        table.read_text(encoding="utf-8").replace("languages:\n", f"languages:\n  {line[0]}\n", 1), encoding="utf-8"
    )
    without_rules = run(project, "fetch_ud")
    assert without_rules.returncode == 1
    assert "unknown layer [subj], expected psor, erg, dat, abs, psed, gram" in without_rules.stderr

    # Step 3
    (module,) = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    rules = project / "src/polyprobe/treebanks/unimorph/languages/io.py"
    rules.write_text(textwrap.dedent(module), encoding="utf-8")

    # Step 5
    for stage in ("fetch_ud", "convert_unimorph"):
        done = run(project, stage)
        assert done.returncode == 0, done.stderr
    words = pd.read_parquet(project / "data/words/io.parquet")
    verbs = words[words["position"] == 1]
    assert set(verbs["Argument Marking"]) == {"NO3S"}
    assert verbs.groupby(verbs["form"].str[-2:], observed=True)["Tense"].unique().map(list).to_dict() == {
        "as": ["PRS"], "is": ["PST"], "os": ["FUT"],
    }  # fmt: skip
    assert set(words[words["form"] == "laborinta"]["unimorph"]) == {"V.PTCP;PST"}
    (entry,) = json.loads((project / "metrics/mapping.json").read_text(encoding="utf-8"))
    assert (entry["language"], entry["unmapped"], entry["unread"]) == ("io", {}, {})
    probed = {
        entry["category"]: entry["probed"]
        for entry in json.loads((project / "metrics/corpus.json").read_text(encoding="utf-8"))
    }
    assert probed["Number"]
