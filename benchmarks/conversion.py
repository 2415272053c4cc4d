"""From CoNLL-U to words: `python benchmarks/conversion.py [--treebanks FOLDER] [--tokens N]`.

The treebanks of a folder of `UD_*` folders (the paper's languages among them; without one, the mini-languages) are
repeated until there are so many tokens. The whole conversion runs in one process on one core, and its time and
peak memory are printed; then, on one part, the ratio to a plain loop over the objects of the `conllu` library that
makes the same rows.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import conllu
import pandas as pd

from _machine import machine
from polyprobe.artefacts import words
from polyprobe.artefacts.dimensions import dimensions
from polyprobe.pocket import write_treebanks
from polyprobe.study import Words, load_study
from polyprobe.treebanks import attributes, to_unimorph
from polyprobe.treebanks.inventory import inventory
from polyprobe.treebanks.losses import losses
from polyprobe.treebanks.split import lemma_key, split_lemmas
from polyprobe.treebanks.treebank import treebank_files
from polyprobe.treebanks.words import read_words

ROOT = Path(__file__).resolve().parents[1]


def convert(root: Path, language: str) -> tuple[int, int]:
    """Convert one language as `convert_unimorph` does.

    Args:
        root: the languages' folders, each with its treebanks; takes the table.
        language: its code.

    Returns:
        Words and tokens.
    """
    names = sorted(folder.name for folder in (root / language).iterdir())
    table = read_words(root, language, names, Words(min_label_count=20, min_lemma_count=0, seed=0), "fail")
    words.TABLE.write_frames(table.frames(), root / f"{language}.parquet")
    inventory(language, table.labels(), 20)
    return len(table), losses(language, table)["tokens"]


def plain(root: Path, language: str) -> int:
    """Write the same rows by a plain loop: every token parsed into objects, mapped by itself, one dictionary per word.

    Args:
        root: the languages' folders, each with its treebanks; takes the table.
        language: its code.

    Returns:
        Words.
    """
    rows = []
    for folder in sorted((root / language).iterdir()):
        for file in treebank_files(folder):
            with file.open(encoding="utf-8") as opened:
                for number, sentence in enumerate(conllu.parse_incr(opened)):
                    rows += plain_rows(sentence, language, folder.name, file.name, number)
    keys = [lemma_key(row["lemma"], row["form"]) for row in rows]
    split_of = split_lemmas(keys, 0, language)
    frame = pd.DataFrame(rows)
    frame["split"] = [split_of[key] for key in keys]
    frame.reindex(columns=[*frame.columns, *(set(dimensions()) - set(frame.columns))]).to_parquet(
        root / f"{language}.plain.parquet", compression="zstd"
    )
    return len(rows)


def plain_rows(
    sentence: conllu.TokenList, language: str, treebank: str, file: str, number: int
) -> list[dict[str, object]]:
    """Return a row for each of one sentence's words.

    Args:
        sentence: as conllu parses it.
        language: its code.
        treebank: name of the treebank's folder.
        file: name of the file.
        number: the sentence's place in the file.
    """
    rows: list[dict[str, object]] = []
    parts: dict[int, dict[str, str]] = {}
    for token in sentence:
        if isinstance(token["id"], int):
            parts[token["id"]] = attributes(tags_of(token, language))
    covered: set[int] = set()
    for token in sentence:
        place = token["id"]
        if isinstance(place, tuple) and place[1] == ".":
            continue
        if isinstance(place, tuple):
            inside = range(place[0], place[2] + 1)
            covered |= set(inside)
            held = [parts[index] for index in inside]
            values = {
                name: next(part[name] for part in held if name in part)
                for name in dimensions()
                if sum(name in part for part in held) == 1
            }
        elif place in covered:
            continue
        else:
            values = parts[place]
        rows.append(
            {
                "treebank": treebank,
                "file": file,
                "sent_id": sentence.metadata["sent_id"],
                "sentence": number,
                "position": len(rows),
                "form": token["form"],
                "space_after": (token["misc"] or {}).get("SpaceAfter") != "No",
                "lemma": token["lemma"],
                "upos": token["upos"],
                "unimorph": ";".join(tags_of(token, language)) or "_",
            }
            | values
        )
    return rows


def tags_of(token: conllu.Token, language: str) -> tuple[str, ...]:
    """Return a token's tags, its features written as the file has them.

    Args:
        token: as conllu parses it.
        language: its code.
    """
    feats = "|".join(f"{name}={value}" for name, value in (token["feats"] or {}).items()) or "_"
    return to_unimorph(token["upos"], feats, language, token["form"])


def collect(source: Path | None, root: Path) -> None:
    """Link each language's treebanks below `root`/once/language.

    Args:
        source: a folder of `UD_*` folders; None: the mini-languages' treebanks, written here.
        root: takes the links.
    """
    if source is None:
        study = load_study(ROOT / "studies/pocket.yaml")
        assert study.pocket is not None
        source = root / "pocket"
        write_treebanks(source, study.languages, study.pocket)
    for folder in sorted(path for path in source.iterdir() if path.name.startswith("UD_")):
        language = treebank_files(folder)[0].name.split("-")[0].split("_")[0]
        target = root / "once" / language
        target.mkdir(parents=True, exist_ok=True)
        (target / folder.name).symlink_to(folder.resolve())


def repeat(root: Path, tokens: int) -> None:
    """Copy every treebank below `root`/many until there are so many tokens, each time under a name of its own.

    Args:
        root: where `collect` put the treebanks.
        tokens: at least so many; a multiword token counts beside its words.
    """
    done = 0
    for round_number in count():
        for folder in sorted((root / "once").glob("*/UD_*")):
            target = root / "many" / folder.parent.name / f"{folder.name}-{round_number}"
            target.mkdir(parents=True)
            for file in treebank_files(folder):
                text = file.read_text(encoding="utf-8")
                (target / file.name).write_text(text, encoding="utf-8")
                done += sum(line[:1].isdigit() for line in text.splitlines())
            if done >= tokens:
                return


def main() -> None:
    """Measure and print.

    Raises:
        AssertionError: the plain loop does not find as many words.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--treebanks", type=Path, help="a folder of UD_* folders")
    parser.add_argument("--tokens", type=int, default=4_000_000)
    parser.add_argument("--plain", type=int, default=100_000, help="tokens of the part that the plain loop converts")
    parser.add_argument("--whole", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.whole:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        start = time.perf_counter()
        totals = [convert(options.whole, folder.name) for folder in sorted(options.whole.iterdir()) if folder.is_dir()]
        seconds = time.perf_counter() - start
        print(
            f"{len(totals)} languages, {sum(total for total, _ in totals):,} words, "
            f"{sum(total for _, total in totals):,} tokens: {seconds:.1f} s, "
            f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
        )
        return

    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        collect(options.treebanks, root)
        repeat(root, options.tokens)
        print(machine())
        command = [sys.executable, __file__, "--whole", str(root / "many")]
        subprocess.run(command, check=True)
        fast = slow = total = 0.0
        for folder in sorted((root / "once").iterdir()):
            start = time.perf_counter()
            number, _ = convert(root / "once", folder.name)
            middle = time.perf_counter()
            assert plain(root / "once", folder.name) == number
            slow, fast, total = slow + time.perf_counter() - middle, fast + middle - start, total + number
            if total >= options.plain:
                break
        ratio = f"plain loop over conllu {slow:.1f} s, ours {fast:.1f} s: {slow / fast:.1f} times as fast"
        print(f"{total:,.0f} words: {ratio}")


if __name__ == "__main__":
    main()
