"""The command `polyprobe`: its table of contents, its helps, its completion, its errors."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from polyprobe import cli
from polyprobe.running.errors import BadInputError
from support import ROOT

COMMANDS = "cluster cost doctor offline-plots plot-templates pocket remote report scores stage study".split()


def walk(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield the path of each command below a group, and whether it is a group of commands itself."""
    for name, command in sorted(getattr(group, "commands", {}).items()):
        below = hasattr(command, "commands")
        yield (*path, name), below
        if below:
            yield from walk(command, (*path, name))


ALL = list(walk(typer.main.get_command(cli.app)))


def test_the_table_of_contents() -> None:
    assert [path[0] for path, _ in ALL if len(path) == 1] == COMMANDS
    shown = CliRunner().invoke(cli.app, ["--help"]).output
    lines = [line for name in COMMANDS for line in shown.splitlines() if line.startswith(f"  {name} ")]
    assert len(lines) == len(COMMANDS)
    assert not [line for line in lines if line.endswith("...")], "what it is for does not fit the line"


@pytest.mark.parametrize(("path", "group"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_each_help_says_what_a_command_does_and_gives_an_example(path: tuple[str, ...], group: bool) -> None:
    shown = CliRunner().invoke(cli.app, [*path, "--help"])
    assert shown.exit_code == 0
    if not group:
        assert f"Example: polyprobe {' '.join(path)}" in " ".join(shown.output.split())


def test_nothing_heavy_is_imported_for_help() -> None:
    heavy = {"torch", "transformers", "pandas", "numpy", "dvc", "scipy", "pydantic", "rich", "distributed", "yaml"}
    script = (
        "import sys\nfrom polyprobe.cli import main\ntry: main(['--help'])\n"
        f"except SystemExit: print('imported:', sorted({heavy!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = "import sys, polyprobe; print(sorted(name for name in sys.modules if name.startswith('polyprobe')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['polyprobe']\n"


def test_the_version_is_that_of_the_metadata() -> None:
    import polyprobe

    assert polyprobe.__version__ == version("polyprobe")
    assert CliRunner().invoke(cli.app, ["--version"]).output == f"polyprobe {version('polyprobe')}\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = polyprobe.nothing


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_commands(shell: str) -> None:
    environment = {"_POLYPROBE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "polyprobe st"}
    environment |= {"COMP_WORDS": "polyprobe st", "COMP_CWORD": "1"}
    done = CliRunner(env=environment).invoke(cli.app, [], prog_name="polyprobe")
    assert {"stage", "study"} <= set(done.output.replace('"', " ").replace(":", " ").split())
    assert "scores" not in done.output
    script = CliRunner(env={"_POLYPROBE_COMPLETE": f"source_{shell}"}).invoke(cli.app, [], prog_name="polyprobe")
    assert "_POLYPROBE_COMPLETE" in script.output


def test_bad_input_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise BadInputError("params.yaml: nothing there")

    monkeypatch.setattr("polyprobe.ops.study.in_force", fail)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["study", "show"])
    assert stopped.value.code == "error: params.yaml: nothing there"


def test_a_stage_says_what_it_does_and_how_it_is_called() -> None:
    command = [sys.executable, "-m", "polyprobe.stages.probe", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith("usage: python -m polyprobe.stages.probe KEY\n\nWhich neurons of a checkpoint")


def test_a_stage_that_there_is_not_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["stage", "nine"])
    assert str(stopped.value.code).startswith(
        "error: dvc.yaml: no stage 'nine', expected one of watch, inputs, fetch_ud"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["stage", "probe"])
    assert str(stopped.value.code).startswith("error: dvc.yaml: no such file")


def test_a_stage_runs_as_dvc_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command = [sys.executable, "-m", "polyprobe", "stage", "probe", "nine"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: checkpoints.nine: no such key, expected step-")
