"""How to cite the project and the paper that it reproduces."""

from pathlib import Path
from typing import Final

TEXT: Final = Path(__file__).with_name("citation.bib").read_text(encoding="utf-8").strip()
"""Both entries, as BibTeX."""
PAPER, SOFTWARE = TEXT.split("\n\n")
