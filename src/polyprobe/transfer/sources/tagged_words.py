"""Words and tags of UD's treebanks as XTREME's UDPOS has them (Hu et al. 2020, "UDPOS").

A multiword token (`du` over `de` and `le`) is one word with the tag of the part that is highest in the tree; empty
nodes are left out, and so are sentences whose words a licence keeps back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from polyprobe.languages.withheld import is_withheld
from polyprobe.running.errors import BadInputError
from polyprobe.transfer.examples import numbered_lines

_RANKS: Final = {
    "es": ("VERB", "AUX", "PRON", "ADP", "DET"),
    "fr": ("VERB", "AUX", "PRON", "NOUN", "ADJ", "ADV", "ADP", "DET", "PART", "SCONJ", "CONJ"),
    "it": ("VERB", "AUX", "ADV", "PRON", "ADP", "DET", "INTJ"),
}
_OTHER_RANKS: Final = tuple("VERB NOUN PROPN PRON ADJ NUM ADV INTJ AUX ADP DET PART CCONJ SCONJ X PUNCT".split())
"""Which tag a multiword token gets of those of its parts that are equally high, the first ones first."""
_ZERO_WIDTH_NON_JOINER: Final = "\u200c"


@dataclass
class _Node:
    form: str
    upos: str
    heads: list[int]


@dataclass
class _Tree:
    nodes: dict[int, _Node] = field(default_factory=dict)
    fused: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Per first part of a multiword token, its last part and its form."""


def tagged_words(file: Path, language: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the words and the tags of each sentence of a CoNLL-U file.

    Sentences that come without their text are left out (`is_withheld`). Forms lose spaces and zero-width non-joiners.

    Args:
        file: one of a treebank.
        language: the treebank's, which decides the tags of multiword tokens.

    Raises:
        BadInputError: a line is malformed.
    """
    for tree in _trees(file):
        words, tags = zip(*_fused(tree, language), strict=True)
        if not is_withheld(words):
            yield [word.replace(_ZERO_WIDTH_NON_JOINER, "").replace(" ", "") for word in words], list(tags)


def _trees(file: Path) -> Iterator[_Tree]:
    tree = _Tree()
    for number, line in numbered_lines(file):
        if not line:
            if tree.nodes:
                yield tree
            tree = _Tree()
        elif not line.startswith("#"):
            try:
                _add(tree, line.split("\t"))
            except ValueError:
                raise BadInputError(f"{file}:{number}: expected the ten columns of CoNLL-U") from None
    if tree.nodes:
        yield tree


def _add(tree: _Tree, columns: list[str]) -> None:
    """Add a line's token.

    Args:
        tree: the sentence's.
        columns: the line's.

    Raises:
        ValueError: the line is malformed.
    """
    identifier, form, _, upos, _, _, head, _, enhanced, _ = columns
    if "." in identifier:
        return
    if "-" in identifier:
        first, last = map(int, identifier.split("-"))
        if last < first:
            raise ValueError
        tree.fused[first] = (last, form.strip())
        return
    if int(identifier) < 1:
        raise ValueError
    # XTREME's script takes the enhanced graph's heads for ancestors too, empty nodes left out.
    others = [pair.partition(":")[0] for pair in enhanced.split("|")]
    heads = [head, *(other for other in others if other.isdigit())]
    tree.nodes[int(identifier)] = _Node(form.strip(), upos.strip(), [int(each) for each in heads if each != "_"])


def _fused(tree: _Tree, language: str) -> Iterator[tuple[str, str]]:
    """Yield the form and the tag of each word, a multiword token as one."""
    until = 0
    for identifier, node in sorted(tree.nodes.items()):
        if identifier <= until:
            continue
        if identifier in tree.fused:
            until, form = tree.fused[identifier]
            parts = [part for part in sorted(tree.nodes) if identifier <= part <= until]
            yield form, _tag(tree, parts, _RANKS.get(language, _OTHER_RANKS))
        else:
            yield node.form, node.upos


def _tag(tree: _Tree, parts: list[int], ranks: tuple[str, ...]) -> str:
    """Return the tag of the part with the fewest ancestors; of several, the best in rank; of several, the first.

    Args:
        tree: the sentence's.
        parts: the numbers of a multiword token's nodes, in their order.
        ranks: tags, the best first.
    """
    depths = {part: _ancestors(tree, part) for part in parts}
    highest = [tree.nodes[part].upos for part in parts if depths[part] == min(depths.values())]
    return min(highest, key=lambda upos: ranks.index(upos) if upos in ranks else len(ranks))


def _ancestors(tree: _Tree, identifier: int) -> int:
    """Count the other nodes, the root among them, that a node hangs under."""
    reached: set[int] = set()
    frontier = {identifier}
    while frontier:
        frontier = {head for node in frontier if node in tree.nodes for head in tree.nodes[node].heads} - reached
        reached |= frontier
    return len(reached - {identifier})
