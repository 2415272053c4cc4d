"""The commands of docs/sharing.md, run as they stand there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import documented
import pytest
from shared_study import REMOTE, Clone, clone_of, copy_of
from tiny_project import ROOT, Project

from polyprobe.ops.remote.__main__ import _parser
from polyprobe.ops.remote.kinds import settings

pytestmark = pytest.mark.pipeline

PAGE = "docs/sharing.md"
PREFIX = "python -m polyprobe.ops.remote "
COMMANDS = [command for command in documented.commands(PAGE) if command.block is not None]
TO_MAKE = {f"make {name}": f"{PREFIX}{name}" for name in ("push", "pull")}


def test_make_pushes_and_pulls_as_the_page_says() -> None:
    for command in TO_MAKE:
        told = subprocess.run(
            ["make", "--dry-run", "--assume-old=install", command.removeprefix("make ")],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        # Started by another make, make also names the folders that it enters and leaves.
        assert any(line.endswith(TO_MAKE[command]) for line in told.splitlines()), told


@pytest.mark.slow
def test_every_command_of_the_page_is_run(finished: Project, tmp_path: Path) -> None:
    owner = copy_of(finished, tmp_path / "mine")
    first, *rest = [command for command in COMMANDS if command.needs is None]
    assert first.text == "git clone URL theirs"
    clone: Clone | None = None
    # The first block is a colleague's, who reads what the owner pushed by the rest of the page.
    block = [command.text for command in rest if command.block == first.block]
    for text in [command.text for command in rest if command.block != first.block]:
        assert text.startswith(PREFIX) or text in TO_MAKE, text
        arguments = shlex.split(TO_MAKE.get(text, text).removeprefix(PREFIX))
        status, said = owner.remote(*arguments)
        assert status == 0, f"{text}: {said}"
    assert block == ["cd theirs", "make install", "make pull", "dvc status"]
    clone = clone_of(owner, tmp_path / "theirs")
    assert clone.remote("set", "../shared-results")[0] == 0
    clone.pull()
    clone.is_whole(owner.outputs())


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.needs == "network"], ids=str)
def test_a_command_for_another_host_is_taken(
    command: documented.Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.config import Config

    monkeypatch.setenv("HOME", str(tmp_path))
    assert command.text.startswith(PREFIX), command.text
    given = shlex.split(command.text.removeprefix(PREFIX))
    arguments = _parser().parse_args(given)
    for name in ("keyfile", "credentials", "certificate"):
        if file := getattr(arguments, name):
            path = Path(file.replace("~", str(tmp_path)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    options = {
        name: getattr(arguments, name)
        for name in ("user", "ask_password", "keyfile", "profile", "endpoint_url", "region", "credentials", "project")
    }
    options["password"] = "typed" if arguments.prompt or arguments.password_from else None
    options["token"] = "given" if arguments.token_from else None
    Config.validate({"remote": {"storage": settings(arguments.url, options)}})


def test_the_page_names_every_command_and_every_option() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    parser = _parser()
    (commands,) = (action for action in parser._actions if action.dest == "command")
    for name, sub in commands.choices.items():  # type: ignore[union-attr]
        assert re.search(rf"ops\.remote {name}|`{name}`|make {name}", text), name
        for action in sub._actions:
            for option in action.option_strings:
                known = option in ("-h", "--help", "--jobs", "--anonymous") or option in text
                assert known, f"{name} {option}"
    assert REMOTE[0] == sys.executable
