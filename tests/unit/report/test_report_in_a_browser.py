"""The report and `dvc plots show` in a real browser without a network: drawn, silent, usable."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from polyprobe.artefacts import corpus, overlap
from polyprobe.stages.correlate import correlate
from polyprobe.stages.predictors import predictors
from polyprobe.stages.report import report
from support import ROOT, synthetic_study
from support.chromium import Browser, chromium, needs_chromium
from support.synthetic_study import PAPER_FULL, POCKET, Synthetic

pytestmark = needs_chromium
INDEX = Path("data/report/index.html")
LOCAL = ROOT / "docs/results/local/report.html"
MARKS = "svg .mark-symbol path, svg .mark-line path, svg .mark-rect path"
CELLS = "#pairwise_heatmap .mark-rect.role-mark path"
MAP = f"[...document.querySelectorAll('{CELLS}')].map(mark => mark.getAttribute('fill'))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def written(folder: Path, study: Synthetic) -> Path:
    """The report of a made-up study."""
    synthetic_study.complete(folder, study)
    with chdir(folder):
        report(synthetic_study.params(study))
    return folder / INDEX


@pytest.fixture(scope="module")
def pocket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pocket"), POCKET)


@pytest.fixture(scope="module")
def papers_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("paper"), PAPER_FULL)


def opened(browser: Browser, page: Path, **looks: object) -> None:
    browser.complaints(), browser.requests()
    browser.open(page, **looks)  # type: ignore[arg-type]
    browser.wait("document.documentElement.dataset.drawn")


def drawn_alone(browser: Browser, page: Path) -> None:
    """The page asked for nothing but itself, complained of nothing, and each of its charts has marks."""
    assert browser.requests() == {page.resolve().as_uri()}
    assert browser.complaints() == []
    marks = browser.run(
        f"return [...document.querySelectorAll('.chart')].map(chart => [chart.closest('figure').id, "
        f"chart.querySelectorAll('{MARKS}').length])"
    )
    assert marks
    assert [name for name, count in marks if not count] == []


@pytest.mark.parametrize("looks", [{}, {"dark": True}, {"width": 390, "height": 800}], ids=["light", "dark", "phone"])
@pytest.mark.parametrize("study", ["pocket", pytest.param("papers_size", marks=pytest.mark.soak)])
def test_the_report_is_drawn_and_asks_for_nothing(
    browser: Browser, study: str, looks: dict[str, object], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page = request.getfixturevalue(study)
    opened(browser, page, **looks)
    drawn_alone(browser, page)
    assert browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    name = "-".join(["report", study, *(key for key in looks if key != "height")])
    browser.screenshot(tmp_path / f"{name}.png")


@pytest.mark.skipif(not LOCAL.exists(), reason="the study local has no report in docs/")
def test_the_committed_report_of_the_local_study(browser: Browser, tmp_path: Path) -> None:
    opened(browser, LOCAL)
    drawn_alone(browser, LOCAL)
    browser.screenshot(tmp_path / "report-local.png")


def test_choosing_changes_the_map(browser: Browser, pocket: Path) -> None:
    opened(browser, pocket)
    seen = [browser.run(f"return {MAP}")]
    choosers = {
        name: Select(browser.driver.find_element(By.CSS_SELECTOR, f"#pairwise_heatmap select[name={name}]"))
        for name in ("checkpoint", "layer", "category")
    }
    assert [option.text for option in choosers["layer"].options] == ["1", "2", "3", "4", "5"], "the scan, at the last"
    for name, value in (("category", "Number"), ("layer", "4"), ("checkpoint", "step-80")):
        choosers[name].select_by_visible_text(value)
        found = browser.wait(f"JSON.stringify({MAP}) !== JSON.stringify({seen[-1]}) && {MAP}")
        assert len(found) == len(POCKET.languages) ** 2
        assert found not in seen
        seen.append(found)
    assert [option.text for option in choosers["layer"].options] == ["3", "4"], "what this checkpoint has"
    assert browser.run("return document.querySelector('.told').textContent").startswith("15 pairs")
    assert browser.complaints() == []


def test_the_map_is_that_of_its_table(browser: Browser, pocket: Path) -> None:
    opened(browser, pocket)
    rows = browser.run(
        "return [...document.querySelectorAll('#pairs-table tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )
    pairs = synthetic_study.pairs(POCKET)
    pairs = pairs[
        (pairs["checkpoint"] == "step-400") & (pairs["layer"] == 3) & (pairs["category"] == "Part of Speech")
        & (pairs["control"] == "none") & (pairs["language_a"] != pairs["language_b"])
    ]  # fmt: skip
    expected = [
        [f"{row.language_a} and {row.language_b}", row.overlap, "yes" if row.significant else "", row.neurons]
        for row in pairs.itertuples()
    ]
    assert [[row[0], row[4], row[5]] for row in rows] == [[pair, yes, neurons] for pair, _, yes, neurons in expected]
    assert [float(row[1]) for row in rows] == pytest.approx([rate for _, rate, _, _ in expected], abs=6e-4)


def test_hovering_shows_the_shared_neurons(browser: Browser, pocket: Path) -> None:
    opened(browser, pocket)
    cell = browser.driver.find_elements(By.CSS_SELECTOR, CELLS)[1]
    browser.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", cell)
    # Beside the dot in the middle.
    ActionChains(browser.driver).move_to_element_with_offset(cell, -9, -9).perform()
    shown = browser.wait("document.querySelector('#vg-tooltip-element.visible')?.textContent")
    assert "shared neurons" in shown
    told = browser.run(
        "return [...document.querySelectorAll('#pairs-table tbody td:last-child')].map(cell => cell.textContent)"
    )
    assert any(neurons in shown for neurons in told if neurons != "–")


def test_tables_are_sorted_by_keyboard(browser: Browser, pocket: Path) -> None:
    opened(browser, pocket)
    table = browser.driver.find_element(By.CSS_SELECTOR, "#corpus ~ .scroll table, #correlation ~ .scroll table")
    for column, button in enumerate(table.find_elements(By.CSS_SELECTOR, "thead button")[:4]):
        orders = []
        for _ in range(2):
            browser.run("arguments[0].focus()", button)
            browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
            column_of = "return [...arguments[0].tBodies[0].rows].map(row => row.cells[arguments[1]].textContent)"
            orders.append(browser.run(column_of, table, column))
        assert sorted(orders[0]) == sorted(orders[1])
        head = browser.run("return arguments[0].closest('th').getAttribute('aria-sort')", button)
        assert head == "ascending"
        if len(set(orders[0])) > 1:
            assert orders[0] != orders[1]
    assert browser.complaints() == []


def test_the_axis_can_be_that_of_subwords_seen(browser: Browser, pocket: Path) -> None:
    opened(browser, pocket)
    title = "[...document.querySelectorAll('#overlap_over_steps .role-axis-title text')].map(text => text.textContent)"
    assert "training step" in browser.run(f"return {title}")
    browser.driver.find_element(By.CSS_SELECTOR, "#overlap_over_steps input[value='1']").click()
    browser.wait(f"{title}.includes('sub-words seen')")
    assert browser.complaints() == []


def test_the_page_prints(browser: Browser, pocket: Path, tmp_path: Path) -> None:
    opened(browser, pocket, dark=True)
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    content = base64.b64decode(printed["data"])
    assert content.startswith(b"%PDF")
    (tmp_path / "report.pdf").write_bytes(content)


@pytest.mark.parametrize(
    "study",
    [
        replace(POCKET, steps={"pocket": (400,)}),
        pytest.param(replace(POCKET, languages=("qaa", "qab")), marks=pytest.mark.soak),
        pytest.param(replace(POCKET, transfer_works=False), marks=pytest.mark.soak),
    ],
    ids=["one checkpoint", "one pair", "at chance"],
)
def test_what_is_missing_is_said_and_no_chart_is_empty(browser: Browser, study: Synthetic, tmp_path: Path) -> None:
    page = written(tmp_path, study)
    opened(browser, page)
    drawn_alone(browser, page)
    assert browser.run("return document.querySelector('.flag')?.textContent.length") > 20


@pytest.mark.slow
def test_a_task_that_was_not_run_and_a_category_of_one_language(browser: Browser, tmp_path: Path) -> None:
    study = synthetic_study.params(POCKET)
    synthetic_study.write(tmp_path, POCKET)
    shutil.rmtree(tmp_path / "data/transfer/xnli")
    for kind in (overlap.PAIRS, overlap.MEANS, overlap.SIZES, overlap.LAYERS, overlap.HEATMAP):
        table = kind.read(tmp_path / kind.path)
        gone = table["category"] == "Gender and Noun Class"
        if {"language_a", "language_b"} <= set(table.columns):
            gone &= ~((table["language_a"] == "qaa") & (table["language_b"] == "qaa"))
        kind.write(table[~gone], tmp_path / kind.path)
    entries = [
        entry | {"probed": False, "reason": "no words"}
        if entry["category"] == "Gender and Noun Class" and entry["language"] != "qaa"
        else entry
        for entry in synthetic_study.corpus_entries(POCKET)
    ]
    corpus.TABLE.write(entries, tmp_path / corpus.TABLE.path)
    with chdir(tmp_path):
        correlate(study)
        predictors(study)
        report(study)
    opened(browser, tmp_path / INDEX)
    drawn_alone(browser, tmp_path / INDEX)
    told = browser.run("return document.querySelector('.flag').textContent")
    assert "XNLI" in told
    assert "Gender" in told
    assert "qaa alone has it" in told


def test_dvc_plots_show_is_drawn_without_a_network(browser: Browser, tmp_path: Path) -> None:
    if not (ROOT / ".dvc/plots/offline.html").exists():
        pytest.skip("no .dvc/plots/offline.html here: `make install` writes it")
    # A copy: DVC locks the repository that it looks at.
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (".dvc/plots", ".dvc/config", "dvc.yaml", "params.yaml", "dvc.lock", "plots", "metrics", "src", ".git"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name)
        elif (ROOT / name).exists():
            (copy / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "dvc", "plots", "show", "-o", str(tmp_path / "shown")]
    subprocess.run(command, cwd=copy, env=os.environ | {"DVC_NO_ANALYTICS": "1"}, check=True, capture_output=True)
    page = tmp_path / "shown/index.html"
    browser.complaints(), browser.requests()
    browser.open(page)
    browser.wait("document.querySelectorAll('.vega-embed').length > 0 && [...document.querySelectorAll('.vega-embed')]"
                 ".every(plot => plot.querySelector('canvas, svg'))")  # fmt: skip
    assert browser.requests() == {page.resolve().as_uri()}
    assert [line for line in browser.complaints() if line.startswith("SEVERE")] == []
    browser.screenshot(tmp_path / "dvc-plots-show.png")
