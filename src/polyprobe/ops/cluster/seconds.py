"""How long each stage is expected to take: as measured in earlier runs of the study, else by the cost model."""

import os
from collections.abc import Iterable

from polyprobe.ops.cluster.graph import kind
from polyprobe.ops.cost import constants, stage_costs
from polyprobe.running.errors import BadInputError
from polyprobe.running.run_log import read_runs
from polyprobe.study import Study


def expected_seconds(study: Study, stages: Iterable[str], *, gpu: bool) -> dict[str, float]:
    """Return the seconds that each stage is expected to take.

    Those of its longest run in this study, or of its kind's: a shorter one had found some of its work done. What has
    never run takes what the cost model says, and a second where it says nothing.

    Args:
        study: the study in force.
        stages: their addresses.
        gpu: whether there are workers with a GPU; without, the cores of this machine do its operations.
    """
    cores = os.cpu_count() or 1
    operations_per_second = float(constants()["flops_per_second"]) if gpu else float(constants()["core_flops"]) * cores
    try:
        costs = stage_costs(study)
    except BadInputError:
        # A model that the cost model does not know; the order of the stages is only a worse guess then.
        costs = {}
    modelled = {
        stage: cost.flops / operations_per_second + 3600 * cost.core_hours / cores for stage, cost in costs.items()
    }
    measured: dict[str, float] = {}
    for run in read_runs():
        if run.study == study.study and run.outcome == "finished":
            for name in ("@".join((run.stage, *run.arguments)), run.stage):
                measured[name] = max(run.seconds, measured.get(name, 0.0))
    return {stage: measured.get(stage) or measured.get(kind(stage)) or modelled.get(stage) or 1.0 for stage in stages}
