"""Sums up, for each stage that reads from disk, what it reads there."""

from polyprobe.artefacts import inputs as read
from polyprobe.choices.inputs import parallel_inputs, task_inputs, treebank_inputs
from polyprobe.stage import run_stage
from polyprobe.study import Study


def inputs(study: Study) -> None:
    """Write `data/inputs/READER.json` for each stage that reads from disk."""
    read.write_read("treebanks", treebank_inputs(study))
    read.write_read("parallel", parallel_inputs(study))
    read.write_read("tasks", task_inputs(study))


if __name__ == "__main__":
    run_stage(inputs)
