"""Write `.dvc/plots/offline.html`, the page in which `dvc plots show` draws without a network.

DVC's own page loads Vega from the internet. This one carries Vega, Vega-Lite and Vega-Embed in itself; it is generated,
not committed, and written again only when their versions change.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

PAGE: Final = Path(".dvc/plots/offline.html")

# {refresh_tag} and {plot_divs} are DVC's placeholders.
_TEMPLATE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<!-- {stamp} -->
{refresh_tag}
<title>Plots</title>
<style>body {{ font-family: sans-serif; margin: 1.5rem; }} .vega-embed {{ margin: 0 0 2.5rem; }}</style>
<script>{script}</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def write_offline_page(page: Path = PAGE) -> bool:
    """Write the page unless it is there and current.

    Args:
        page: where to.

    Returns:
        Whether it was written.

    Raises:
        BadInputError: the folder is not that of a DVC repository.
    """
    if not page.parents[1].is_dir():
        raise BadInputError(f"{page.parents[1]}: no such folder, expected the root of a DVC repository")
    stamp = f"vl-convert-python {version('vl-convert-python')}"
    if page.exists() and f"<!-- {stamp} -->" in page.read_text(encoding="utf-8")[:200]:
        return False
    from polyprobe.report.vega import vega_script

    text = _TEMPLATE.format(stamp=stamp, script=vega_script(), refresh_tag="{refresh_tag}", plot_divs="{plot_divs}")
    with new_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return True
