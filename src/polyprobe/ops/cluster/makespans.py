"""How long a pipeline takes on so many workers: simulated, by a good schedule, and at least."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Final

from polyprobe.ops.cluster.bounds import lower_bound, shares
from polyprobe.ops.cluster.events import run
from polyprobe.ops.cluster.graph import kind
from polyprobe.ops.cluster.loads import Load, Rates, unhindered
from polyprobe.ops.cluster.schedule import priorities

if TYPE_CHECKING:
    from numpy.random import Generator

OF_KIND: Final = 0.5
"""Standard deviation of the logarithm of the factor that all stages of a kind have in common: how wrong the cost model
may be about them."""
OF_STAGE: Final = 0.2
"""The same of the factor that each stage has of its own."""
NEIGHBOURS: Final = 8
"""The offline schedule is the best of the one by the longest path and so many with priorities near to it."""
_LARGE: Final = 1000
"""A pipeline with more stages has the one by the longest path only."""


@dataclass(frozen=True)
class Case:
    """A pipeline and what it asks for."""

    upstream: Mapping[str, Collection[str]]
    """A stage → the stages that it waits for, all of them keys."""
    loads: Mapping[str, Load]
    """Of each stage, as the scheduler believes it."""
    gpu_stages: Collection[str]
    rates: Rates


@dataclass(frozen=True)
class Makespans:
    """What so many workers need, in seconds: means over draws of the true loads."""

    workers: int
    gpus: int
    simulated: float
    """By the cluster's own scheduler, which knows what is expected."""
    offline: float
    """By a good schedule that knows the true loads."""
    bound: float
    """At least, whatever the schedule."""
    shares: dict[str, float]
    """At least, because of one thing alone."""
    limit: str
    """Which of them is the largest in most of the draws."""
    ratio: float
    """Simulated over offline."""
    worst: float
    """The largest such ratio of a draw."""


def makespans(case: Case, workers: Mapping[str, bool], draws: int) -> Makespans:
    """The makespans of a pipeline on a cluster.

    Args:
        case: the pipeline.
        workers: each one's name → whether it offers a GPU.
        draws: of the true loads, over which means are taken.
    """
    import numpy as np

    believed = _ranks(case.upstream, case.loads, case.rates)
    simulated, best, bounds, alone = [], [], [], []
    for seed in range(draws):
        generator = np.random.default_rng(seed)
        true = replace(case, loads=drawn(case.loads, generator))
        simulated.append(_makespan(true, workers, believed))
        best.append(offline(true, workers, generator))
        bounds.append(lower_bound(case.upstream, true.loads, workers, case.gpu_stages, case.rates))
        alone.append(shares(case.upstream, true.loads, workers, case.gpu_stages, case.rates))
    ratios = [ours / other for ours, other in zip(simulated, best, strict=True)]
    limits = Counter(max(each.items(), key=lambda item: item[1])[0] for each in alone)
    return Makespans(
        workers=len(workers),
        gpus=sum(workers.values()),
        simulated=fmean(simulated),
        offline=fmean(best),
        bound=fmean(bounds),
        shares={name: fmean(each[name] for each in alone) for name in alone[0]},
        limit=limits.most_common(1)[0][0],
        ratio=fmean(ratios),
        worst=max(ratios),
    )


def drawn(expected: Mapping[str, Load], generator: "Generator") -> dict[str, Load]:
    """True loads: the seconds times a factor of the stage's kind and one of its own, both lognormal with mean 1.

    Args:
        expected: what the cost model says.
        generator: of the factors.
    """

    def factor(spread: float) -> float:
        return float(generator.lognormal(-(spread**2) / 2, spread))

    of_kind = {name: factor(OF_KIND) for name in sorted({kind(stage) for stage in expected})}
    return {
        stage: replace(load, seconds=load.seconds * of_kind[kind(stage)] * factor(OF_STAGE))
        for stage, load in expected.items()
    }


def offline(case: Case, workers: Mapping[str, bool], generator: "Generator") -> float:
    """The makespan of a good schedule with the loads known: longest path first, or the best near to it.

    Args:
        case: with the true loads.
        workers: as for `makespans`.
        generator: of the priorities that are tried beside.
    """
    ranks = _ranks(case.upstream, case.loads, case.rates)
    best = _makespan(case, workers, ranks)
    for _ in range(NEIGHBOURS if len(ranks) <= _LARGE else 0):
        factors = generator.lognormal(0.0, 0.1, len(ranks))
        near = {stage: rank * float(factor) for (stage, rank), factor in zip(ranks.items(), factors, strict=True)}
        best = min(best, _makespan(case, workers, near))
    return best


def _makespan(case: Case, workers: Mapping[str, bool], ranks: Mapping[str, float]) -> float:
    return run(case.upstream, case.loads, workers, ranks, case.gpu_stages, case.rates).makespan


def _ranks(upstream: Mapping[str, Collection[str]], loads: Mapping[str, Load], rates: Rates) -> dict[str, float]:
    return priorities(upstream, {stage: unhindered(load, rates) for stage, load in loads.items()})
