"""What no schedule can beat, and what sets the limit."""

from collections.abc import Collection, Mapping

from polyprobe.ops.cluster.loads import Load, Rates, unhindered
from polyprobe.ops.cluster.schedule import priorities


def shares(
    upstream: Mapping[str, Collection[str]],
    loads: Mapping[str, Load],
    workers: Mapping[str, bool],
    gpu_stages: Collection[str],
    rates: Rates,
) -> dict[str, float]:
    """Seconds that a pipeline's run takes at least because of one thing alone, by its name.

    Args:
        upstream: a stage → the stages that it waits for, all of them keys.
        loads: what each stage asks for.
        workers: each one's name → whether it offers a GPU.
        gpu_stages: the stages that need a GPU.
        rates: how fast things go.
    """
    seconds = {stage: unhindered(load, rates) for stage, load in loads.items()}
    on_gpu = sum(seconds[stage] for stage in upstream if stage in gpu_stages)
    return {
        "longest path": max(priorities(upstream, seconds).values(), default=0.0),
        "workers": sum(seconds.values()) / len(workers),
        "GPUs": on_gpu / sum(workers.values()) if on_gpu else 0.0,
        "hub": sum(load.downloaded for load in loads.values()) / rates.hub,
        "store": sum(load.fetched + load.stored for load in loads.values()) / rates.store,
    }


def lower_bound(
    upstream: Mapping[str, Collection[str]],
    loads: Mapping[str, Load],
    workers: Mapping[str, bool],
    gpu_stages: Collection[str],
    rates: Rates,
) -> float:
    """Seconds that a pipeline's run takes at least.

    The largest of `shares`; or what has to be downloaded before a stage for the GPU, and then the longest path from
    there; or the GPUs' work evenly spread, after the least that is before one of their stages (along the longest path
    to it, or what is to be downloaded) and before the shortest way from one to the end.

    Args:
        upstream: as for `shares`, like all others.
        loads: see there.
        workers: see there.
        gpu_stages: see there.
        rates: see there.
    """
    found = list(shares(upstream, loads, workers, gpu_stages, rates).values())
    on_gpu = [stage for stage in upstream if stage in gpu_stages]
    if on_gpu:
        seconds = {stage: unhindered(load, rates) for stage, load in loads.items()}
        downstream: dict[str, list[str]] = {stage: [] for stage in upstream}
        for stage, waited_for in upstream.items():
            for earlier in waited_for:
                downstream[earlier].append(stage)
        to_the_end, from_the_start = priorities(upstream, seconds), priorities(downstream, seconds)
        downloads = {stage: size / rates.hub for stage, size in _downloads(upstream, loads, on_gpu).items()}
        before = min(max(from_the_start[stage] - seconds[stage], downloads[stage]) for stage in on_gpu)
        after = min(to_the_end[stage] - seconds[stage] for stage in on_gpu)
        found.append(before + sum(seconds[stage] for stage in on_gpu) / sum(workers.values()) + after)
        found += [downloads[stage] + to_the_end[stage] for stage in on_gpu]
    return max(found)


def _downloads(
    upstream: Mapping[str, Collection[str]], loads: Mapping[str, Load], stages: Collection[str]
) -> dict[str, float]:
    """Bytes that are downloaded before each of some stages can start."""
    known: dict[frozenset[str], float] = {}
    for waited_for in {frozenset(upstream[stage]) for stage in stages}:
        before, frontier = set(waited_for), set(waited_for)
        while frontier:
            frontier = {earlier for stage in frontier for earlier in upstream[stage]} - before
            before |= frontier
        known[waited_for] = sum((loads[stage].downloaded for stage in sorted(before)), 0.0)
    return {stage: known[frozenset(upstream[stage])] for stage in stages}
