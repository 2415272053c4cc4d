"""Words without a form, and sentences without their text: UD_English-GUMReddit and others may not publish theirs."""

from collections.abc import Sequence
from typing import Final

NO_FORM: Final = "_"
"""UD's sign for no form: that of a word which is kept back, or of one with nothing in it."""


def is_withheld(forms: Sequence[str]) -> bool:
    """Return whether a sentence comes without its text: all of its words are kept back, or all but one.

    This is XTREME's rule for the treebanks that its UDPOS takes in (Hu et al. 2020).

    Args:
        forms: of the words of the text, a multiword token as one.
    """
    without = forms.count(NO_FORM)
    return without > 0 and without >= len(forms) - 1
