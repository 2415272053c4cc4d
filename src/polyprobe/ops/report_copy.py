"""A copy of the study's report that says where and when the study was run."""

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from polyprobe.report.page import PAGE
from polyprobe.report.this_run import commit_text, pipeline, stamp, this_run
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file
from polyprobe.running.run_log import last_runs, read_runs, working_tree
from polyprobe.stage import parameters_digest
from polyprobe.study import load_study

COPY: Final = "report.html"
"""The name of the copy that is shown, below the scratch root."""


def write(file: Path) -> None:
    """Write a copy of the report of the study in the current folder that says where and when it was run.

    Args:
        file: the page to write.

    Raises:
        BadInputError: there is no report yet, or the file is the report itself.
    """
    if not PAGE.exists():
        raise BadInputError(f"{PAGE}: no report yet; run `dvc repro` first")
    if file.exists() and file.samefile(PAGE):
        raise BadInputError(f"{file}: expected a file beside the report, whose bytes DVC keeps")
    study = load_study()
    listings = this_run(
        last_runs(read_runs(), study.study), pipeline(study), parameters=parameters_digest(study), made=_made()
    )
    copy = stamp(PAGE.read_text(encoding="utf-8"), listings)
    with new_file(file) as temporary:
        temporary.write_text(copy, encoding="utf-8")


def _made() -> str:
    try:
        package = f"polyprobe {version('polyprobe')}"
    except PackageNotFoundError:
        package = "polyprobe"
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    return f"This copy of the page was made at {now} UTC by {package} (commit: {commit_text(*working_tree())})."
