"""Which ready stage a free worker takes: the one that the longest path to the pipeline's end begins with.

List scheduling by Graham's rule with the priorities of the critical path. The coordinator and the simulation both ask
`choose`, so that what is simulated is what runs.
"""

import heapq
from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

GPU_KINDS: Final = frozenset({"pretrain", "extract", "finetune_xnli", "finetune_pos"})
"""Names in dvc.yaml of the stages that compute on a GPU where there is one."""


def priorities(upstream: Mapping[str, Collection[str]], seconds: Mapping[str, float]) -> dict[str, float]:
    """The seconds from a stage's start to the end of the pipeline along the longest path.

    Args:
        upstream: a stage → the stages that it waits for; those that are no keys have been done.
        seconds: how long each stage is expected to take.

    Raises:
        ValueError: stages wait for each other in a circle.
        KeyError: a stage has no seconds.
    """
    # Handed on as if each stage waited for those downstream of it, so that the sorter gives the last ones first.
    downstream: dict[str, list[str]] = {stage: [] for stage in upstream}
    for stage, waited_for in upstream.items():
        for earlier in waited_for:
            if earlier in downstream:
                downstream[earlier].append(stage)
    longest: dict[str, float] = {}
    try:
        for stage in TopologicalSorter(downstream).static_order():
            longest[stage] = seconds[stage] + max((longest[later] for later in downstream[stage]), default=0.0)
    except CycleError as error:
        raise ValueError(f"stages wait for each other: {' <- '.join(error.args[1])}") from None
    return {stage: longest[stage] for stage in upstream}


def choose(
    ready: Iterable[str],
    workers: Mapping[str, bool],
    busy: Collection[str],
    ranks: Mapping[str, float],
    gpu_stages: Collection[str],
) -> list[tuple[str, str]]:
    """Which of the ready stages start now, and where.

    A stage of higher rank goes first; of equal ones, the first by name. A stage that needs a GPU waits for a worker
    with one. One that needs none goes to a worker without where such a one is free, else to one with; but where there
    are workers without, those with a GPU take the stages that need it first: nobody else can.

    Args:
        ready: stages all of whose upstream has been done, and that have not been started.
        workers: every worker's name → whether it offers a GPU.
        busy: the workers that run a stage.
        ranks: of each stage, `priorities`.
        gpu_stages: the stages that need a GPU.

    Returns:
        Pairs of stage and worker. Empty where no worker is free for any of the stages.
    """
    with_gpu = [name for name in workers if workers[name] and name not in busy]
    without = [name for name in workers if not workers[name] and name not in busy]
    if not with_gpu and not without:
        return []

    def order(stage: str) -> tuple[float, str]:
        return -ranks[stage], stage

    for_gpu: list[str] = []
    for_any: list[str] = []
    for stage in ready:
        (for_gpu if stage in gpu_stages else for_any).append(stage)
    for_gpu = heapq.nsmallest(len(with_gpu), for_gpu, key=order)
    for_any = heapq.nsmallest(len(with_gpu) + len(without), for_any, key=order)
    mixed = not all(workers.values())
    chosen = []
    for stage in [*for_gpu, *for_any] if mixed else heapq.merge(for_gpu, for_any, key=order):
        places = with_gpu if stage in gpu_stages or not without else without
        if places:
            chosen.append((stage, places.pop(0)))
    return chosen
