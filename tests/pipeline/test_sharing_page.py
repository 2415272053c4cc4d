"""The commands of docs/sharing.md that set a remote on another host; test_documented_commands.py runs the others."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from polyprobe.ops.remote.commands import app
from support import ROOT, documented

pytestmark = pytest.mark.pipeline

PAGE = "docs/sharing.md"
ELSEWHERE = [command for command in documented.commands(PAGE) if command.needs == "network"]
SECRETS = {"S3_SECRET": "hunter2", "DAV_PASSWORD": "hunter2", "DAV_TOKEN": "hunter2"}


@pytest.mark.parametrize("name", ["push", "pull"])
def test_make_pushes_and_pulls_as_the_page_says(name: str) -> None:
    printed = subprocess.run(
        ["make", "--dry-run", "--assume-old=install", name], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    # Started by another make, make also names the folders that it enters and leaves.
    assert any(line.endswith(f"dvc {name} --run-cache") for line in printed.splitlines()), printed


@pytest.mark.parametrize("block", [list(block) for _, block in itertools.groupby(ELSEWHERE, lambda one: one.block)])
def test_settings_for_another_host_are_taken(block: list[documented.Command], tmp_path: Path) -> None:
    from dvc.config import Config

    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".dvc").mkdir()
    for file in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / file, tmp_path / ".dvc" / file)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in block:
        if not command.text.startswith("dvc pull"):
            assert command.text.startswith("dvc remote "), command.text
            environment = os.environ | SECRETS | {"PATH": path, "HOME": str(tmp_path), "DVC_NO_ANALYTICS": "1"}
            subprocess.run(["bash", "-euc", command.text], cwd=tmp_path, env=environment, check=True)
    name = block[-1].text.split("--remote ")[-1] if "--remote " in block[-1].text else "storage"
    # Validated as DVC reads it, all levels together.
    settings = Config(str(tmp_path / ".dvc"))["remote"][name]
    assert "example.org" in settings["url"] or "my-bucket" in settings["url"]
    assert settings["verify"] is True
    assert "hunter2" not in (tmp_path / ".dvc/config").read_text()


def test_the_page_names_every_command_and_every_option() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    for name, command in group.commands.items():
        assert f"polyprobe remote {name}" in text
        for parameter in command.params:
            assert parameter.opts[0] in text, f"{name} {parameter.opts[0]}"
