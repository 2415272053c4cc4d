"""The scheduler's rule against every schedule there is, where there are few, and against theorems."""

import random
from collections.abc import Collection, Iterator
from graphlib import CycleError
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyprobe.ops.cluster.schedule import choose, priorities

Graph = dict[str, frozenset[str]]

STAGES = st.integers(1, 7)


def a_graph(stages: int, generator: random.Random, density: float = 0.35) -> tuple[Graph, dict[str, float]]:
    """Some stages, each of which waits for some of those before it, and their seconds."""
    names = [f"s{number}" for number in range(stages)]
    upstream = {
        name: frozenset(earlier for earlier in names[:place] if generator.random() < density)
        for place, name in enumerate(names)
    }
    return upstream, {name: float(generator.randint(1, 20)) for name in names}


def makespan(
    upstream: Graph,
    seconds: dict[str, float],
    workers: dict[str, bool],
    ranks: dict[str, float],
    gpu_stages: Collection[str] = (),
) -> float:
    """Return when the last stage ends if free workers take what `choose` says."""
    now, done, running = 0.0, set[str](), dict[str, tuple[float, str]]()
    while len(done) < len(upstream):
        started = {stage for _, stage in running.values()}
        ready = [stage for stage in upstream if upstream[stage] <= done and stage not in done | started]
        for stage, worker in choose(ready, workers, running, ranks, gpu_stages):
            assert worker not in running
            running[worker] = now + seconds[stage], stage
        now = min(end for end, _ in running.values())
        done |= {stage for end, stage in running.values() if end == now}
        running = {worker: (end, stage) for worker, (end, stage) in running.items() if end > now}
    return now


def alike(count: int) -> dict[str, bool]:
    """Workers without a GPU."""
    return {f"w{number}": False for number in range(count)}


def least(upstream: Graph, seconds: dict[str, float], workers: int) -> float:
    """The makespan of the best schedule: some order of the stages gives it, each set where it can start first."""
    return min(_in_order(order, upstream, seconds, workers) for order in _orders(upstream))


def _orders(upstream: Graph) -> Iterator[tuple[str, ...]]:
    for order in permutations(upstream):
        if all(order.index(earlier) < place for place, stage in enumerate(order) for earlier in upstream[stage]):
            yield order


def _in_order(order: tuple[str, ...], upstream: Graph, seconds: dict[str, float], workers: int) -> float:
    taken: list[tuple[float, float]] = []
    ends: dict[str, float] = {}
    for stage in order:
        earliest = max((ends[earlier] for earlier in upstream[stage]), default=0.0)
        starts = sorted({earliest, *(end for _, end in taken if end > earliest)})
        begin = next(start for start in starts if _fits(taken, start, start + seconds[stage], workers))
        ends[stage] = begin + seconds[stage]
        taken.append((begin, ends[stage]))
    return max(ends.values())


def _fits(taken: list[tuple[float, float]], begin: float, end: float, workers: int) -> bool:
    moments = [begin, *(start for start, _ in taken if begin < start < end)]
    return all(sum(start <= moment < stop for start, stop in taken) < workers for moment in moments)


@pytest.mark.parametrize("seed", range(12))
def test_ours_is_within_grahams_bound_of_the_best(seed: int) -> None:
    generator = random.Random(seed)
    upstream, seconds = a_graph(generator.randint(4, 7), generator)
    best = least(upstream, seconds, 2)
    by_the_longest_path = makespan(upstream, seconds, alike(2), priorities(upstream, seconds))
    at_random = makespan(upstream, seconds, alike(2), {stage: generator.random() for stage in upstream})
    assert best <= by_the_longest_path <= 1.5 * best
    assert best <= at_random <= 1.5 * best  # Graham: 2 - 1/workers, whatever the priorities


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.randoms(use_true_random=False))
def test_grahams_bound_holds_of_what_can_be_bounded(stages: int, workers: int, generator: random.Random) -> None:
    """List scheduling is at most (2 - 1/m) times the best; it is at most work / m + (1 - 1/m) longest path."""
    upstream, seconds = a_graph(stages, generator, 0.1)
    found = makespan(upstream, seconds, alike(workers), {stage: generator.random() for stage in upstream})
    longest = max(priorities(upstream, seconds).values())
    assert found <= sum(seconds.values()) / workers + (1 - 1 / workers) * longest + 1e-9


@settings(max_examples=100, deadline=None)
@given(STAGES, st.randoms(use_true_random=False))
def test_priorities_are_the_longest_of_all_paths(stages: int, generator: random.Random) -> None:
    upstream, seconds = a_graph(stages, generator)

    def longest(stage: str) -> float:
        later = [name for name, waited_for in upstream.items() if stage in waited_for]
        return seconds[stage] + max(map(longest, later), default=0.0)

    found = priorities(upstream, seconds)
    assert found == {stage: longest(stage) for stage in upstream}
    assert list(found) == list(upstream)


def test_a_chain_takes_all_its_seconds_and_a_star_is_spread() -> None:
    chain = {"a": frozenset[str](), "b": frozenset({"a"}), "c": frozenset({"b"})}
    seconds = {"a": 1.0, "b": 2.0, "c": 4.0}
    assert priorities(chain, seconds) == {"a": 7.0, "b": 6.0, "c": 4.0}
    assert makespan(chain, seconds, alike(8), priorities(chain, seconds)) == 7.0
    star: Graph = {"root": frozenset()} | {f"leaf{number}": frozenset({"root"}) for number in range(6)}
    star["end"] = frozenset(star)
    of_star = dict.fromkeys(star, 1.0)
    for workers, expected in ((1, 8.0), (2, 5.0), (3, 4.0), (4, 4.0), (6, 3.0), (9, 3.0)):
        assert makespan(star, of_star, alike(workers), priorities(star, of_star)) == expected


def test_the_longest_goes_first() -> None:
    """Three stages on two workers: 3 beside 2 and 1, not 2 beside 1 and 3."""
    upstream: Graph = dict.fromkeys(("a", "b", "c"), frozenset())
    seconds = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert makespan(upstream, seconds, alike(2), priorities(upstream, seconds)) == 3.0
    assert makespan(upstream, seconds, alike(2), {stage: -each for stage, each in seconds.items()}) == 4.0


def test_stages_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(CycleError):
        priorities({"a": {"b"}, "b": {"a"}}, {"a": 1.0, "b": 1.0})


def test_what_a_stage_waits_for_may_be_done_already() -> None:
    assert priorities({"b": {"a"}, "c": {"b", "z"}}, {"b": 1.0, "c": 2.0}) == {"b": 3.0, "c": 2.0}


RANKS = {"probe@a": 9.0, "probe@b": 5.0, "extract@a": 7.0, "extract@b": 3.0, "extract@c": 3.0}
ON_GPU = {"extract@a", "extract@b", "extract@c"}


@pytest.mark.parametrize(
    ("workers", "busy", "chosen"),
    [
        ({"cpu": False}, (), {"cpu": "probe@a"}),
        ({"gpu": True}, (), {"gpu": "probe@a"}),
        ({"gpu": True, "gpu2": True}, (), {"gpu": "probe@a", "gpu2": "extract@a"}),
        # With others beside, those with a GPU take what nobody else can.
        ({"gpu": True, "cpu": False}, (), {"gpu": "extract@a", "cpu": "probe@a"}),
        ({"gpu": True, "cpu": False}, ("cpu",), {"gpu": "extract@a"}),
        ({"gpu": True, "cpu": False}, ("gpu",), {"cpu": "probe@a"}),
        ({"gpu": True, "cpu": False}, ("gpu", "cpu"), {}),
        ({}, (), {}),
        (
            {"gpu": True, "gpu2": True, "gpu3": True, "gpu4": True, "cpu": False},
            (),
            # The one of two alike that comes first by name; one with a GPU helps out.
            {"gpu": "extract@a", "gpu2": "extract@b", "gpu3": "extract@c", "cpu": "probe@a", "gpu4": "probe@b"},
        ),
    ],
)
def test_who_takes_what(workers: dict[str, bool], busy: tuple[str, ...], chosen: dict[str, str]) -> None:
    for ready in (list(RANKS), list(reversed(RANKS))):
        pairs = choose(ready, workers, busy, RANKS, ON_GPU)
        assert {worker: stage for stage, worker in pairs} == chosen
        assert len(pairs) == len(chosen)


def test_a_stage_for_the_gpu_waits_for_one() -> None:
    upstream: Graph = {"a": frozenset(), "b": frozenset()}
    ranks = {"a": 2.0, "b": 3.0}
    assert makespan(upstream, ranks, {"gpu": True, "cpu": False}, ranks, {"a", "b"}) == 5.0
    assert makespan(upstream, ranks, {"gpu": True, "gpu2": True}, ranks, {"a", "b"}) == 3.0
    assert choose(["a", "b"], {"cpu": False}, (), ranks, {"a", "b"}) == []
