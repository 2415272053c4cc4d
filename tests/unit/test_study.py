"""params.yaml: what is accepted, and the one line that says what is wrong."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from polyprobe.choices.categories import categories_of, correlated_categories, study_categories
from polyprobe.choices.layers import layers_of, resolve_layers
from polyprobe.choices.sizes import largest_size, set_sizes
from polyprobe.probes import FAMILIES
from polyprobe.probes.controls import CONTROLS
from polyprobe.running.errors import BadInputError
from polyprobe.study import Probe, Study, load_study
from support import ROOT

STUDIES = ROOT / "studies"


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str], Path]:
    def edit(old: str, new: str) -> Path:
        text = (STUDIES / "tiny.yaml").read_text(encoding="utf-8")
        assert text.count(old) == 1
        path = tmp_path / "params.yaml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return path

    return edit


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_named_study_is_valid_and_named_as_its_file(file: Path) -> None:
    assert load_study(file).study == file.stem


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("overlap:\n  k: 6", "overlap:\n  q: 1\n  k: 6", "overlap.q: unknown key, expected one of k, correction"),
        ("overlap:\n  k: 6", "overlap:", "overlap.k: missing key"),
        ("overlap:\n  k: 6", "overlap:\n  k: many", "overlap.k: expected a number of neurons from 1 or a list of such"),
        ("overlap:\n  k: 6", "overlap:\n  k: [2, 0]", "from 1 or a list of such numbers, got [2, 0]"),
        ("overlap:\n  k: 6", "overlap:\n  k: []", "overlap.k: expected a number of neurons from 1 or a list of such"),
        ("overlap:\n  k: 6", "overlap:\n  k: [4, 2, 4]", "overlap.k: a number is there twice: [4, 2, 4]"),
        ("overlap:\n  k: 6", "overlap:\n  k: [9, 2]", "overlap.k: expected at most probe.k_max (8), got 9"),
        ("overlap:\n  k: 6", "overlap:\n  k: 9", "overlap.k: expected at most probe.k_max (8), got 9"),
        ("study: tiny", "study: tiny\nextra: 1", "extra: unknown key, expected one of study, seed"),
        ("languages: [qaa, qab]\nsource", "languages: [qaa, xx]\nsource", "unknown language code 'xx'"),
        ("source_language: qaa", "source_language: en", "source_language: 'en' is not among `languages`"),
        ("categories: [Part of Speech, Number]", "categories: [Colour]", "unknown category 'Colour', expected one of"),
        ("layers: [2]", "layers: [0]", "layers are numbered from 1, got 0"),
        ("layers: [2]", "layers: [1.5]", "a relative depth lies between 0.0 and 1.0, got 1.5"),
        ("layers: [2]", "layers: []", "layers: expected at least one entry"),
        ("  step-0: {", "  Step.0: {", "key 'Step.0': expected lower-case letters, digits, _ and - only"),
        ("    qab: [UD_Belgan-Pocket]\n", "", "treebanks.folders: expected a treebank for language 'qab'"),
        ("save_at: [0, 20]", "save_at: [20, 0]", "save_at: expected ascending steps"),
        ("controls: [none, shuffled_labels]", "controls: [shuffled_labels]", "expected `none` first"),
        ("family: poisson", "family: quadratic", "probe.family: expected 'poisson', 'conditional_poisson', 'gaussian'"),
        ("[none, shuffled_labels]", "[none, shuffled]", "probe.controls.1: expected 'none', 'shuffled_labels' or"),
        ("treebanks:\n  source: pocket", "treebanks:\n  source: dir",
         "treebanks.folders: UD_Avelan-Pocket: expected where it lies, as `UD_Avelan-Pocket: PATH` under inputs"),
        ("transfer:\n  source: pocket", "transfer:\n  source: dir", "xnli.folder: expected a name under inputs"),
        ("inputs: {}", "inputs: {a b: x}", "inputs: name 'a b': expected letters, digits, _ and - only"),
        ("models:\n  pocket:", "models:\n  bloom:", "checkpoints.step-0.model: 'pocket' is not among `models`"),
        ("step-0, repository: null, revision: null", "step-0, repository: null, revision: main",
         "checkpoints.step-0: expected weights studies/hub and a revision for the hub, or a folder and `rev"),
        ("data/pretrained/pocket/step-0, repository: null, revision: null",
         "studies/hub, repository: null, revision: main",
         "checkpoints.step-0.repository: expected one, here or under models.pocket"),
        ("categories: [Part of Speech, Number]", "categories: [Part of Speech, POS]", "an entry is there twice"),
        ("study: tiny", "study: [tiny", "no valid YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_file_and_key(
    edited: Callable[[str, str], Path], old: str, new: str, message: str
) -> None:
    path = edited(old, new)
    with pytest.raises(BadInputError) as raised:
        load_study(path)
    line = str(raised.value)
    assert message in line
    assert line.startswith(str(path))
    assert "\n" not in line


def test_the_family_retrained_picks_few_neurons(edited: Callable[[str, str], Path]) -> None:
    few = edited("  largest_set: 16\n", "  largest_set: 7\n").read_text(encoding="utf-8")
    path = edited("family: poisson", "family: retrained")
    assert load_study(path).probe.family == "retrained"
    path.write_text(few.replace("family: poisson", "family: retrained"), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"k_max: expected at most largest_set \(7\) for the family retrained"):
        load_study(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such file"):
        load_study(tmp_path / "params.yaml")


def test_yaml_is_read_as_dvc_reads_it(edited: Callable[[str, str], Path]) -> None:
    """YAML 1.2: `no` is text (and Norwegian), `1e-3` is a number."""
    from dvc.utils.serialize import load_yaml

    path = edited("learning_rate: 3.0e-3", "learning_rate: 1e-3")
    assert (
        load_study(path).pretrain["pocket"].learning_rate == load_yaml(str(path))["pretrain"]["pocket"]["learning_rate"]
    )
    path = edited("languages: [qaa, qab]\nsource", "languages: [qaa, qab, no]\nsource")
    with pytest.raises(BadInputError, match="expected a treebank for language 'no'"):
        load_study(path)


def test_short_names_of_categories_are_accepted(edited: Callable[[str, str], Path]) -> None:
    study = load_study(edited("categories: [Part of Speech, Number]", "categories: [POS, Gender]"))
    assert study_categories(study) == ["Part of Speech", "Gender and Noun Class"]
    assert categories_of(study, "step-20") == correlated_categories(study) == study_categories(study)


def test_a_checkpoint_adds_layers_and_categories_of_its_own() -> None:
    study = load_study(STUDIES / "pocket.yaml")
    last = list(study.checkpoints)[-1]
    first = next(iter(study.checkpoints))
    assert layers_of(study, first, 5) == [3, 4]
    assert layers_of(study, last, 5) == [1, 2, 3, 4, 5]
    with pytest.raises(BadInputError, match="no layer 4, the model has layers 1 to 3"):
        layers_of(study, first, 3)


def test_relative_depth_is_the_papers_numbering() -> None:
    assert resolve_layers([0.0, 0.5, 0.667, 1.0], 25, "here") == [1, 13, 17, 25]
    assert resolve_layers([13, 0.5], 25, "here") == [13]


def test_an_unknown_checkpoint_is_named() -> None:
    with pytest.raises(BadInputError, match=r"checkpoints\.nine: no such key, expected step-0"):
        load_study(STUDIES / "tiny.yaml").checkpoint("nine")


@pytest.mark.parametrize(("given", "sizes"), [("6", [6]), ("[6]", [6]), ("[8, 2, 6]", [2, 6, 8])])
def test_the_studys_k_is_the_largest_of_its_sizes(
    edited: Callable[[str, str], Path], given: str, sizes: list[int]
) -> None:
    study = load_study(edited("overlap:\n  k: 6", f"overlap:\n  k: {given}"))
    assert set_sizes(study) == sizes
    assert largest_size(study) == sizes[-1]
    assert Study.model_validate(study.model_dump()) == study


@pytest.mark.parametrize(("override", "sizes"), [("overlap.k=4", [4]), ("overlap.k=[2,4,6]", [2, 4, 6])])
def test_k_is_set_as_dvc_sets_a_parameter(edited: Callable[[str, str], Path], override: str, sizes: list[int]) -> None:
    from dvc.utils.hydra import apply_overrides

    for before in ("6", "[1, 2]"):
        path = edited("overlap:\n  k: 6", f"overlap:\n  k: {before}")
        apply_overrides(path, [override])
        assert set_sizes(load_study(path)) == sizes


@pytest.mark.parametrize("family", FAMILIES)
def test_every_setting_of_a_family_is_a_key(family: str) -> None:
    assert {setting.name for setting in fields(FAMILIES[family].settings)} <= Probe.model_fields.keys()


def test_every_family_can_be_chosen_and_every_control() -> None:
    assert set(FAMILIES) <= set(get_args(Probe.model_fields["family"].annotation))
    assert set(get_args(get_args(Probe.model_fields["controls"].annotation)[0])) == set(CONTROLS)
