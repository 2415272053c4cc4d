"""Vega, Vega-Lite and Vega-Embed as one script that can stand in a page."""

from typing import Final

VEGA_LITE: Final = "6.4"
"""The version whose specifications Altair writes."""


def vega_script() -> str:
    """The script, which defines `vegaEmbed`."""
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    # In a function, so that none of its names meets those of a page's own scripts; a closing tag would end it early.
    return f"(() => {{{bundle}}})();".replace("</script", "<\\/script")
