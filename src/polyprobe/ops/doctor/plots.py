"""The page in which `dvc plots show` draws without a network."""

from collections.abc import Iterator
from importlib.metadata import version

from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, warning
from polyprobe.ops.offline_plots import PAGE, write_offline_page


def check(asked: Asked) -> Iterator[Finding]:
    """It is generated, so that a clone is without it at first."""

    def write() -> str:
        write_offline_page()
        return f"wrote {PAGE}"

    advice = "`python -m polyprobe.ops.offline_plots`"
    if not PAGE.exists():
        yield fault("plots", f"{PAGE} is missing, which `dvc plots show` needs", advice, write)
    elif f"vl-convert-python {version('vl-convert-python')}" not in PAGE.read_text(encoding="utf-8")[:200]:
        yield warning("plots", f"{PAGE} was written for another version of its libraries", advice, write)
    else:
        yield ok("plots", f"{PAGE} is there and current")
