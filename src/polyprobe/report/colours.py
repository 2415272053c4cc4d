"""The figures' colours on the page: CSS variables, lighter where the page is dark."""

import json
from typing import Any, Final

from polyprobe.figures.style import COLOURS, REFERENCE_COLOUR, SOURCE_COLOUR

_IN_THE_DARK: Final = {
    SOURCE_COLOUR: "#ffffff",
    REFERENCE_COLOUR: "#a8a8a8",
    "#0072b2": "#45a5e6",
    "#117733": "#3fb56b",
    "#882255": "#d4679f",
    "#aa4499": "#d678c8",
    "#332288": "#9a8ff0",
}
"""Those that are too dark for a dark page; the others serve both."""


def style_sheet() -> str:
    """Return the CSS of the variables, for light pages and for dark ones."""
    light = " ".join(f"{_variable(colour)}: {colour};" for colour in (SOURCE_COLOUR, REFERENCE_COLOUR, *COLOURS))
    dark = " ".join(f"{_variable(colour)}: {lighter};" for colour, lighter in _IN_THE_DARK.items())
    return f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"


def with_variables(specification: Any) -> Any:
    """Return a chart's specification in which the figures' colours are the page's variables."""
    text = json.dumps(specification, ensure_ascii=False)
    for colour in (SOURCE_COLOUR, REFERENCE_COLOUR, *COLOURS):
        text = text.replace(f'"{colour}"', f'"var({_variable(colour)})"')
    return json.loads(text)


def _variable(colour: str) -> str:
    return f"--c-{colour[1:]}"
