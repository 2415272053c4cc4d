"""Figures: their data against the tables, what is drawn, deterministic bytes; and the templates of `dvc plots`."""

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import synthetic_study
import vl_convert
from dvc_render.vega import VegaRenderer
from ruamel.yaml import YAML
from synthetic_study import PAPER, ROOT, Synthetic

from polyprobe.artefacts.dimensions import short_name
from polyprobe.figures import (
    FIGURES,
    Tables,
    overlap_against_transfer,
    overlap_and_transfer_over_steps,
    overlap_over_steps,
    overlap_per_layer,
    pairwise_heatmap,
    save,
    transfer_over_steps,
)
from polyprobe.figures.style import COLOURS, SOURCE_COLOUR, language_marks, marks, panels, short_number, step_axis

PLOTS = {name: plot for entry in YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["plots"]
         for name, plot in entry.items()}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def tables(root: Path) -> Tables:
    return synthetic_study.complete(root)


@pytest.fixture(scope="module")
def paper_tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return synthetic_study.complete(tmp_path_factory.mktemp("paper"), PAPER)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.NAME)
def test_figures_are_siblings(figure: ModuleType, tables: Tables, tmp_path: Path) -> None:
    assert figure.__name__.endswith(f".{figure.NAME}")
    assert figure.TITLE
    assert figure.READING.endswith(".")
    data = figure.data(tables)
    assert not data.empty
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        save(figure.draw(data, tables), tmp_path / name, figure.NAME)
    for ending in ("svg", "pdf"):
        one, other = ((tmp_path / name / f"{figure.NAME}.{ending}").read_bytes() for name in ("one", "other"))
        assert one == other
    svg = (tmp_path / "one" / f"{figure.NAME}.svg").read_text()
    assert "<text" in svg, "text stays text"
    assert "<dc:date>" not in svg
    assert "CreationDate" not in (tmp_path / "one" / f"{figure.NAME}.pdf").read_bytes().decode("latin-1")


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.NAME)
def test_figures_of_the_papers_size_are_drawn(figure: ModuleType, paper_tables: Tables) -> None:
    assert figure.draw(figure.data(paper_tables), paper_tables).axes


def test_overlap_over_steps_averages_the_studys_layers(tables: Tables) -> None:
    data = overlap_over_steps.data(tables)
    for row in data.itertuples():
        control = "shuffled_labels" if row.series == "shuffled labels" else "none"
        rates = [
            entry.overlap
            for entry in tables.means.itertuples()
            if entry.studied and entry.step == row.step and entry.control == control
            and (control != "none" or short_name(entry.category) == row.series)
        ]  # fmt: skip
        assert row.overlap == pytest.approx(np.mean(rates))
    assert set(data["series"]) == {"POS", "Number", "Gender", "shuffled labels"}


def test_overlap_per_layer_shows_the_scan_of_the_last_checkpoint(tables: Tables) -> None:
    data = overlap_per_layer.data(tables)
    assert sorted(set(data["layer"])) == [1, 2, 3, 4, 5]
    assert set(data["checkpoint"]) == {"step-400"}


def test_overlap_and_transfer_share_their_steps(tables: Tables) -> None:
    data = overlap_and_transfer_over_steps.data(tables)
    assert list(dict.fromkeys(data["panel"])) == ["overlap rate", "XNLI accuracy", "POS F1"]
    assert data.groupby("panel")["step"].apply(list).map(sorted).tolist() == [[0, 30, 80, 180, 400]] * 3


def test_transfer_over_steps_marks_the_source(tables: Tables) -> None:
    drawn = transfer_over_steps.draw(transfer_over_steps.data(tables), tables)
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["qaa (source)", "qab", "qac", "qad", "qae", "qaf", "baseline"]


def test_the_heatmap_marks_what_is_significant_and_nothing_else(tables: Tables) -> None:
    data = pairwise_heatmap.data(tables)
    drawn = pairwise_heatmap.draw(data, tables)
    dots = sum(len(line.get_xdata()) for panel in drawn.axes for line in panel.lines)
    assert 0 < dots == data["significant"].sum() < len(data)
    first = data[(data["category"] == "POS") & (data["layer"] == 3)].set_index(["language_y", "language_x"])["overlap"]
    image = drawn.axes[0].images[0].get_array()
    assert image is not None
    for down, language_y in enumerate(tables.languages):
        for across, language_x in enumerate(tables.languages):
            assert image[down, across] == first[language_y, language_x]


def test_a_regression_line_is_drawn_where_r_is(tables: Tables) -> None:
    data = overlap_against_transfer.data(tables)
    drawn = overlap_against_transfer.draw(data, tables)
    lines = [line for line in drawn.axes[0].lines if line.get_linestyle() == "-"]
    assert len(lines) == 1
    rows = data[data["task"] == "xnli"]
    slope, intercept = np.polyfit(rows["overlap"], rows["score"], 1)
    assert lines[0].get_ydata() == pytest.approx(slope * np.asarray(lines[0].get_xdata()) + intercept)
    withheld = replace(tables, cells=[cell | {"r": None, "at_chance": True} for cell in tables.cells])
    drawn = overlap_against_transfer.draw(data, withheld)
    assert not [line for panel in drawn.axes for line in panel.lines if line.get_linestyle() == "-"]
    assert all("at chance" in panel.get_title() for panel in drawn.axes)


def test_thirteen_languages_differ_in_colour_and_in_marker() -> None:
    found = language_marks(PAPER.languages, "en")
    assert len({mark.colour for mark in found.values()}) == len({mark.marker for mark in found.values()}) == 13
    assert found["en"].colour == SOURCE_COLOUR
    moved = language_marks([*PAPER.languages[1:], "en"], "en")
    assert moved == found, "where the source stands changes no colour"
    more = marks([f"q{place}" for place in range(30)])
    assert len({(mark.colour, mark.marker) for mark in more.values()}) == 12
    assert len(more) == 30


@pytest.mark.parametrize(
    ("steps", "scale"),
    [([0, 30, 80, 180, 400], "symlog"), ([1_000, 10_000, 600_000], "log"), ([0, 5], "linear"), ([0], "linear"),
     ([100, 200, 300], "linear"), ([7], "linear")],
)  # fmt: skip
def test_steps_that_span_decades_get_a_logarithmic_axis_with_zero_on_it(steps: list[int], scale: str) -> None:
    _, axes = panels(1, 1)
    axes[0][0].plot(steps, steps)
    step_axis(axes[0][0], steps)
    assert axes[0][0].get_xscale() == scale
    assert axes[0][0].get_xlim()[0] <= steps[0]
    labels = [label.get_text() for label in axes[0][0].get_xticklabels()]
    assert labels[-1] == short_number(steps[-1])


def test_labels_of_close_steps_do_not_run_into_each_other() -> None:
    _, axes = panels(1, 1)
    steps = [1_000, 10_000, *range(100_000, 700_000, 100_000)]
    axes[0][0].plot(steps, steps)
    step_axis(axes[0][0], steps)
    assert [label.get_text() for label in axes[0][0].get_xticklabels()] == ["1k", "10k", "200k", "600k"]


def test_short_numbers() -> None:
    assert [short_number(step) for step in (0, 400, 1_600, 600_000, 1_200_000)] == ["0", "400", "1.6k", "600k", "1.2M"]


def test_figures_need_no_pyplot() -> None:
    code = "import sys, polyprobe.figures; print('matplotlib.pyplot' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def filled(name: str, root: Path, revisions: tuple[str, ...] = ("workspace",)) -> dict[str, Any]:
    """A template with a study's table in it, as DVC fills it: every value is a text."""
    plot = PLOTS[name]
    ((file, column),) = plot["y"].items()
    with (root / file).open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    points = [{**row, "rev": revision, "filename": file, "field": column} for revision in revisions for row in rows]
    folder = str(ROOT / ".dvc/plots")
    renderer = VegaRenderer(points, name, template=plot["template"], template_dir=folder, x=plot["x"], y=column,
                            title=plot["title"])  # fmt: skip
    return renderer.get_filled_template()


@pytest.mark.parametrize("name", PLOTS)
def test_dvc_plots_draw_every_point(name: str, root: Path, tables: Tables) -> None:
    svg = vl_convert.vegalite_to_svg(filled(name, root, ("main", "workspace")))
    assert "NaN" not in svg
    assert "undefined" not in svg
    assert PLOTS[name]["title"] in svg
    steps, categories, languages, layers = 5, 3, 6, 2
    points = {
        "overlap_over_steps": steps * categories,
        "overlap_per_layer": 5 * categories,
        "transfer_over_steps": 2 * steps * languages,
        "overlap_against_transfer": 2 * steps * (languages - 1),
        "pairwise_heatmap": categories * layers * languages**2,
    }[name]
    symbols = re.findall(r'aria-roledescription="(point|square|circle|rect mark|[a-z ]+)"', svg)
    assert symbols.count("point") == 2 * points


def test_the_heatmaps_dots_are_its_significant_pairs(root: Path, tables: Tables) -> None:
    svg = vl_convert.vegalite_to_svg(filled("pairwise_heatmap", root))
    dots = re.findall(r'aria-roledescription="point"[^>]*opacity="1"', svg)
    assert len(dots) == tables.heatmap["significant"].sum()


def test_dvc_plots_use_the_figures_colours() -> None:
    ranges: list[list[str]] = []

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("range"), list) and str(node["range"][0]).startswith("#"):
                ranges.append(node["range"])
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    for file in sorted((ROOT / ".dvc/plots").glob("*.json")):
        collect(json.loads(file.read_text(encoding="utf-8")))
    assert {tuple(found) for found in ranges} == {COLOURS, (SOURCE_COLOUR, *COLOURS)}


def test_every_template_is_used() -> None:
    assert {plot["template"] for plot in PLOTS.values()} == {file.stem for file in (ROOT / ".dvc/plots").glob("*.json")}


def test_a_study_with_one_checkpoint_has_its_figures(tmp_path: Path) -> None:
    found = synthetic_study.complete(tmp_path, Synthetic(steps={"pocket": (400,)}, languages=("qaa", "qab")))
    for figure in FIGURES:
        data = figure.data(found)
        assert figure.draw(data, found).axes
