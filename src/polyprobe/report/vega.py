"""Vega, Vega-Lite and Vega-Embed as one script that can stand in a page."""

import hashlib
from importlib.metadata import version
from typing import Final

from polyprobe.running.files import new_file
from polyprobe.running.scratch import scratch_root

VEGA_LITE: Final = "6.4"
"""The version whose specifications Altair writes."""


def vega_script() -> str:
    """Return the script, which defines `vegaEmbed`.

    Bundling takes more than a second: the script is kept in the scratch folder, below its hash.
    """
    kept = scratch_root() / f"vega-{VEGA_LITE}-by-{version('vl-convert-python')}.js"
    if kept.exists():
        known, _, held = kept.read_bytes().partition(b"\n")
        if hashlib.sha256(held).hexdigest().encode() == known:
            return held.decode()
    script = _bundle()
    with new_file(kept) as temporary:
        temporary.write_bytes(hashlib.sha256(script.encode()).hexdigest().encode() + b"\n" + script.encode())
    return script


def _bundle() -> str:
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    # In a function, so that none of its names meets those of a page's own scripts; a closing tag would end it early.
    return f"(() => {{{bundle}}})();".replace("</script", "<\\/script")
