"""Fetches the transfer tasks' files, checks them, and counts what they hold."""

from polyprobe.stage import run_stage
from polyprobe.study import Study
from polyprobe.transfer.fetching import fetch


def fetch_transfer(study: Study) -> None:
    """Write `data/tasks/<task>/<split>-<language>.tsv` and `metrics/transfer_data.json`."""
    fetch(study)


if __name__ == "__main__":
    run_stage(fetch_transfer)
