"""A reader who types the commands of a page, one after the other, in a project of their own."""

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from support.documented import Command, substituted
from support.tiny_project import Project


@dataclass
class Reader:
    """Where the reader is, and what they have put for the page's placeholders."""

    project: Project
    placeholders: dict[str, str]
    where: Path = field(init=False)

    def __post_init__(self) -> None:
        self.where = self.project.path

    def types(self, command: Command) -> str:
        """What the command prints; it must succeed. A `cd` lasts, what goes to the background is not waited for."""
        text = substituted(command.text, self.placeholders)
        told, left = self.project.path.parent / "told", self.project.path.parent / "left"
        script = f"{text}\nstatus=$?\npwd > '{left}'\nexit $status"
        environment = self.project.environment() | {"PYTHONPATH": str(self.where / "src")}
        with told.open("wb") as output:
            done = subprocess.run(
                ["bash", "-uo", "pipefail", "-c", script], cwd=self.where, env=environment, check=False,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        printed = told.read_text(encoding="utf-8", errors="replace")
        assert done.returncode == 0, f"{command.place}: {text}: exit {done.returncode}\n{printed}"
        self.where = Path(left.read_text(encoding="utf-8").strip())
        return printed

    def waits_for(self, command: Command, *words: str, seconds: float = 1200) -> str:
        """Types a command again and again until it prints none of these words."""
        end = time.monotonic() + seconds
        while any(word in (printed := self.types(command)) for word in words):
            assert time.monotonic() < end, f"{command.place}: after {seconds} s still\n{printed}"
            time.sleep(2)
        return printed


def with_environment(project: Project) -> None:
    """Gives a project the environment that `make install` would make: this one, by links."""
    folder = project.path / ".venv"
    folder.mkdir()
    for part in Path(sys.prefix).iterdir():
        (folder / part.name).symlink_to(part)
    (folder / ".installed").unlink(missing_ok=True)
    (folder / ".installed").touch()


def another_checkpoint(project: Project, folder: Path, step: int) -> None:
    """A checkpoint that is like no other: the last one of the study `tiny`, scaled."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(project.path / "data/pretrained/pocket/step-20", folder)
    weights = folder / "model.safetensors"
    save_file({name: tensor * 1.01 for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    (folder / "training.json").write_text(f'{{"step": {step}, "tokens_seen": {step * 1024}}}', encoding="utf-8")
