"""How to cite the project and the paper that it reproduces."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Citation:
    """One entry to cite."""

    what: str
    bibtex: str


PAPER: Final = Citation(
    "The paper",
    """\
@inproceedings{wang-etal-2024-probing-emergence,
  title = "Probing the Emergence of Cross-lingual Alignment during {LLM} Training",
  author = "Wang, Hetong and Minervini, Pasquale and Ponti, Edoardo M.",
  booktitle = "Findings of the Association for Computational Linguistics: ACL 2024",
  year = "2024",
  publisher = "Association for Computational Linguistics",
  url = "https://aclanthology.org/2024.findings-acl.724",
}""",
)
SOFTWARE: Final = Citation(
    "This software",
    """\
@software{polyprobe,
  title = "polyprobe: reproducible experiments on how language models align languages",
  author = "{The polyprobe maintainers}",
  version = "0.1.0",
  license = "Apache-2.0",
}""",
)
CITATIONS: Final = (PAPER, SOFTWARE)
TEXT: Final = "\n\n".join(citation.bibtex for citation in CITATIONS)
"""Both entries."""
