"""Which ready stage a free worker takes: the one that the longest path to the pipeline's end begins with.

List scheduling by Graham's rule, with the lengths of the critical paths as priorities.
"""

from collections.abc import Collection, Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Final

GPU_KINDS: Final = frozenset({"pretrain", "extract", "finetune_xnli", "finetune_pos"})
"""Names in dvc.yaml of the stages that compute on a GPU where there is one."""


def priorities(upstream: Mapping[str, Collection[str]], seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds from each stage's start to the end of the pipeline along the longest path.

    Args:
        upstream: a stage → the stages that it waits for; those that are no keys have been done.
        seconds: how long each stage is expected to take.

    Raises:
        graphlib.CycleError: stages wait for each other in a circle.
        KeyError: a stage has no seconds.
    """
    afterwards = dict.fromkeys(upstream, 0.0)
    for stage in reversed([*TopologicalSorter(upstream).static_order()]):
        for earlier in upstream.get(stage, ()):
            if earlier in upstream:
                afterwards[earlier] = max(afterwards[earlier], seconds[stage] + afterwards[stage])
    return {stage: seconds[stage] + afterwards[stage] for stage in upstream}


def choose(
    ready: Iterable[str],
    workers: Mapping[str, bool],
    busy: Collection[str],
    ranks: Mapping[str, float],
    gpu_stages: Collection[str],
) -> list[tuple[str, str]]:
    """Return which of the ready stages start now, and where.

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
    without_gpu = [name for name in workers if not workers[name] and name not in busy]
    in_order = sorted(ready, key=lambda stage: (-ranks[stage], stage))
    if not all(workers.values()):
        in_order.sort(key=lambda stage: stage not in gpu_stages)
    chosen = []
    for stage in in_order:
        free = with_gpu if stage in gpu_stages or not without_gpu else without_gpu
        if free:
            chosen.append((stage, free.pop(0)))
    return chosen
