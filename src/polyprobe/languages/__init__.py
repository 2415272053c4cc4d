"""The languages that the project knows: ISO 639 code, name, family; and the mini-languages' private-use codes."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Language:
    """One language."""

    code: str
    """ISO 639-1 code where there is one, else ISO 639-3; qaa to qtz are private use."""
    name: str
    family: str
    spaces: bool = True
    """Whether its orthography separates words by spaces."""


@cache
def languages() -> dict[str, Language]:
    """Return every known language by its code, in the order of the codes."""
    import yaml

    table = yaml.safe_load(Path(__file__).with_name("languages.yaml").read_text(encoding="utf-8"))
    known = {code: Language(code, *entry.split(", ")) for code, entry in table["languages"].items()}
    known |= {
        code: Language(code, name, family, spaces=False)
        for code, entry in table["without_spaces"].items()
        for name, family in [entry.split(", ")]
    }
    return dict(sorted(known.items()))


def language(code: str) -> Language:
    """Return the language with this code.

    Raises:
        KeyError: no language has it.
    """
    return languages()[code]
