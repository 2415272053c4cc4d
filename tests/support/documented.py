"""The commands that README.md and docs/ name, and where each is run. `python tests/support/documented.py` lists them.

Commands stand in blocks fenced as `bash`; other blocks say what they are (`text`, `yaml`, `python`). What stands in
backticks and begins with a program's name is a command too. `<!-- needs: gpu -->` (or `network`, `cluster`) on the line
before a block or a paragraph marks its commands. Everything else is in `documented.yaml`.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
TABLE: Final = Path(__file__).with_suffix(".yaml")
NEEDS: Final = ("cluster", "gpu", "network")
SHELL: Final = ("bash", "sh", "console")
OTHER: Final = ("text", "yaml", "json", "python", "ini", "mermaid", "toml", "diff", "csv")
PROGRAMS: Final = (
    "accelerate apt apt-get aws cd cp curl dask dvc export git gsutil jupyter make mkdir mypy pip polyprobe pytest "
    "python python3 qsub rclone rsync ruff sbatch scp source squeue ssh time uv"
).split()
_INLINE: Final = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_FENCE: Final = re.compile(r"^( *)(`{3,}|~{3,})\s*(\S*)\s*$")
_MARK: Final = re.compile(r"^\s*<!-- needs: ([a-z]+) -->\s*$")
_COMMENT: Final = re.compile(r"(?:^|\s)#(?:\s.*)?$")


@dataclass(frozen=True)
class Command:
    """A command as a page gives it."""

    page: str
    """Relative to the repository."""
    line: int
    section: str
    """The heading that it stands under."""
    text: str
    """In one line, without its comment."""
    block: int | None
    """The line at which its block begins; None for a command within a sentence."""
    needs: str | None
    """What the page says it needs."""

    @property
    def place(self) -> str:
        """Where a reader finds it."""
        return f"{self.page}:{self.line}"


class DocumentationError(Exception):
    """A page that cannot be read as the module's docstring says."""


def pages() -> list[str]:
    """README.md and the pages of docs/, sorted; results of studies are no pages."""
    return ["README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md"))]


def commands(page: str) -> list[Command]:
    """Every command of a page, in its order.

    Raises:
        DocumentationError: a block does not say what it is, or a mark names no known need.
    """
    return list(_read(page, (ROOT / page).read_text(encoding="utf-8")))


def simple(command: str) -> list[str]:
    """The commands that a line joins by `&&`, without `time`."""
    return [re.sub(r"^time\s+", "", part.strip()) for part in command.split("&&")]


def begins(command: str, other: str) -> bool:
    """Whether all of a line's commands are the beginning of one of the other's, word by word."""
    others = [part.split() for part in simple(other)]
    return all(any(whole[: len(part.split())] == part.split() for whole in others) for part in simple(command))


def _read(page: str, text: str) -> Iterator[Command]:
    section, needs, kind, indent, opened = "", None, None, "", 0
    lines = text.splitlines()
    paragraph: list[str] = []
    started: list[int] = []
    for number, line in enumerate([*lines, ""], start=1):
        fence = _FENCE.match(line)
        if kind is None and (fence or not line.strip() or line.startswith(("#", "|")) or _MARK.match(line)):
            yield from _inline(page, started[0] if started else number, section, paragraph, needs)
            if paragraph:
                needs = None
            paragraph, started = [], []
        if fence and kind is None:
            kind, indent, opened = fence[3], fence[1], number
            if kind not in (*SHELL, *OTHER):
                raise DocumentationError(
                    f"{page}:{number}: a block of {kind or 'nothing'!r}, expected bash or one of {OTHER}"
                )
            held: list[tuple[int, str]] = []
        elif fence and fence[1] == indent and not fence[3]:
            if kind in SHELL:
                yield from _block(page, section, opened, held, needs)
            kind, needs = None, None
        elif kind is not None:
            held.append((number, line[len(indent) :]))
        elif mark := _MARK.match(line):
            needs = mark[1]
            if needs not in NEEDS:
                raise DocumentationError(f"{page}:{number}: needs: {needs!r}, expected one of {NEEDS}")
        elif line.startswith("#"):
            section = line.lstrip("# ").strip()
            yield from _inline(page, number, section, [line], None)
        elif line.startswith("|"):
            yield from _inline(page, number, section, [line], needs)
        elif line.strip():
            paragraph.append(line)
            started.append(number)
    if kind is not None:
        raise DocumentationError(f"{page}:{opened}: a block that does not end")


def _block(
    page: str, section: str, opened: int, held: Sequence[tuple[int, str]], needs: str | None
) -> Iterator[Command]:
    """The commands of a block; a line that ends in a backslash goes on in the next."""
    joined, first = "", 0
    for number, line in held:
        text = _COMMENT.sub("", line).rstrip()
        first = first if joined else number
        joined = f"{joined} {text.strip()}" if joined else text
        if joined.endswith("\\"):
            joined = joined[:-1].rstrip()
        elif joined.strip():
            yield Command(page, first, section, joined.strip(), opened, needs)
            joined = ""
    if joined.strip():
        raise DocumentationError(f"{page}:{first}: a command that does not end")


def _inline(page: str, number: int, section: str, lines: Sequence[str], needs: str | None) -> Iterator[Command]:
    """The commands in the backticks of some lines, which may break within one."""
    text = "\n".join(lines)
    for found in _INLINE.finditer(text):
        command = " ".join(found[1].split())
        words = command.split()
        if len(words) > 1 and words[0] in PROGRAMS:
            yield Command(page, number + text[: found.start()].count("\n"), section, command, None, needs)


@dataclass(frozen=True)
class Elsewhere:
    """An entry of `documented.yaml`: a command that the test of its page does not run."""

    command: str
    here: bool = False
    """`test_documented_commands.py` runs it by itself."""
    by: str | None = None
    """How that test writes it, where not as the page does."""
    needs: str | None = None
    advice: str | None = None
    """Why it is not to be run."""


@dataclass(frozen=True)
class Table:
    """`documented.yaml`."""

    pages: dict[str, str]
    """The test that runs each page's blocks."""
    elsewhere: list[Elsewhere]
    placeholders: dict[str, str]
    """What stands for a reader's own names when the test runs a block."""


def table(file: Path = TABLE) -> Table:
    """Where commands are run."""
    held: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return Table(held["pages"], [Elsewhere(**entry) for entry in held["elsewhere"]], held["placeholders"])


def uncovered(found: Sequence[Command], known: Table) -> list[str]:
    """A line for each command that nothing runs and no mark excuses, and for each wrong or idle entry of the table."""
    wrong = [f"{TABLE.name}: {reason}" for entry in known.elsewhere if (reason := _wrong(entry))]
    wrong += [
        f"{TABLE.name}: pages: {file} does not run {page}: it does not name it"
        for page, file in known.pages.items()
        if not (ROOT / file).is_file() or Path(page).name not in (ROOT / file).read_text(encoding="utf-8")
    ]
    whole = [one.text for one in found if one.block is not None] + [entry.command for entry in known.elsewhere]
    used: set[str] = set()
    for one in found:
        entries = [entry for entry in known.elsewhere if _stands_for(entry.command, one.text)]
        used |= {entry.command for entry in entries}
        run = one.block is not None and one.page in known.pages
        named = one.block is None and all(any(begins(part, other) for other in whole) for part in simple(one.text))
        if not (entries or run or named or one.needs):
            wrong.append(f"{one.place}: nothing runs `{one.text}`: see {TABLE.relative_to(ROOT)}")
        if one.block is None:
            used |= {
                entry.command
                for entry in known.elsewhere
                for part in simple(one.text)
                if _stands_for(entry.command, part)
            }
    wrong += [
        f"{TABLE.name}: {entry.command!r} stands on no page" for entry in known.elsewhere if entry.command not in used
    ]
    return wrong


def runs_elsewhere(command: Command, known: Table) -> bool:
    """Whether `documented.yaml` has the command, so that the test of its page leaves it out."""
    return any(entry.command == command.text for entry in known.elsewhere)


def substituted(command: str, placeholders: dict[str, str]) -> str:
    """A command with a reader's own names replaced, whole words only."""
    for name, value in placeholders.items():
        command = value.join(re.split(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", command))
    return command


def _stands_for(entry: str, command: str) -> bool:
    return entry == command or entry in simple(command)


def _wrong(entry: Elsewhere) -> str | None:
    if sum(map(bool, (entry.here, entry.needs, entry.advice))) != 1:
        return f"{entry.command!r}: expected one of here, needs, advice"
    if entry.needs is not None and entry.needs not in NEEDS:
        return f"{entry.command!r}: needs {entry.needs!r}, expected one of {NEEDS}"
    return None


def main() -> None:
    """Prints every command, and what is wrong."""
    known = table()
    found = [one for page in pages() for one in commands(page)]
    for one in found:
        kind = "block" if one.block is not None else "text"
        print(f"{one.place:28} {kind:6} {one.needs or '':8} {one.text}")
    wrong = uncovered(found, known)
    print(*wrong, sep="\n", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
