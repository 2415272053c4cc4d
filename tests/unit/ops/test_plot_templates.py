"""The templates of `dvc plots`, which a command writes from the figures' charts."""

from pathlib import Path

import pytest

from polyprobe.cli import main
from polyprobe.ops.plot_templates import FOLDER, write_templates
from polyprobe.running.errors import BadInputError
from support import ROOT


def test_the_committed_templates_are_what_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    (folder / "gone.json").write_text("{}")
    (folder / "offline.html").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["plot-templates"])
    assert not ended.value.code
    written = {file.name: file.read_bytes() for file in folder.glob("*.json")}
    assert sorted(capsys.readouterr().out.split()) == sorted(f"{FOLDER}/{name}" for name in written)
    held = {file.name: file.read_bytes() for file in (ROOT / FOLDER).glob("*.json")}
    assert written == held, "run `polyprobe plot-templates` and commit what it wrote"
    assert (folder / "offline.html").exists()
    write_templates(folder)
    assert {file.name: file.read_bytes() for file in folder.glob("*.json")} == held


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="expected the root of a DVC repository"):
        write_templates(tmp_path / FOLDER)
    assert not (tmp_path / ".dvc").exists()
