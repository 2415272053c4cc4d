"""`metrics/corpus.json`: what each language offers for each category, and whether it is probed (Appendix A.2).

A list of objects: language, category, probed (bool), reason (why not, else null), words {train, dev, test} (words that
have a value), values {value: {train, dev, test}}.
"""

from typing import Final

from polyprobe.artefacts._tables import Entry, JsonFile

TABLE: Final = JsonFile[list[Entry]]("metrics/corpus.json", stage="convert_unimorph")
