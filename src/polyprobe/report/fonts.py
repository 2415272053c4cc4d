"""The page's font, cut to the letters that it shows, inside the page."""

import base64
import io
from functools import cache
from pathlib import Path
from typing import Final

FAMILY: Final = "DejaVu Sans"
_FILES: Final = {400: "DejaVuSans.ttf", 700: "DejaVuSans-Bold.ttf"}
_ALWAYS: Final = "".join(map(chr, range(0x20, 0x7F))) + "–−±×·…→≥≤ρ"


def font_faces(text: str) -> str:
    """Return CSS rules for the font in both weights, cut to the characters of a text.

    The same characters give the same bytes. matplotlib brings the font (free to embed).
    """
    characters = "".join(sorted({*_ALWAYS, *text} - {"\n", "\t"}))
    return "\n".join(
        f"@font-face {{ font-family: '{FAMILY}'; font-weight: {weight}; font-display: block; "
        f"src: url(data:font/woff;base64,{_subset(file, characters)}) format('woff'); }}"
        for weight, file in _FILES.items()
    )


@cache
def _subset(file: str, characters: str) -> str:
    import matplotlib
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options(
        flavor="woff",
        recalc_timestamp=False,
        layout_features=["kern"],
        hinting=False,
        notdef_outline=True,
        drop_tables=["FFTM"],
    )
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / file
    written = io.BytesIO()
    with TTFont(path, recalcTimestamp=False) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=characters)
        subsetter.subset(font)
        subset.save_font(font, written, options)
    return base64.b64encode(written.getvalue()).decode("ascii")
