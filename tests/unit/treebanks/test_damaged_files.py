"""Damaged treebanks and task files, through the readers of the stages: each is read, or refused in one line."""

import random
import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polyprobe.artefacts import words
from polyprobe.pocket import write_tasks, write_treebanks
from polyprobe.running.errors import BadInputError
from polyprobe.study import Pocket, load_study
from polyprobe.transfer.leaks import Leaks
from polyprobe.transfer.sources.tagged_words import tagged_words
from polyprobe.transfer.sources.writing import write_sentences
from polyprobe.transfer.sources.xnli_tables import evaluation_pairs, training_pairs
from polyprobe.transfer.tasks import TASKS
from polyprobe.treebanks.copying import copy_treebanks
from polyprobe.treebanks.inventory import inventory
from polyprobe.treebanks.losses import losses
from polyprobe.treebanks.parallel import parallel_table
from polyprobe.treebanks.sources.origin import Origin
from polyprobe.treebanks.texts import training_texts
from polyprobe.treebanks.words import read_words
from support import CONLLU, ROOT, sections

pytestmark = pytest.mark.slow

FILES = 500
MARK = b"\xef\xbb\xbf"
NUMBERS = [b"9" * 5000, b"1-999999999999", b"1-" + b"9" * 5000, b"1." + b"9" * 5000, b"-1", b"0", b"0-1", b"1e9",
           "٣".encode(), "²".encode(), b"1_0", b"00"]  # fmt: skip
CONTROLS = [bytes([code]) for code in range(32)] + [
    character.encode() for character in "\x7f\x85\u2028\u2029\u200e\u3000"
]

Draw = random.Random
"""A generator that a test has seeded."""


def flip_bytes(draw: Draw, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(draw.randint(1, 5) if data else 0):
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def cut(draw: Draw, data: bytes) -> bytes:
    return data[: draw.randint(0, len(data))]


def change_a_line(change: Callable[[Draw, list[bytes]], list[bytes]]) -> Callable[[Draw, bytes], bytes]:
    """An accident to the columns of a line that has some, or to any line where none has."""

    def accident(draw: Draw, data: bytes) -> bytes:
        lines = data.split(b"\n")
        place = draw.choice([n for n, line in enumerate(lines) if b"\t" in line] or range(len(lines)))
        lines[place] = b"\t".join(change(draw, lines[place].split(b"\t")))
        return b"\n".join(lines)

    return accident


def cut_line(draw: Draw, columns: list[bytes]) -> list[bytes]:
    return [*columns[:-1], columns[-1][: draw.randint(0, len(columns[-1]))]][: draw.randint(1, len(columns))]


def lose_a_tab(draw: Draw, columns: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(columns))
    return [*columns[:at], b"".join(columns[at : at + 2]), *columns[at + 2 :]]


def swap_columns(draw: Draw, columns: list[bytes]) -> list[bytes]:
    return draw.sample(columns, len(columns))


def empty_a_column(draw: Draw, columns: list[bytes]) -> list[bytes]:
    columns[draw.randrange(len(columns))] = draw.choice([b"", b" ", b"\xc2\xa0", b"_"])
    return columns


def put_a_number(draw: Draw, columns: list[bytes]) -> list[bytes]:
    columns[draw.choice([0, draw.randrange(len(columns))])] = draw.choice(NUMBERS)
    return columns


def control_a_column(draw: Draw, columns: list[bytes]) -> list[bytes]:
    columns[draw.choice([0, draw.randrange(len(columns))])] += draw.choice(CONTROLS)
    return columns


def insert(pieces: Collection[bytes]) -> Callable[[Draw, bytes], bytes]:
    def accident(draw: Draw, data: bytes) -> bytes:
        for _ in range(draw.randint(1, 4)):
            at = draw.randint(0, len(data))
            data = data[:at] + draw.choice([*pieces]) + data[at:]
        return data

    return accident


def shuffle_lines(draw: Draw, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    lines[at : at + 9] = draw.sample(lines[at : at + 9], len(lines[at : at + 9]))
    return b"\n".join(lines)


ACCIDENTS: list[Callable[[Draw, bytes], bytes]] = [
    flip_bytes,
    cut,
    *map(change_a_line, (cut_line, lose_a_tab, swap_columns, empty_a_column, put_a_number, control_a_column)),
    insert(CONTROLS),
    insert([MARK, MARK * 2]),
    shuffle_lines,
    lambda draw, data: MARK * draw.randint(1, 3) + data,
    lambda _, data: data.replace(b"\n", b"\r\n"),
    lambda _, data: data.replace(b"\n", b"\r"),
    lambda draw, data: draw.choice([b"", b"\n", b"\r\n", MARK, b"\x00", b"\t", data + data]),
    lambda _, data: data.decode("utf-8", errors="replace").encode("utf-16"),
]


def damaged(draw: Draw, data: bytes) -> bytes:
    """The file after one to three accidents."""
    for accident in draw.choices(ACCIDENTS, k=draw.randint(1, 3)):
        data = accident(draw, data)
    return data


@contextmanager
def read_or_refused(counts: Counter[str], reader: str, data: bytes) -> Iterator[None]:
    """Counts whether what happens inside reads a file or refuses it in one line; anything else fails."""
    message = "read"
    signal.alarm(20)
    try:
        yield
        counts[f"{reader}: read"] += 1
    except BadInputError as error:
        message = str(error)
        counts[f"{reader}: refused"] += 1
    except Exception as error:
        raise AssertionError(f"{reader}: {type(error).__name__}: {error} at {data!r}") from error
    finally:
        signal.alarm(0)
    assert len(message.splitlines()) == 1, (reader, message, data)


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """A reader that never comes back fails its test."""

    def stop(*_: object) -> None:
        raise TimeoutError("the reader hangs")

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def small() -> Pocket:
    settings = load_study(ROOT / "studies/pocket.yaml").pocket
    assert settings is not None
    values = settings.model_dump() | {
        "nli": {"train": 12, "dev": 6, "test": 6},
        "pos": {"train": 12, "dev": 5, "test": 5},
    }
    values["treebank"] |= {"train": 16, "dev": 2, "test": 2, "parallel": 6}
    return Pocket.model_validate(values)


def test_damaged_treebanks(tmp_path: Path, small: Pocket, capsys: pytest.CaptureFixture[str]) -> None:
    write_treebanks(tmp_path / "good", ["qaa"], small)
    [generated] = (tmp_path / "good").glob("*-Pocket/*-train.conllu")
    good = generated.read_bytes() + (CONLLU / "good.conllu").read_bytes()
    folder, counts, draw = tmp_path / "UD_X", Counter[str](), random.Random(15)
    folder.mkdir()
    file = folder / "es_x-ud-train.conllu"
    (folder / "README.md").write_text("License: none\n", encoding="utf-8")
    for number in range(FILES):
        data = damaged(draw, good)
        file.write_bytes(data)
        for on_error in ("fail", "skip_sentence"):
            copies = tmp_path / f"copies-{number}-{on_error}"
            with read_or_refused(counts, f"fetch_ud, {on_error}", data):
                copy_treebanks(Origin({"UD_X": folder}, "a folder"), {"es": ["UD_X"]}, copies, on_error)
            if (copies / "es/UD_X" / file.name).exists():
                with read_or_refused(counts, f"convert_unimorph, {on_error}", data):
                    table = read_words(copies, "es", ["UD_X"], sections.words(), on_error)
                    words.TABLE.write_frames(table.frames(), tmp_path / "words.parquet")
                    inventory("es", table.labels(), 1)
                    losses("es", table)
                    parallel_table(copies, sections.parallel(folders={"es": "UD_X"}), {}, ["es"], "en", on_error)
                with read_or_refused(counts, f"pretrain, {on_error}", data):
                    training_texts(copies, ["es"], {"es": ["UD_X"]}, ["train"])
        with read_or_refused(counts, "fetch_transfer, archive", data):
            write_sentences(tmp_path / "tagged.tsv", tagged_words(file, "es"))
    with capsys.disabled():
        print("", *(f"{what}: {times}" for what, times in sorted(counts.items())), sep="\n")
    assert sum(times for what, times in counts.items() if what.startswith("fetch_ud, fail")) == FILES
    assert min(counts["fetch_ud, fail: read"], counts["fetch_ud, fail: refused"]) > 0


@pytest.mark.parametrize("name", TASKS)
def test_damaged_task_files(tmp_path: Path, small: Pocket, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_tasks(tmp_path / "good", ["qaa"], "qaa", small)
    [good] = (tmp_path / "good").glob(f"*{name}/train-qaa.tsv")
    task, counts, draw = TASKS[name], Counter[str](), random.Random(name)
    leaks, file = Leaks(task.sentences), tmp_path / "train-qaa.tsv"
    leaks.add("train", task.read(good))
    for _ in range(FILES):
        data = damaged(draw, good.read_bytes())
        file.write_bytes(data)
        with read_or_refused(counts, f"{name}", data):
            leaks.counts(task.read(file))
        with read_or_refused(counts, f"{name}, refusing leaks", data):
            leaks.refuse(task.read(file), file)
        for reader in (training_pairs, evaluation_pairs):
            with read_or_refused(counts, f"{name} as {reader.__name__}", data):
                list(reader(file))
    with capsys.disabled():
        print("", *(f"{what}: {times}" for what, times in sorted(counts.items())), sep="\n")
    assert counts[f"{name}: read"] + counts[f"{name}: refused"] == FILES
    assert min(counts[f"{name}: read"], counts[f"{name}: refused"]) > 0
