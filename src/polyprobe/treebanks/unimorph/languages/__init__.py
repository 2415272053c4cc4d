"""Languages whose tags the published mapping amends, one module each, named by the language's ISO code.

A module has `adapt(tags, form)`, which takes a token's base tags and returns the amended ones. It may have `ENDING`,
how many characters of the form's end `adapt` reads (none without it), and `LAYERS`: layers of arguments beside those of
`layers.ARGUMENTS`, with UniMorph's names of the arguments, such as {"subj": "NO", "obj": "AC"}. A new module in this
folder is found by itself. `exactly` in a rule means that the whole set of tags is equal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules


@dataclass(frozen=True, slots=True)
class Rules:
    """One language's amendments."""

    adapt: Callable[[set[str], str], set[str]]
    """From a token's base tags and the end of its form to its tags."""
    ending: int
    """How many characters of the form's end `adapt` reads."""
    layers: Mapping[str, str]
    """The language's own layers of arguments."""


@cache
def rules() -> dict[str, Rules]:
    """Return the amendments by the language's ISO code."""
    names = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    modules = {name: import_module(f"{__name__}.{name}") for name in names}
    return {
        name: Rules(module.adapt, getattr(module, "ENDING", 0), getattr(module, "LAYERS", {}))
        for name, module in modules.items()
    }
