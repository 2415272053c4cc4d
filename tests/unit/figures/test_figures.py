"""Figures: their data against the tables, what is drawn, deterministic bytes; and the templates of `dvc plots`."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import vl_convert
from dvc_render.vega import VegaRenderer
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from ruamel.yaml import YAML

from polyprobe.artefacts import overlap
from polyprobe.artefacts.dimensions import SHORT_NAMES, short_name
from polyprobe.figures import (
    FIGURES,
    Tables,
    overlap_against_transfer,
    overlap_and_transfer_over_steps,
    overlap_by_size,
    overlap_over_steps,
    overlap_per_layer,
    overlap_with_source_over_steps,
    pairwise_heatmap,
    transfer_over_steps,
)
from polyprobe.figures.style import (
    COLOURS,
    MARKERS,
    SHAPES,
    SHUFFLED,
    SOURCE_COLOUR,
    SOURCE_MARKER,
    category_marks,
    families,
    language_marks,
    marks,
    panels,
    short_number,
    step_axis,
)
from support import ROOT, synthetic_study
from support.synthetic_study import MODELS, PAPER, PAPER_FULL, Synthetic
from support.table_rows import named_rows

PLOTS = {name: plot for entry in YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["plots"]
         for name, plot in entry.items()}  # fmt: skip
BY_NAME = {figure.NAME: figure for figure in FIGURES}
OVER_STEPS = (overlap_over_steps, overlap_and_transfer_over_steps, transfer_over_steps, overlap_with_source_over_steps,
              overlap_by_size)  # fmt: skip
UNEVEN = Synthetic(
    languages=("qab", "qac", "qaa", "qad", "qae", "qaf"),
    source_language="qaa",
    task_languages={"xnli": ("qaa", "qac", "qaf"), "pos": ("qaa", "qab", "qac", "qae", "qaf")},
)
"""The source is not the first language, and the tasks lack languages."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def tables(root: Path) -> Tables:
    return synthetic_study.complete(root)


@pytest.fixture(scope="module")
def paper_tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return synthetic_study.complete(tmp_path_factory.mktemp("paper"), PAPER)


@pytest.fixture(scope="module")
def full_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("full")


@pytest.fixture(scope="module")
def full_tables(full_root: Path) -> Tables:
    return synthetic_study.complete(full_root, MODELS)


@pytest.fixture(scope="module")
def uneven_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uneven")


@pytest.fixture(scope="module")
def uneven_tables(uneven_root: Path) -> Tables:
    return synthetic_study.complete(uneven_root, UNEVEN)


def lines(panel: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """The coordinates of a panel's lines and points, by their label."""
    return {
        str(line.get_label()): (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in panel.lines
    }


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.NAME)
def test_figures_are_siblings(figure: ModuleType, tables: Tables) -> None:
    assert figure.__name__.endswith(f".{figure.NAME}")
    assert figure.TITLE
    assert figure.READING.endswith(".")
    assert not figure.data(tables).empty


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.NAME)
def test_figures_of_the_papers_size_are_drawn(figure: ModuleType, paper_tables: Tables, tmp_path: Path) -> None:
    for found in (paper_tables, synthetic_study.complete(tmp_path, PAPER_FULL)):
        assert figure.draw(figure.data(found), found).axes


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.NAME)
def test_without_data_there_is_nothing_to_draw_and_no_crash(figure: ModuleType, tables: Tables) -> None:
    frames = [field.name for field in fields(Tables) if isinstance(getattr(tables, field.name), pd.DataFrame)]
    cut = replace(tables, cells=[], **{name: getattr(tables, name).iloc[:0] for name in frames})
    unread: dict[str, Any] = {name: pd.DataFrame(columns=getattr(tables, name).columns) for name in frames}
    columns = list(figure.data(tables).columns)
    for empty in (cut, replace(tables, cells=[], **unread)):
        found = figure.data(empty)
        assert found.empty
        assert list(found.columns) == columns


@pytest.mark.parametrize("figure", OVER_STEPS, ids=lambda figure: figure.NAME)
def test_rows_over_steps_know_their_checkpoint_and_its_tokens(figure: ModuleType, full_tables: Tables) -> None:
    data = figure.data(full_tables)
    found = {entry.checkpoint: (entry.model, entry.step, entry.tokens_seen)
             for entry in synthetic_study.manifests(MODELS)}  # fmt: skip
    assert set(data["checkpoint"]) == set(found)
    for row in named_rows(data):
        assert (row.model, row.step, row.tokens_seen) == found[row.checkpoint]
    frames = ("pairs", "means", "sizes", "transfer", "points")
    unknown = {name: getattr(full_tables, name).assign(tokens_seen=np.nan) for name in frames}
    unknown = figure.data(replace(full_tables, **unknown))
    assert unknown["tokens_seen"].isna().all()
    assert len(unknown) == len(data)


def test_overlap_over_steps_averages_the_studys_layers(tables: Tables) -> None:
    data = overlap_over_steps.data(tables)
    for row in named_rows(data):
        control = "shuffled_labels" if row.series == "shuffled labels" else "none"
        rates = [
            entry.overlap
            for entry in named_rows(tables.means)
            if entry.studied and entry.step == row.step and entry.control == control
            and (control != "none" or short_name(entry.category) == row.series)
        ]  # fmt: skip
        assert row.overlap == pytest.approx(np.mean(rates))
    assert set(data["series"]) == {"POS", "Number", "Gender", SHUFFLED}


def test_overlap_over_steps_has_a_panel_per_model_on_one_scale(full_tables: Tables) -> None:
    data = overlap_over_steps.data(full_tables)
    drawn = overlap_over_steps.draw(data, full_tables)
    assert [panel.get_title() for panel in drawn.axes] == ["560m", "1b1", "1b7"]
    assert len({panel.get_ylim() for panel in drawn.axes}) == 1
    assert drawn.axes[0].get_ylim()[0] < 0 < data["high"].max() <= drawn.axes[0].get_ylim()[1]
    for panel in drawn.axes:
        rows = data[(data["model"] == panel.get_title()) & (data["series"] == "Number")]
        assert lines(panel)["Number"] == (rows["step"].tolist(), rows["overlap"].tolist())
        assert len([found for found in panel.collections if isinstance(found, PolyCollection)]) == 3, "bands"


def test_overlap_per_layer_shows_the_scan_of_the_last_checkpoint(tables: Tables) -> None:
    data = overlap_per_layer.data(tables)
    assert sorted(set(data["layer"])) == [1, 2, 3, 4, 5]
    assert set(data["checkpoint"]) == {"step-400"}


def test_overlap_per_layer_shows_the_models_that_were_scanned(full_tables: Tables, tmp_path: Path) -> None:
    data = overlap_per_layer.data(full_tables)
    assert set(data["model"]) == {"560m"}
    assert len(data) == 4 * 5
    assert sorted(set(data["layer"])) == [1, 9, 13, 17, 25]
    others = full_tables.layers[full_tables.layers["model"] != "560m"]
    data = overlap_per_layer.data(replace(full_tables, layers=others))
    assert set(data["model"]) == {"1b1", "1b7"}, "no scan at all: the study's own layers"
    single = others[others["layer"] == 13]
    assert overlap_per_layer.data(replace(full_tables, layers=single)).empty, "one layer is no profile"


def test_the_intervals_of_one_layer_stand_side_by_side(full_tables: Tables) -> None:
    data = overlap_per_layer.data(full_tables)
    panel = overlap_per_layer.draw(data, full_tables).axes[0]
    layers = sorted(set(data["layer"]))
    across = np.array([lines(panel)[category][0] for category in category_marks(full_tables.means)])
    assert across.shape == (4, 5)
    assert np.allclose(across.mean(axis=0), layers), "around their layer"
    assert (np.diff(across, axis=0) > 0.1).all()
    assert (across[0, 1:] > across[-1, :-1]).all(), "no layer's points reach the next one's"
    bars = [found for found in panel.collections if isinstance(found, LineCollection)]
    assert len(bars) == len(panel.collections)
    ends = [tuple(segment[0][:1]) for found in bars for segment in found.get_segments()]
    assert sorted(place for (place,) in ends) == sorted(across.ravel().tolist())


def test_an_interval_may_be_unknown_or_lie_beside_its_mean(tables: Tables) -> None:
    unknown = tables.means.assign(low=np.nan, high=np.nan)
    beside = tables.means.assign(low=tables.means["overlap"] + 0.01)
    for means in (unknown, beside):
        found = replace(tables, means=means, layers=means[means["checkpoint"] == "step-400"])
        for figure in (overlap_over_steps, overlap_per_layer):
            data = figure.data(found)
            assert len(figure.draw(data, found).axes[0].lines) >= 3


def test_overlap_and_transfer_share_their_steps(tables: Tables) -> None:
    data = overlap_and_transfer_over_steps.data(tables)
    assert list(dict.fromkeys(data["panel"])) == ["overlap rate", "XNLI accuracy", "POS F1"]
    assert data.groupby("panel")["step"].apply(list).map(sorted).tolist() == [[0, 30, 80, 180, 400]] * 3


def test_rings_mark_what_falls_by_more_than_the_noise(full_tables: Tables) -> None:
    drops = pd.DataFrame(
        [
            ("1b1", "overlap", "1b1-400000", 400_000, "1b1-1000", 0.1, -0.02, 0.005, True),
            ("1b1", "pos", "1b1-400000", 400_000, "1b1-1000", 0.3, -0.2, 0.01, True),
            ("1b1", "xnli", "1b1-400000", 400_000, "1b1-1000", 0.3, -0.01, 0.01, False),
            ("560m", "xnli", "560m-400000", 400_000, "560m-100000", 0.3, -0.1, 0.01, True),
        ],
        columns=full_tables.drops.columns,
    )
    found = replace(full_tables, drops=drops)
    data = overlap_and_transfer_over_steps.data(found)
    falling = data.loc[data["falls"], ["model", "panel", "checkpoint"]].itertuples(index=False, name=None)
    assert sorted(falling) == [
        ("1b1", "POS F1", "1b1-400000"),
        ("1b1", "overlap rate", "1b1-400000"),
        ("560m", "XNLI accuracy", "560m-400000"),
    ]
    drawn = overlap_and_transfer_over_steps.draw(data, found)
    label = overlap_and_transfer_over_steps.FALLS
    for panel in drawn.axes:
        rows = data[(data["panel"] == panel.get_title()) & data["falls"]]
        assert lines(panel)[label] == (rows["step"].tolist(), rows["value"].tolist())
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["560m", "1b1", "1b7", label]
    none = replace(full_tables, drops=drops.iloc[:0])
    drawn = overlap_and_transfer_over_steps.draw(overlap_and_transfer_over_steps.data(none), none)
    assert not any(label in lines(panel) for panel in drawn.axes)


def test_a_task_that_was_not_run_has_no_panel(tables: Tables) -> None:
    found = replace(tables, points=tables.points[tables.points["task"] == "pos"])
    data = overlap_and_transfer_over_steps.data(found)
    drawn = overlap_and_transfer_over_steps.draw(data, found)
    assert [panel.get_title() for panel in drawn.axes] == ["overlap rate", "POS F1"]


def test_transfer_over_steps_marks_the_source(tables: Tables) -> None:
    drawn = transfer_over_steps.draw(transfer_over_steps.data(tables), tables)
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["qaa (source)", "qab", "qac", "qad", "qae", "qaf", "baseline"]


def test_the_heatmap_marks_what_is_significant_and_nothing_else(tables: Tables) -> None:
    data = pairwise_heatmap.data(tables)
    drawn = pairwise_heatmap.draw(data, tables)
    dots = sum(len(places) for panel in drawn.axes for label, (places, _) in lines(panel).items()
               if label == "significant")  # fmt: skip
    assert 0 < dots == data["significant"].sum() < len(data)
    first = data[(data["category"] == "POS") & (data["layer"] == 3)].set_index(["language_y", "language_x"])["overlap"]
    image = drawn.axes[0].images[0].get_array()
    assert image is not None
    for down, language_y in enumerate(tables.languages):
        for across, language_x in enumerate(tables.languages):
            assert image[down, across] == first[language_y, language_x]


def test_the_heatmap_sets_the_languages_of_a_family_side_by_side(full_tables: Tables) -> None:
    data = pairwise_heatmap.data(full_tables)
    without = data[~((data["category"] == "Number") & ((data["language_x"] == "fr") | (data["language_y"] == "fr")))]
    drawn = pairwise_heatmap.draw(without, full_tables)
    maps = {panel.get_title(): panel for panel in drawn.axes if panel.images}
    assert len(maps) == (4 + 3 + 3) * 2
    codes = ["en", "ca", "es", "fr", "hi", "mr", "pt", "ur", "ar", "eu", "ta", "vi", "zh"]
    for title, panel in maps.items():
        there = [code for code in codes if "Number" not in title or code != "fr"]
        for axis in (panel.xaxis, panel.yaxis):
            assert [label.get_text() for label in axis.get_ticklabels()] == there
        boundaries = [line for line in panel.lines if line.get_label() != "significant"]
        family_sizes = np.cumsum([len(there) - 5, 1, 1, 1, 1])
        assert {float(np.asarray(line.get_ydata())[0]) for line in boundaries[::2]} == set(family_sizes - 0.5)
        image = panel.images[0].get_array()
        assert image is not None
        model, category, layer = re.fullmatch(r"(\w+), (\w+), layer (\d+)", title).groups()  # type: ignore[union-attr]
        cells = data[(data["model"] == model) & (data["category"] == category) & (data["layer"] == int(layer))]
        for cell in named_rows(cells[cells["language_x"].isin(there) & cells["language_y"].isin(there)]):
            assert image[there.index(cell.language_y), there.index(cell.language_x)] == cell.overlap


def test_where_there_is_no_noise_ceiling_the_diagonal_is_empty(tables: Tables) -> None:
    data = pairwise_heatmap.data(tables)
    without = data[data["language_x"] != data["language_y"]]
    panel = pairwise_heatmap.draw(without, tables).axes[0]
    image = panel.images[0].get_array()
    assert image is not None
    assert np.isnan(np.ma.filled(image, np.nan)).tolist() == np.eye(6, dtype=bool).tolist()
    assert panel.images[0].get_clim() == (0, np.ceil(10 * without["overlap"].max()) / 10)


def test_a_category_in_one_language_has_no_map(root: Path, tables: Tables, tmp_path: Path) -> None:
    rows = tables.heatmap
    alone = (rows["language_x"] == "qab") & (rows["language_y"] == "qab")
    rows = rows[(rows["category"] != "Number") | alone]
    data = pairwise_heatmap.data(replace(tables, heatmap=rows))
    assert set(data["category"]) == {"POS", "Gender"}
    shutil.copytree(root / "plots", tmp_path / "plots")
    overlap.HEATMAP.write(rows, tmp_path / overlap.HEATMAP.path)
    assert len(list(points_drawn("pairwise_heatmap", tmp_path, tables))) == len(data) == 2 * 2 * 6**2


def test_families_stand_in_the_order_of_the_languages() -> None:
    assert families(["qad", "qab", "qae", "qac"]) == {"Mini middle": ["qad"], "Mini near": ["qab", "qac"],
                                                      "Mini far": ["qae"]}  # fmt: skip


def test_overlap_with_the_source_averages_the_categories_that_both_have(uneven_tables: Tables) -> None:
    rows = uneven_tables.pairs
    lacking = (rows["category"] == "Gender and Noun Class") & (
        (rows["language_a"] == "qad") | (rows["language_b"] == "qad")
    )
    found = replace(uneven_tables, pairs=rows[~lacking])
    data = overlap_with_source_over_steps.data(found)
    assert list(dict.fromkeys(data["language"])) == ["qab", "qac", "qad", "qae", "qaf"]
    assert len(data) == 5 * 2 * 5
    for row in named_rows(data):
        rates = [
            (pair.overlap, pair.corrected)
            for pair in named_rows(found.pairs)
            if {pair.language_a, pair.language_b} == {"qaa", row.language} and pair.control == "none"
            and pair.studied and (pair.checkpoint, pair.layer) == (row.checkpoint, row.layer)
        ]  # fmt: skip
        assert len(rates) == row.categories == (2 if row.language == "qad" else 3)
        assert (row.overlap, row.corrected) == pytest.approx(tuple(np.mean(rates, axis=0)))


def test_overlap_with_the_source_has_a_panel_per_model_and_layer(full_tables: Tables) -> None:
    data = overlap_with_source_over_steps.data(full_tables)
    shallow = data[~((data["model"] == "1b7") & (data["layer"] == 17))]
    drawn = overlap_with_source_over_steps.draw(shallow, full_tables)
    shown = [panel for panel in drawn.axes if panel.axison]
    assert [panel.get_title() for panel in shown] == [
        "560m, layer 13", "560m, layer 17", "1b1, layer 13", "1b1, layer 17", "1b7, layer 13",
    ]  # fmt: skip
    for panel in shown:
        model, layer = panel.get_title().split(", layer ")
        rows = data[(data["model"] == model) & (data["layer"] == int(layer))]
        for code in full_tables.languages[1:]:
            line = rows[rows["language"] == code]
            assert lines(panel)[code] == (line["step"].tolist(), line["overlap"].tolist())
        assert panel.get_ylim()[1] >= data["overlap"].max(), "one scale, nothing cut off"


def test_overlap_by_size_compares_every_number_of_neurons(full_tables: Tables) -> None:
    data = overlap_by_size.data(full_tables)
    assert sorted(set(data["k"])) == [25, 50]
    for row in named_rows(data):
        rates = [
            entry.corrected
            for entry in named_rows(full_tables.sizes)
            if (entry.checkpoint, entry.k, entry.control) == (row.checkpoint, row.k, "none")
        ]
        assert row.corrected == pytest.approx(np.mean(rates))
        assert len(rates) == 2 * 3
    drawn = overlap_by_size.draw(data, full_tables)
    assert [sorted(lines(panel)) for panel in drawn.axes] == [["chance", "k = 25", "k = 50"]] * 3
    one = replace(full_tables, sizes=full_tables.sizes[full_tables.sizes["k"] == 50])
    assert overlap_by_size.data(one).empty


def test_a_regression_line_and_its_band_are_drawn_where_r_is(tables: Tables) -> None:
    data = overlap_against_transfer.data(tables)
    drawn = overlap_against_transfer.draw(data, tables)
    solid = [line for line in drawn.axes[0].lines if line.get_linestyle() == "-"]
    assert len(solid) == 1
    rows = data[data["task"] == "xnli"]
    slope, intercept = np.polyfit(rows["overlap"], rows["score"], 1)
    assert solid[0].get_ydata() == pytest.approx(slope * np.asarray(solid[0].get_xdata()) + intercept)
    assert len([found for found in drawn.axes[0].collections if isinstance(found, PolyCollection)]) == 1
    withheld = replace(tables, cells=[cell | {"r": None, "at_chance": True} for cell in tables.cells])
    drawn = overlap_against_transfer.draw(data, withheld)
    assert not [line for panel in drawn.axes for line in panel.lines if line.get_linestyle() == "-"]
    assert not [found for panel in drawn.axes for found in panel.collections]
    assert all("at chance" in panel.get_title() for panel in drawn.axes)


@pytest.mark.parametrize("n", [2, 3, 4, 30])
def test_the_band_is_the_interval_of_the_regressions_mean(n: int) -> None:
    generator = np.random.default_rng(n)
    points = pd.DataFrame({"overlap": generator.uniform(0, 0.5, n)})
    points["score"] = 0.3 + points["overlap"] + generator.normal(0, 0.1, n)
    found = overlap_against_transfer.regression(points)
    assert found["overlap"].iloc[[0, -1]].tolist() == [points["overlap"].min(), points["overlap"].max()]
    fitted = sm.OLS(points["score"], sm.add_constant(points["overlap"])).fit()
    if n == 2:
        assert found[["low", "high"]].isna().all(axis=None)
        assert found["score"].to_numpy() == pytest.approx(fitted.predict(sm.add_constant(found["overlap"])).to_numpy())
    else:
        expected = fitted.get_prediction(sm.add_constant(found["overlap"])).summary_frame(alpha=0.05)
        for name, column in (("score", "mean"), ("low", "mean_ci_lower"), ("high", "mean_ci_upper")):
            assert found[name].to_numpy() == pytest.approx(expected[column].to_numpy())


def test_points_that_r_leaves_out_are_hollow(paper_tables: Tables) -> None:
    data = overlap_against_transfer.data(paper_tables)
    drawn = overlap_against_transfer.draw(data, paper_tables)
    assert 0 < (~data["used"]).sum() < len(data)
    counted = {"full": 0, "none": 0}
    for panel in drawn.axes:
        for line in panel.lines:
            if line.get_linestyle() == "None":
                counted[line.get_fillstyle()] += len(np.asarray(line.get_xdata()))
    assert counted == {"full": data["used"].sum(), "none": (~data["used"]).sum()}


def test_thirteen_languages_differ_in_colour_and_in_marker() -> None:
    found = language_marks(PAPER.languages, "en")
    assert len({mark.colour for mark in found.values()}) == len({mark.marker for mark in found.values()}) == 13
    assert found["en"].colour == SOURCE_COLOUR
    moved = language_marks([*PAPER.languages[1:], "en"], "en")
    assert moved == found, "where the source stands changes no colour"
    more = marks([f"q{place}" for place in range(144)])
    assert len({(mark.colour, mark.marker) for mark in more.values()}) == 144


def test_a_language_has_its_colour_in_every_figure(uneven_tables: Tables) -> None:
    expected = language_marks(UNEVEN.languages, "qaa")
    assert [expected[code].colour for code in ("qab", "qac", "qad")] == [*COLOURS[:3]]
    drawn_in: dict[str, int] = {}
    for figure in (overlap_against_transfer, transfer_over_steps, overlap_with_source_over_steps):
        for panel in figure.draw(figure.data(uneven_tables), uneven_tables).axes:
            containers = [(str(found.get_label()), found.lines[0]) for found in panel.containers]
            for label, line in [*containers, *((str(line.get_label()), line) for line in panel.lines)]:
                if (code := label.split(" ")[0]) in expected:
                    assert (line.get_color(), line.get_marker()) == (expected[code].colour, expected[code].marker)
                    drawn_in[code] = drawn_in.get(code, 0) + 1
    assert set(drawn_in) == set(UNEVEN.languages)


def test_the_studys_own_categories_come_first() -> None:
    means = pd.DataFrame(
        {"category": ["Aspect", "Part of Speech", "Case", "Number"], "studied": [False, True, False, True]}
    )
    assert list(category_marks(means)) == ["POS", "Number", "Aspect", "Case"]


def test_sources_and_others_markers_have_shapes() -> None:
    assert [*SHAPES] == [*MARKERS, SOURCE_MARKER]
    assert len(set(SHAPES.values())) == len(COLOURS) + 1 == len(MARKERS) + 1


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
    assert [short_number(step) for step in (999, 999_499, 999_999)] == ["999", "999k", "1M"]


def test_a_panel_without_steps_keeps_its_axis() -> None:
    _, axes = panels(1, 1)
    before = axes[0][0].get_xlim()
    step_axis(axes[0][0], [])
    assert axes[0][0].get_xlim() == before


def test_figures_need_no_pyplot() -> None:
    code = "import sys, polyprobe.figures; print('matplotlib.pyplot' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def filled(
    name: str,
    root: Path,
    languages: Sequence[str],
    source_language: str,
    revisions: tuple[str, ...] = ("workspace",),
) -> dict[str, Any]:
    """A template with a study's table in it, as DVC fills it: every value is a text, labels are the parameters that
    dvc.yaml names."""
    plot = PLOTS[name]
    ((file, column),) = plot["y"].items()
    with (root / file).open(encoding="utf-8") as rows_of_file:
        rows = list(csv.DictReader(rows_of_file))
    points = [{**row, "rev": revision, "filename": file, "field": column} for revision in revisions for row in rows]
    params = {"${languages}": list(languages), "${source_language}": source_language}
    labels = {label: params[plot[label]] for label in ("x_label", "y_label") if label in plot}
    folder = str(ROOT / ".dvc/plots")
    renderer = VegaRenderer(points, name, template=plot["template"], template_dir=folder, x=plot["x"], y=column,
                            title=name, **labels)  # fmt: skip
    template: dict[str, Any] = renderer.get_filled_template()
    return template


def points_drawn(
    name: str, root: Path, tables: Tables, revisions: tuple[str, ...] = ("workspace",)
) -> Iterator[dict[str, str]]:
    """The points of a template's drawing, or the cells of its maps."""
    svg = vl_convert.vegalite_to_svg(filled(name, root, tables.languages, tables.source_language, revisions))
    assert BY_NAME[name].TITLE in svg
    return points_of(svg, "rect mark" if name == "pairwise_heatmap" else "point")


def points_of(svg: str, role: str = "point") -> Iterator[dict[str, str]]:
    """The points of a drawing: what their description says, and `colour` and `path`."""
    assert "NaN" not in svg
    assert "undefined" not in svg
    for mark in re.findall(rf'<path[^>]*aria-roledescription="{role}"[^>]*>', svg):
        told = dict(re.findall(r"(?:^|; )([^:;]+): ([^;]*)", re.search(r'aria-label="([^"]*)"', mark)[1]))  # type: ignore[index]
        colours = [re.search(rf' {channel}="([^"]*)"', mark) for channel in ("fill", "stroke")]
        told["colour"] = next(found[1] for found in colours if found and found[1] != "transparent")
        told["path"] = re.search(r' d="([^"]*)"', mark)[1]  # type: ignore[index]
        yield told


@pytest.mark.parametrize("name", PLOTS)
def test_dvc_plots_draw_every_point(name: str, root: Path, tables: Tables) -> None:
    steps, categories, languages, layers = 5, 3, 6, 2
    points = {
        "overlap_over_steps": steps * categories,
        "overlap_per_layer": 5 * categories,
        "overlap_and_transfer_over_steps": 3 * steps,
        "transfer_over_steps": 2 * steps * languages,
        "overlap_against_transfer": 2 * steps * (languages - 1),
        "overlap_with_source_over_steps": layers * steps * (languages - 1),
        "pairwise_heatmap": categories * layers * languages**2,
    }[name]
    assert len(list(points_drawn(name, root, tables, ("main", "workspace")))) == 2 * points


def test_the_heatmaps_dots_are_its_significant_pairs(root: Path, tables: Tables) -> None:
    svg = vl_convert.vegalite_to_svg(filled("pairwise_heatmap", root, tables.languages, tables.source_language))
    dots = re.findall(r'aria-roledescription="point"[^>]*opacity="1"', svg)
    assert len(dots) == tables.heatmap["significant"].sum()


@pytest.mark.parametrize(
    ("figure", "keys", "value"),
    [
        (overlap_over_steps, {"checkpoint": "checkpoint", "series": "series"}, {"overlap": "overlap rate"}),
        (overlap_per_layer, {"layer": "layer", "category": "category"}, {"overlap": "overlap rate"}),
        (overlap_and_transfer_over_steps, {"checkpoint": "checkpoint", "panel": "panel"}, {"value": "value"}),
        (overlap_against_transfer, {"checkpoint": "checkpoint", "language": "language"}, {"score": "zero-shot score"}),
        (transfer_over_steps, {"checkpoint": "checkpoint", "language": "language"}, {"score": "test score"}),
        (
            overlap_with_source_over_steps,
            {"checkpoint": "checkpoint", "language": "language"},
            {"overlap": "overlap rate with the source language"},
        ),
    ],
    ids=lambda value: getattr(value, "NAME", None),
)
def test_dvc_plots_show_the_figures_numbers(
    figure: ModuleType, keys: dict[str, str], value: dict[str, str], uneven_root: Path, uneven_tables: Tables
) -> None:
    data = figure.data(uneven_tables)
    if figure is overlap_over_steps:
        data = data[data["series"] != SHUFFLED]
    expected = [(*map(str, row[:-1]), row[-1]) for row in data[[*keys, *value]].itertuples(index=False, name=None)]
    ((_, axis),) = value.items()
    found = [
        (*(point[key] for key in keys.values()), float(point[axis]))
        for point in points_drawn(figure.NAME, uneven_root, uneven_tables)
    ]
    assert len(found) == len(expected)
    for one, other in zip(sorted(found), sorted(expected), strict=True):
        assert one[:-1] == other[:-1]
        assert one[-1] == pytest.approx(other[-1], rel=1e-8)


@pytest.mark.parametrize("name", [name for name, plot in PLOTS.items() if "y_label" in plot])
def test_dvc_plots_give_a_language_the_figures_colour(name: str, uneven_root: Path, uneven_tables: Tables) -> None:
    expected = {code: mark.colour for code, mark in language_marks(UNEVEN.languages, "qaa").items()}
    points = list(points_drawn(name, uneven_root, uneven_tables))
    found = {(point["language"], point["colour"], point["path"]) for point in points}
    assert {(code, colour) for code, colour, _ in found} <= set(expected.items())
    assert len({path for *_, path in found}) == len({code for code, *_ in found}) == len(found) >= 4


def test_dvc_plots_give_a_category_the_figures_colour(full_root: Path, full_tables: Tables, tmp_path: Path) -> None:
    expected = {name: mark.colour for name, mark in category_marks(full_tables.means).items()}
    assert list(expected)[:4] == ["POS", "Number", "Gender", "Case"]
    shutil.copytree(full_root / "plots", tmp_path / "plots")
    scan_first = full_tables.layers.sort_values("studied", kind="stable")
    scan_first = scan_first[scan_first["studied"] | ~scan_first["category"].isin(["Part of Speech"])]
    overlap.LAYERS.write(scan_first.astype({"tokens_seen": "Int64"}), tmp_path / overlap.LAYERS.path)
    assert short_name(scan_first["category"].iloc[0]) != "POS"
    for name, column in (("overlap_over_steps", "series"), ("overlap_per_layer", "category")):
        found = {(point[column], point["colour"]) for point in points_drawn(name, tmp_path, full_tables)}
        assert found == {pair for pair in expected.items() if name == "overlap_per_layer" or pair[0] in [*expected][:3]}


def test_dvc_hands_the_studys_languages_to_its_plots(uneven_root: Path, tmp_path: Path) -> None:
    def dvc(*words: str) -> str:
        return subprocess.run([sys.executable, "-m", "dvc", *words], cwd=tmp_path, check=True, capture_output=True,
                              text=True, env={**os.environ, "DVC_NO_ANALYTICS": "1"}).stdout  # fmt: skip

    dvc("init", "--no-scm", "--quiet")
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots", dirs_exist_ok=True)
    shutil.copytree(uneven_root / "plots", tmp_path / "plots")
    YAML().dump({"plots": [{name: plot} for name, plot in PLOTS.items()]}, tmp_path / "dvc.yaml")
    YAML().dump({"languages": list(UNEVEN.languages), "source_language": "qaa"}, tmp_path / "params.yaml")
    shown = json.loads(dvc("plots", "show", "--json"))["data"]
    for name, (plot,) in shown.items():
        assert plot["content"] == filled(name, uneven_root, UNEVEN.languages, "qaa")
    assert set(shown) == set(PLOTS)


def test_dvc_plots_use_the_figures_colours_shapes_and_names() -> None:
    many = list(marks([str(place) for place in range(36)]).values())
    colours, shapes = [mark.colour for mark in many], [SHAPES[mark.marker] for mark in many]
    for file in sorted((ROOT / ".dvc/plots").glob("*.json")):
        text = file.read_text(encoding="utf-8")
        template = json.loads(text)
        if file.stem != "pairwise_heatmap":
            source = file.stem == "transfer_over_steps"
            assert template["config"]["range"] == {
                "category": [SOURCE_COLOUR] * source + colours,
                "symbol": [SHAPES[SOURCE_MARKER]] * source + shapes,
            }
        for names in re.findall(r"\{('Part of Speech'[^}]*)\}", text):
            assert dict(re.findall(r"'([^']*)': '([^']*)'", names)) == {
                full: name for name, full in SHORT_NAMES.items()
            }


def test_every_template_is_used() -> None:
    assert {plot["template"] for plot in PLOTS.values()} == {file.stem for file in (ROOT / ".dvc/plots").glob("*.json")}


@pytest.mark.parametrize("name", [name for name in PLOTS if name != "pairwise_heatmap"])
def test_dvc_plots_show_what_the_page_shows(name: str, uneven_root: Path, uneven_tables: Tables) -> None:
    """The same points, in the same colours and shapes, with the same words."""
    figure = BY_NAME[name]
    chart = figure.chart(figure.data(uneven_tables), uneven_tables)
    on_page = dict(chart.views[0].specification) | {"datasets": {"rows": chart.rows}}
    rings = 'aria-roledescription="point" stroke="#000000"'
    expected = list(points_of(vl_convert.vegalite_to_svg(on_page).replace(rings, "")))
    found = list(points_drawn(name, uneven_root, uneven_tables))
    own = {"rev", "checkpoint"}
    said = {"overlap rate with qaa": "overlap rate with the source language"}

    def told(point: dict[str, str]) -> tuple[list[str], list[float]]:
        kept = sorted((said.get(key, key), value) for key, value in point.items() if key not in own)
        numbers = [float(value) for _, value in kept if re.fullmatch(r"-?[\d.]+", value)]
        return [f"{key}: {value}" for key, value in kept if not re.fullmatch(r"-?[\d.]+", value)], numbers

    # The page has six digits, and a tooltip three decimals.
    for shown, wanted in zip(sorted(map(told, found)), sorted(map(told, expected)), strict=True):
        assert shown[0] == wanted[0]
        assert shown[1] == pytest.approx(wanted[1], abs=1.1e-3)


def test_a_study_with_one_checkpoint_has_its_figures(tmp_path: Path) -> None:
    found = synthetic_study.complete(tmp_path, Synthetic(steps={"pocket": (400,)}, languages=("qaa", "qab")))
    for figure in FIGURES:
        data = figure.data(found)
        assert figure.draw(data, found).axes
    for name in PLOTS:
        assert list(points_drawn(name, tmp_path, found))
