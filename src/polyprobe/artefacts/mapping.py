"""`metrics/mapping.json`: what the UniMorph mapping read of each language's treebanks, and what it lost.

A list of objects: language; words (of the text); tokens (syntactic words); skipped_sentences; withheld_sentences, which
come without their text; unmapped {UPOS or Feature=Value: tokens}, what has no tag; unread {tag: tokens}, tags that set
no attribute (disjunctions, tags outside the schema); overruled {tag: tokens}, tags that lost their dimension to another
one of the same token.
"""

from typing import Final

from polyprobe.artefacts._tables import Entry, JsonFile

TABLE: Final = JsonFile[list[Entry]]("metrics/mapping.json", stage="convert_unimorph")
