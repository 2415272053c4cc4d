"""`metrics/subwords/<ckpt>.json`: how a checkpoint's tokenizer cuts the treebanks' words.

A list of objects per language, of the sentences that hold an embedded word: language; sentences; words (embedded);
subwords (of the whole sentences); shared_subwords (those that two words share); split_sentences (longer than the
model's limit, run in overlapping parts).
"""

from typing import Final

from polyprobe.artefacts._tables import Entry, JsonFile

TABLE: Final = JsonFile[list[Entry]]("metrics/subwords/{checkpoint}.json", stage="extract")
