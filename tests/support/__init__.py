"""What tests of several folders share: made-up studies, small models, servers, a real repository with the real dvc."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CONLLU: Final = Path(__file__).parent / "conllu"
"""Files in UD's format, good and bad."""
