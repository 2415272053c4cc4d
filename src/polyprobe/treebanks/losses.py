"""What the mapping loses of a language: the entries of `metrics/mapping.json`."""

from collections import Counter
from typing import Any

from polyprobe.treebanks.unimorph import attributes, read_tag, unmapped_items
from polyprobe.treebanks.words import WordTable


def losses(language: str, words: WordTable) -> dict[str, Any]:
    """Return one language's entry; counts are of syntactic words, the most frequent first.

    Args:
        language: ISO code.
        words: its words.

    Returns:
        The numbers of words, of syntactic words, and of sentences skipped and withheld; and the counts of what is lost:
        items of UPOS and FEATS without a tag (unmapped), tags that set no attribute (unread), and tags whose value lost
        to another one of the same dimension (overruled).
    """
    unmapped, unread, overruled = Counter[str](), Counter[str](), Counter[str]()
    for (upos, feats, unimorph), count in words.tokens.items():
        for item in unmapped_items(upos, feats):
            unmapped[item] += count
        tags = () if unimorph == "_" else tuple(unimorph.split(";"))
        held = attributes(tags)
        for tag in tags:
            read = read_tag(tag)
            if read is None:
                unread[tag] += count
            elif held[read.dimension] != read.value:
                overruled[tag] += count
    return {
        "language": language,
        "words": len(words),
        "tokens": words.tokens.total(),
        "skipped_sentences": len(words.skipped),
        "withheld_sentences": len(words.withheld),
        "unmapped": _sorted(unmapped),
        "unread": _sorted(unread),
        "overruled": _sorted(overruled),
    }


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
