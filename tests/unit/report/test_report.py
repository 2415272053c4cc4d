"""The HTML page: whole, offline, escaped, the same bytes each time. (In a browser: test_report_in_a_browser.py.)"""

import base64
import io
import json
import re
from collections import Counter
from contextlib import chdir
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from polyprobe.artefacts import corpus, correlation, manifest, overlap
from polyprobe.figures import FIGURES
from polyprobe.report.fonts import font_faces
from polyprobe.report.listings import corpus_listing, neuron_listing, p_value, selection_listings
from polyprobe.report.page import _json
from polyprobe.running.errors import BadInputError
from polyprobe.stages.correlate import correlate
from polyprobe.stages.predictors import predictors
from polyprobe.stages.report import report
from support import synthetic_study
from support.synthetic_study import POCKET, Synthetic

INDEX = Path("data/report/index.html")
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Open tags, ids, links, and the texts of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.heads_without_scope = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href") and value]
        self.heads_without_scope += tag == "th" and "scope" not in given
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("study")
    synthetic_study.complete(found)
    with chdir(found):
        report(synthetic_study.params())
    return found


@pytest.fixture(scope="module")
def page(root: Path) -> Page:
    return Page((root / INDEX).read_text(encoding="utf-8"))


def test_the_page_is_well_formed_and_its_ids_are_unique(page: Page) -> None:
    assert page.open == []
    assert [name for name, count in Counter(page.ids).items() if count > 1] == []


def test_the_page_needs_no_network(root: Path, page: Page) -> None:
    assert [link for link in page.links if not link.startswith(("#", "data:"))] == []
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    text = (root / INDEX).read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"@import|url\(['\"]?http|src=['\"]?http", own)


def test_figures_for_print_are_in_the_page(root: Path, page: Page) -> None:
    drawn = {figure.NAME for figure in FIGURES}
    held = {base64.b64decode(link.split(",", 1)[1]) for link in page.links if ";base64," in link}
    files = [root / f"data/report/figures/{name}.{kind}" for name in drawn for kind in ("svg", "pdf")]
    assert held == {file.read_bytes() for file in files}
    assert min(map(len, held)) > 1000


def test_every_figure_has_its_chart(page: Page) -> None:
    charts = {figure.NAME for figure in FIGURES if hasattr(figure, "chart") or hasattr(figure, "chart_of_map")}
    assert {figure.NAME for figure in FIGURES} == charts <= set(page.ids)


def test_tables_and_drawings_can_be_read_aloud(root: Path, page: Page) -> None:
    assert page.tags["caption"] == page.tags["table"] >= 7
    assert page.heads_without_scope == 0
    text = (root / INDEX).read_text(encoding="utf-8")
    for figure in FIGURES:
        assert f'role="group" aria-label="{figure.TITLE}"' in text


def test_the_page_shows_the_numbers(root: Path) -> None:
    text = (root / INDEX).read_text(encoding="utf-8")
    cells = {(cell["task"], cell["aggregation"]): cell for cell in correlation.TABLE.read(root / correlation.TABLE.path)
             if cell["category"] is None}  # fmt: skip
    row = text[text.index("Correlation of overlap and transfer") :]
    for cell in cells.values():
        assert f"<td>{cell['n']}</td><td>{cell['r']:.3f}</td>" in row
    assert "800 / 100 / 100" in text
    assert "fewer than two values with 20 words" in text
    assert "step-180" in text
    assert "What is missing here" not in text


@pytest.fixture
def one_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws one figure only, for tests of the page around it."""
    monkeypatch.setattr("polyprobe.report.page.FIGURES", FIGURES[-2:-1])


@pytest.mark.usefixtures("one_figure")
def test_what_is_withheld_and_what_was_dropped_is_said(tmp_path: Path) -> None:
    study = Synthetic(transfer_works=False)
    synthetic_study.write(tmp_path, study)
    file = tmp_path / manifest.path("step-80")
    manifest.write(file, replace(manifest.read(file), dropped=True))
    with chdir(tmp_path):
        correlate(synthetic_study.params(study))
        predictors(synthetic_study.params(study))
        report(synthetic_study.params(study))
    text = (tmp_path / INDEX).read_text(encoding="utf-8")
    assert "at chance" in text
    assert "dropped as a duplicate" in text
    assert not re.search(r"\bnan\b|\bNone\b", re.sub(r"<(script|style).*?</\1>", "", text, flags=re.DOTALL))


@pytest.mark.usefixtures("one_figure")
def test_a_report_is_reproducible_escaped_and_stays_when_a_table_is_missing(tmp_path: Path) -> None:
    synthetic_study.complete(tmp_path)
    with chdir(tmp_path):
        report(synthetic_study.params(study="a<b>&c"))
        first = {file: file.read_bytes() for file in INDEX.parent.rglob("*.*")}
        report(synthetic_study.params(study="a<b>&c"))
        assert {file: file.read_bytes() for file in INDEX.parent.rglob("*.*")} == first
        text = INDEX.read_text(encoding="utf-8")
        assert "<title>polyprobe: a&lt;b&gt;&amp;c</title>" in text
        assert "a<b>" not in text
        overlap.HEATMAP.path.unlink()
        with pytest.raises(BadInputError, match=r"plots/overlap/heatmap.csv: no such table"):
            report(synthetic_study.params())
        assert INDEX.read_text(encoding="utf-8") == text


def test_data_in_the_page_cannot_end_its_script(tmp_path: Path) -> None:
    """Codes of checkpoints are checked; texts that come from elsewhere are not trusted all the same."""
    hostile = "</script><script>alert(1)</script>"
    shown = str(_json({"name": hostile, "line": "\u2028"}))
    assert "<" not in shown
    assert json.loads(shown)["name"] == hostile


def test_the_font_holds_what_is_shown_and_is_the_same_each_time() -> None:
    first = font_faces("naïve ρ")
    assert first == font_faces("ρ naïve")
    assert first != font_faces("")
    faces = [TTFont(io.BytesIO(base64.b64decode(face))) for face in re.findall(r"base64,([^)]+)\)", first)]
    assert len(faces) == 2
    for face in faces:
        assert set(map(ord, "naïveρ–")) <= set(face.getBestCmap())
        assert len(face.getBestCmap()) < 200


def test_categories_that_no_language_has_are_left_out_of_the_corpus_table() -> None:
    entries = [
        entry | {"probed": False, "reason": "no words"} if entry["category"] == "Number" else entry
        for entry in synthetic_study.corpus_entries(POCKET)
    ]
    listing = corpus_listing(entries)
    assert listing.heads == ["language", "POS", "Gender"]
    assert listing.rows[-1] == ["qaf", "800 / 100 / 100", "–"]


def test_p_values_read_as_in_the_paper() -> None:
    assert [p_value(value) for value in (0.052, 8.774e-05, 1.0, None)] == ["0.052", "8.8e-05", "1.000", "–"]


def test_an_empty_corpus_is_shown(tmp_path: Path) -> None:
    corpus.TABLE.write([], tmp_path / corpus.TABLE.path)
    assert corpus_listing(corpus.TABLE.read(tmp_path / corpus.TABLE.path)).rows == []


def test_the_layer_scan_ranks_layers_and_categories(tmp_path: Path) -> None:
    found = synthetic_study.complete(tmp_path)
    layers, categories = selection_listings(found)
    scan = found.layers[found.layers["control"] == "none"]
    means = scan.groupby("layer")["corrected"].mean().sort_values(ascending=False, kind="stable")
    assert [int(row[0]) for row in layers.rows] == means.index.tolist()
    assert {row[0] for row in layers.rows if row[-1] == "yes"} == {"3", "4"}
    assert [row[1] for row in categories.rows] == ["6", "6", "6"]
    single = found.layers[found.layers["layer"] == 3]
    assert selection_listings(replace(found, layers=single)) == []


def test_the_neurons_of_most_languages_are_listed(tmp_path: Path) -> None:
    found = synthetic_study.complete(tmp_path)
    listing = neuron_listing(found.neurons)
    assert len(listing.rows) == 2 * 3 * 2
    assert [row[3:6] for row in listing.rows[:2]] == [["7", "6", "6"], ["5", "3", "6"]]
    assert neuron_listing(found.neurons[:0]).rows == []
