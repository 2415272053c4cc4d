"""The page in which `dvc plots show` draws without a network."""

from pathlib import Path

import pytest

from polyprobe.cli import main
from polyprobe.ops.offline_plots import PAGE, write_offline_page
from polyprobe.running.errors import BadInputError


def test_the_page_carries_vega_and_dvcs_placeholders(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    page = tmp_path / PAGE
    assert write_offline_page(page)
    text = page.read_text(encoding="utf-8")
    assert text.count("{plot_divs}") == text.count("{refresh_tag}") == 1
    assert "{scripts}" not in text, "DVC would load Vega from the internet there"
    assert text.count("<script>") == text.count("</script>") == 1
    assert "window.vegaEmbed" in text
    assert len(text) > 500_000


def test_a_current_page_is_left_alone_and_an_old_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda snippet, vl_version: snippet)
    (tmp_path / ".dvc").mkdir()
    page = tmp_path / PAGE
    write_offline_page(page)
    before = page.stat().st_mtime_ns
    assert not write_offline_page(page)
    assert page.stat().st_mtime_ns == before
    page.write_text(page.read_text(encoding="utf-8").replace("vl-convert-python ", "vl-convert-python 0.0.", 1))
    assert write_offline_page(page)


def test_outside_of_a_repository_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="expected the root of a DVC repository"):
        write_offline_page(tmp_path / PAGE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"error: \.dvc: no such folder"):
        main(["offline-plots"])
    assert not (tmp_path / ".dvc").exists()
