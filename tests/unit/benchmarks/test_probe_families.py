"""The table that compares families of probes, on made-up embeddings whose carriers are known."""

from pathlib import Path
from typing import Any

import probe_families
import pytest

from polyprobe.probes import FAMILIES
from polyprobe.running.errors import BadInputError
from polyprobe.study import Study
from support.planted_embeddings import OWN, SHARED, study_with, write_manifest, write_planted


def made_up_study(**probe: Any) -> Study:
    return study_with(
        languages=["qaa", "qab", "qac"],
        checkpoints={"last": {"model": "made-up", "weights": "w", "step": 90}},
        layers=[2],
        categories=["Number"],
        overlap={"k": 6},
        probe={"k_max": 6, "standardise": "language", "epochs": 15, "patience": 5} | probe,
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYPROBE_WORKERS", "1")
    monkeypatch.setenv("POLYPROBE_DEVICE", "cpu")
    monkeypatch.setattr(probe_families, "SIZES", (3, 6))
    monkeypatch.setattr(probe_families, "load_study", made_up_study)
    write_planted(tmp_path, "last", {"qaa": SHARED, "qab": SHARED, "qac": OWN})
    write_manifest(tmp_path, "last", step=90)
    return tmp_path


def request(**changes: Any) -> probe_families.Request:
    given: dict[str, Any] = {"checkpoint": "last", "layer": 2, "category": "Number", "languages": ("qaa", "qac")}
    return probe_families.Request(**given | {"families": ("poisson",), "seeds": 2} | changes)


def test_every_estimator_of_a_family_is_a_line_of_its_own() -> None:
    names = {family: [variant.name for variant in probe_families.variants(family)] for family in FAMILIES}
    assert names["poisson"] == ["poisson, logit_gaussian", "poisson, reinforce"]
    assert names["gaussian"] == ["gaussian"]


@pytest.mark.parametrize("k", [6, [6, 3]])
def test_planted_neurons_are_found_and_told(root: Path, k: int | list[int]) -> None:
    study = made_up_study()
    study = study.model_copy(update={"overlap": study.overlap.model_copy(update={"k": k})})
    found = probe_families.compare(study, request())
    assert [(finding.name, finding.language) for finding in found] == [
        (variant.name, language) for language in ("qaa", "qac") for variant in probe_families.variants("poisson")
    ]
    for finding in found:
        assert list(finding.normalised) == ["3", "6", "all"]
        of_seeds = zip(finding.normalised["3"], finding.normalised["6"], strict=True)
        assert all(0.3 < three < six <= 1 for three, six in of_seeds)
        for size, bits in finding.bits.items():
            assert len(bits) == 2
            assert all(map(float.__le__, bits, finding.normalised[size])), "two labels: at most a bit"
        assert finding.shared == 6, "both seeds find the six carriers"
        assert finding.fit_seconds > 0
        assert finding.select_seconds > 0
    assert "| shared of 6 |" in probe_families.markdown(study, request(), found, "command")


def test_one_seed_has_no_spread(root: Path) -> None:
    study = made_up_study()
    findings = probe_families.compare(study, request(seeds=1, languages=("qaa",)))
    assert all(finding.shared is None and len(finding.normalised["6"]) == 1 for finding in findings)
    assert "±" not in probe_families.markdown(study, request(), findings, "command").split("|", 1)[1]


def test_the_table_goes_between_the_pages_markers(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = root / "probes.md"
    page.write_text(f"before\n{probe_families.OPENING}\nold\n{probe_families.CLOSING}\nafter\n", encoding="utf-8")
    options = ["--languages", "qaa", "qab", "--families", "poisson", "--seeds", "2"]
    probe_families.main([*options, "--output", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{probe_families.OPENING}\n")
    assert text.endswith(f"\n{probe_families.CLOSING}\nafter\n")
    assert "old" not in text
    assert f"`python benchmarks/documents/probe_families.py {' '.join(options)} --output {page}`" in text
    assert "checkpoint last, layer 2, Number, languages qaa qab, 2 seeds" in text
    assert capsys.readouterr().out == ""
    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1, "every row has every column"
    assert [row[1].strip() for row in rows[2:]] == ["poisson, logit_gaussian", "poisson, reinforce"]
    probe_families.main(options)
    assert capsys.readouterr().out.count("\n| poisson, ") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint", "first"], "checkpoints.first: no such key"),
        (["--layer", "9"], "no layer 9, the model has layers 1 to 3"),
        (["--category", "Colour"], "unknown category 'Colour'"),
        (["--category", "Gender"], "no language has two values of Gender and Noun Class"),
        (["--category", "Gender", "--languages", "qaa"], "qaa.parquet: fewer than two values of Gender"),
        (["--languages", "en"], "unknown language 'en', expected one of qaa, qab, qac"),
        (["--families", "quadratic"], "unknown family 'quadratic'"),
        (["--seeds", "0"], "--seeds: expected at least 1, got 0"),
        (["--output", "missing.md"], "missing.md: expected a page with the lines"),
    ],
)
def test_bad_requests(root: Path, options: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message) as stopped:
        probe_families.main(options)
    assert str(stopped.value).startswith("error: ")


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="expected a page with the lines"):
        probe_families.text_around_table(page)
    assert page.read_text(encoding="utf-8") == "text\n"
