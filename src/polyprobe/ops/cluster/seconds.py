"""How long each stage is expected to take: as measured in earlier runs of the study, else by the cost model."""

from collections import defaultdict
from dataclasses import replace

from polyprobe.ops.cluster.graph import Pipeline, kind
from polyprobe.ops.cluster.loads import Rates, core_flops, dvc_seconds, loads, unhindered
from polyprobe.running.run_log import read_runs
from polyprobe.study import Study


def expected_seconds(
    study: Study, pipeline: Pipeline, *, cores: int | None = None, gpu: bool = True
) -> dict[str, float]:
    """The expected seconds of each stage of a pipeline, the start of DVC and of the stage included.

    A stage that finished before in this study is expected to take as long as its longest run: a shorter one had found
    some of its work done. The model's figures for others of the same kind are scaled by what the measured ones took.

    Args:
        study: the study in force.
        pipeline: its stages.
        cores: that a stage on a worker has to itself; None is cost.yaml's.
        gpu: whether there are workers with a GPU; without, its stages are reckoned with the cores.

    Raises:
        BadInputError: a checkpoint's model is of unknown shape.
    """
    rates, start = Rates.usual(cores=cores), dvc_seconds(pipeline)
    if not gpu:
        rates = replace(rates, flops=core_flops() * rates.cores)
    modelled = {stage: unhindered(load, rates) - start for stage, load in loads(study, pipeline, rates).items()}
    took: dict[str, float] = {}
    for run in read_runs():
        stage = "@".join((run.stage, *run.arguments))
        if run.study == study.study and run.outcome == "finished" and stage in modelled:
            took[stage] = max(run.seconds, took.get(stage, 0.0))
    measured: defaultdict[str, float] = defaultdict(float)
    said: defaultdict[str, float] = defaultdict(float)
    for stage, seconds in took.items():
        measured[kind(stage)] += seconds
        said[kind(stage)] += modelled[stage]
    scale = {name: measured[name] / said[name] for name in measured}
    return {
        stage: start + took.get(stage, seconds * scale.get(kind(stage), 1.0)) for stage, seconds in modelled.items()
    }
