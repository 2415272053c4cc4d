"""Several SVG drawings in one HTML page without clashes of their ids."""

import re
from typing import Final

_ID: Final = re.compile(r'(\bid="|\bhref="#|url\(#)')


def inline_svg(svg: str, name: str, title: str) -> str:
    """The `<svg>` element of a drawing, its ids begun with `name`, with `title` for those who cannot see it.

    Args:
        svg: a whole SVG file.
        name: of the figure; letters, digits and `_`.
        title: plain text, already escaped for HTML.
    """
    element = svg[svg.index("<svg") :]
    element = _ID.sub(lambda match: match[0] + name + "-", element)
    return element.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
