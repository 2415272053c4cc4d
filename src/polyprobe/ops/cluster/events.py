"""A pipeline's run on a cluster, simulated from event to event: workers, and the network that they share."""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import inf

from polyprobe.ops.cluster.loads import Load, Rates
from polyprobe.ops.cluster.schedule import choose


@dataclass(frozen=True)
class Simulated:
    """One run."""

    makespan: float
    """Seconds from the first stage's start to the last one's end."""
    started: dict[str, float]
    """When each stage started."""
    ended: dict[str, float]
    worker: dict[str, str]
    """Who ran it."""


def run(
    upstream: Mapping[str, Collection[str]],
    loads: Mapping[str, Load],
    workers: Mapping[str, bool],
    ranks: Mapping[str, float],
    gpu_stages: Collection[str],
    rates: Rates,
) -> Simulated:
    """Runs a pipeline: whenever a worker is free, `choose` says what it takes.

    A stage downloads, fetches, works and stores, one after the other, and its worker does nothing else meanwhile. All
    that use the hub at one time get the same share of it, but never more than a worker's link lets through; so with the
    store.

    Args:
        upstream: a stage → the stages that it waits for, all of them keys.
        loads: what each stage asks for in truth.
        workers: each one's name → whether it offers a GPU.
        ranks: of each stage, as the scheduler believes them.
        gpu_stages: the stages that need a GPU.
        rates: how fast things go.

    Raises:
        ValueError: stages wait for each other, or for a GPU that no worker has.
    """
    waits = {stage: len(set(earlier)) for stage, earlier in upstream.items()}
    downstream: dict[str, list[str]] = {stage: [] for stage in upstream}
    for stage, waited_for in upstream.items():
        for earlier in sorted(set(waited_for)):
            downstream[earlier].append(stage)
    hub, store, work = _Shared(rates.hub, rates.link), _Shared(rates.store, rates.link), _Work()
    places: tuple[_Shared | _Work, ...] = (hub, store, work)
    to_do: dict[str, list[tuple[_Shared | _Work, float]]] = {}
    ready = {stage for stage, number in waits.items() if number == 0}
    busy: set[str] = set()
    started: dict[str, float] = {}
    ended: dict[str, float] = {}
    by: dict[str, str] = {}
    now = 0.0
    while len(ended) < len(upstream):
        if len(busy) < len(workers):
            for stage, name in choose(ready, workers, busy, ranks, gpu_stages):
                ready.discard(stage)
                busy.add(name)
                started[stage], by[stage] = now, name
                load = loads[stage]
                # The last one first.
                parts: list[tuple[_Shared | _Work, float]] = [
                    (store, load.stored),
                    (work, load.seconds),
                    (store, load.fetched),
                    (hub, load.downloaded),
                ]
                to_do[stage] = [part for part in parts if part[1] > 0] or [(work, 0.0)]
                place, amount = to_do[stage].pop()
                place.enter(now, stage, amount)
        now, place = min(((place.next(), place) for place in places), key=lambda pair: pair[0])
        if now == inf:
            raise ValueError(f"nobody can run {', '.join(sorted(set(upstream) - set(ended)))}")
        stage = place.leave(now)
        if to_do[stage]:
            place, amount = to_do[stage].pop()
            place.enter(now, stage, amount)
            continue
        ended[stage] = now
        busy.discard(by[stage])
        for later in downstream[stage]:
            waits[later] -= 1
            if waits[later] == 0:
                ready.add(later)
    return Simulated(now, started, ended, by)


@dataclass
class _Work:
    """Everyone works at their own speed."""

    ends: list[tuple[float, str]] = field(default_factory=list)

    def enter(self, now: float, stage: str, seconds: float) -> None:
        """A stage begins to work."""
        heapq.heappush(self.ends, (now + seconds, stage))

    def next(self) -> float:
        """When the next one is done."""
        return self.ends[0][0] if self.ends else inf

    def leave(self, now: float) -> str:
        """The stage that is done now."""
        return heapq.heappop(self.ends)[1]


@dataclass
class _Shared:
    """A network that is shared evenly: all have received the same since the beginning, so a stage leaves when that has
    grown by what it asked for."""

    capacity: float
    link: float
    now: float = 0.0
    received: float = 0.0
    ends: list[tuple[float, str]] = field(default_factory=list)

    def enter(self, now: float, stage: str, amount: float) -> None:
        """A stage begins to transfer so many bytes."""
        self._advance(now)
        heapq.heappush(self.ends, (self.received + amount, stage))

    def next(self) -> float:
        """When the next one is done, if nobody enters before."""
        return self.now + max(0.0, self.ends[0][0] - self.received) / self._rate() if self.ends else inf

    def leave(self, now: float) -> str:
        """The stage that is done now."""
        self._advance(now)
        return heapq.heappop(self.ends)[1]

    def _advance(self, now: float) -> None:
        self.received += (now - self.now) * self._rate() if self.ends else 0.0
        self.now = now

    def _rate(self) -> float:
        return min(self.link, self.capacity / len(self.ends))
