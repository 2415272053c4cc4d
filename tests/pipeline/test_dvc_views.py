"""What dvc shows of two experiments: metrics and plots side by side, on the study `tiny`."""

import csv
import json
import re
import shutil
from io import StringIO
from typing import Any

import pytest
from ruamel.yaml import YAML

from support.tiny_project import Project

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

SUMMARY = "metrics/summary.json"
EXPERIMENTS = {"three": 3, "four": 4}
WIDTH = 80
NAMESPACES = ("http://www.w3.org/", "https://vega.github.io/schema/")
# Vega-Embed's menu offers a chart to its editor when it is told to; a comment in Vega-Lite cites a discussion.
NAMED_ONLY = {"https://vega.github.io/editor/", "https://github.com/vega/vega-lite/issues/2415"}


@pytest.fixture(scope="module")
def compared(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished study with an experiment for each of two k; the last one lies in the workspace."""
    path = tmp_path_factory.mktemp("compared") / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    project = Project(path)
    for name, k in EXPERIMENTS.items():
        project.dvc("exp", "run", "--name", name, "--set-param", f"overlap.k={k}")
    return project


def summary(project: Project, revision: str) -> dict[str, float | None]:
    found: dict[str, float | None] = json.loads(at(project, revision, SUMMARY))
    return found


def at(project: Project, revision: str, file: str) -> str:
    """A file as it is at a revision, which may be an experiment."""
    ref = project.run("git", "for-each-ref", "--format=%(refname)", f"refs/exps/**/{revision}").stdout.strip()
    return project.run("git", "show", f"{ref or revision}:{file}").stdout


def narrow(project: Project, *arguments: str) -> list[str]:
    """What dvc prints in a narrow terminal."""
    return project.run("env", f"COLUMNS={WIDTH}", "dvc", *arguments).stdout.splitlines()


def rows(lines: list[str]) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in lines if line.startswith(SUMMARY)]


def test_metrics_of_two_ks_are_compared_in_eighty_columns(compared: Project) -> None:
    for one, other in (("HEAD", "three"), ("three", "four")):
        lines = narrow(compared, "metrics", "diff", one, other)
        assert max(map(len, lines)) <= WIDTH
        assert lines[0].split() == ["Path", "Metric", one, other, "Change"]
        before, after = summary(compared, one), summary(compared, other)
        assert "overlap_chance" in {name for name in before if before[name] != after[name]}
        shown = {metric: numbers for _, metric, *numbers in rows(lines)}
        assert set(shown) == {name for name in before if before[name] != after[name]}
        for name, (old, new, change) in shown.items():
            assert float(old) == pytest.approx(before[name], abs=1e-5)
            assert float(new) == pytest.approx(after[name], abs=1e-5)
            assert float(change) == pytest.approx((after[name] or 0) - (before[name] or 0), abs=1e-5)


def test_the_widest_metrics_fit_too(compared: Project) -> None:
    file = compared.path / SUMMARY
    kept = file.read_text(encoding="utf-8")
    try:
        file.write_text(json.dumps(dict.fromkeys(json.loads(kept), -0.987654)), encoding="utf-8")
        for arguments in ((), ("--all",)):
            lines = narrow(compared, "metrics", "diff", *arguments)
            assert len(rows(lines)) == len(json.loads(kept)) == 9
            assert max(map(len, lines)) <= WIDTH
    finally:
        file.write_text(kept, encoding="utf-8")


def test_experiments_have_fewer_than_ten_metrics(compared: Project) -> None:
    table = json.loads(compared.dvc("exp", "show", "--json"))
    baseline = next(entry for entry in table if entry["rev"] != "workspace")
    experiments = {found["revs"][0]["name"]: found["revs"][0]["data"] for found in baseline["experiments"]}
    assert set(experiments) == set(EXPERIMENTS)
    for name, data in (*experiments.items(), ("HEAD", baseline["data"])):
        assert list(data["metrics"]) == [SUMMARY]
        held = summary(compared, name)
        assert len(held) < 10
        # dvc leaves out what is null: in this study, transfer at chance.
        known = {metric: value for metric, value in held.items() if value is not None}
        assert data["metrics"][SUMMARY]["data"] == known != {}


def test_experiments_can_be_shown_by_what_differs(compared: Project) -> None:
    printed = compared.dvc("exp", "show", "--csv", "--only-changed", "--drop", "^(data|metrics|plots|src)/")
    table = list(csv.DictReader(StringIO(printed)))
    ks = {row["Experiment"] or row["rev"]: row["overlap.k"] for row in table}
    assert ks == {"workspace": "4", "main": "6", "three": "3", "four": "4"}
    metrics = [name for name in table[0] if name in summary(compared, "HEAD")]
    assert {"overlap_first", "overlap_last", "overlap_chance"} <= set(metrics)
    assert set(table[0]) - set(metrics) == {"Experiment", "rev", "typ", "Created", "overlap.k"}


def plots_of(page: str) -> dict[str, Any]:
    """The Vega-Lite specifications of a page of plots by the names of their places."""
    places = re.findall(r'<div id = "([^"]+)">', page)
    specifications = re.findall(r"var spec = (\{.*\});$", page, flags=re.MULTILINE)
    return {place: json.loads(text) for place, text in zip(places, specifications, strict=True)}


def files_of(project: Project) -> dict[str, str]:
    """The table behind each plot of dvc.yaml, by the name of the plot's place on a page."""
    described = YAML(typ="safe").load((project.path / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
    files = {name: next(iter(plot["y"])) for entry in described for name, plot in entry.items()}
    return files | {"plots_pretrain_pocket_loss_tsv": "plots/pretrain/pocket/loss.tsv"}


def keys(value: Any) -> set[str]:
    """All keys of a JSON value."""
    if isinstance(value, dict):
        return set(value) | {key for part in value.values() for key in keys(part)}
    return {key for part in value for key in keys(part)} if isinstance(value, list) else set()


def test_plots_of_two_experiments_are_drawn_side_by_side_and_offline(compared: Project) -> None:
    import vl_convert

    compared.dvc("plots", "diff", *EXPERIMENTS, "--out", "compared_plots")
    folder = compared.path / "compared_plots"
    try:
        page = (folder / "index.html").read_text(encoding="utf-8")
    finally:
        shutil.rmtree(folder)
    urls = set(re.findall(r"https?://[^\s\"'`<>()\\]+", page))
    assert {url for url in urls if not url.startswith(NAMESPACES)} <= NAMED_ONLY
    assert re.findall(r"<script[^>]*\bsrc\b", page) == []
    assert re.findall(r"<(?:link|img|iframe|object)\b", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)) == []
    plots, files = plots_of(page), files_of(compared)
    assert set(plots) == set(files)
    for name, plot in plots.items():
        assert "url" not in keys(plot), name
        values = plot["data"]["values"]
        assert {row["rev"] for row in values} == set(EXPERIMENTS), name
        for revision in EXPERIMENTS:
            shown = [row for row in values if row["rev"] == revision]
            text, delimiter = at(compared, revision, files[name]), "\t" if files[name].endswith(".tsv") else ","
            held = list(csv.DictReader(StringIO(text), delimiter=delimiter))
            assert [{column: row[column] for column in held[0]} for row in shown] == held, (name, revision)
        drawn = vl_convert.vegalite_to_svg(plot)
        assert all(f">{revision}<" in drawn or f", {revision}<" in drawn for revision in EXPERIMENTS), name
        assert re.search(r'class="mark-(?:line|symbol|rect) [^"]*marks"[^>]*><path[^>]* d="M', drawn), name
