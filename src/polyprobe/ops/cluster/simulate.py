"""How long a study takes on a cluster, and what sets the limit: `python -m polyprobe.ops.cluster.simulate STUDY...`.

STUDY names a file in studies/, is the path of another params file, or one of `pythia` (154 checkpoints of 8 sizes) and
`hundred-languages`, which have no file. Printed per number of workers: the makespan of `polyprobe.ops.cluster repro`,
whose scheduler knows what the cost model expects and not what is true; that of a good schedule by the true seconds;
what no schedule can beat; and what sets this limit. True seconds are the expected ones times random factors.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from polyprobe.ops.cluster.graph import Pipeline, kind
from polyprobe.ops.cluster.graph_of_study import pipeline_of
from polyprobe.ops.cluster.loads import Rates, comparisons, dvc_seconds, loads, pair_bytes
from polyprobe.ops.cluster.makespans import OF_KIND, OF_STAGE, Case, Makespans, makespans
from polyprobe.ops.cluster.scenarios import SCENARIOS, scenario
from polyprobe.ops.cluster.schedule import GPU_KINDS
from polyprobe.ops.cost import study_file
from polyprobe.ops.markdown import markdown_table
from polyprobe.running.errors import BadInputError
from polyprobe.running.progress import progress
from polyprobe.study import Study, load_study

WORKERS: Final = (1, 4, 16, 64)
_FLAT: Final = 1.1
"""Four times as many workers are tried as long as the makespan gains more than this."""


def cluster(workers: int, one_gpu_in: int) -> dict[str, bool]:
    """The workers by name, and whether each has a GPU: one in so many, at least one."""
    return {f"worker-{number:05}": number % one_gpu_in == 0 for number in range(workers)}


def case_of(study: Study, pipeline: Pipeline, rates: Rates) -> Case:
    """A study's pipeline and what the cost model says of it.

    Raises:
        BadInputError: a checkpoint's model is of unknown shape.
    """
    return Case(
        upstream=pipeline.upstream,
        loads=loads(study, pipeline, rates),
        gpu_stages={stage for stage in pipeline.upstream if kind(stage) in GPU_KINDS},
        rates=rates,
    )


def rows(case: Case, counts: Sequence[int], one_gpu_in: int, draws: int, until_flat: bool) -> Iterator[Makespans]:
    """The makespans for each number of workers.

    Args:
        case: the study's.
        counts: numbers of workers, ascending.
        one_gpu_in: how many workers there are to a GPU.
        draws: of true seconds.
        until_flat: go on, four times as many at a time, until that gains less than a tenth.
    """
    before = last = None
    for count in counts:
        before, last = last, makespans(case, cluster(count, one_gpu_in), draws)
        yield last
    while until_flat and last and (before is None or before.simulated > _FLAT * last.simulated):
        before, last = last, makespans(case, cluster(4 * last.workers, one_gpu_in), draws)
        yield last


def table(found: Sequence[Makespans]) -> str:
    """The makespans in hours, as a Markdown table."""
    limits = list(found[0].shares)
    header = ["workers", "GPUs", "simulated, h", "offline, h", "lower bound, h", "simulated / offline", "worst"]
    lines = [
        [
            str(each.workers),
            str(each.gpus),
            *(f"{seconds / 3600:.2f}" for seconds in (each.simulated, each.offline, each.bound)),
            f"{each.ratio:.3f}",
            f"{each.worst:.3f}",
            *(f"{each.shares[name] / 3600:.2f}" for name in limits),
            each.limit,
        ]
        for each in found
    ]
    return markdown_table([*header, *(f"{name}, h" for name in limits), "limit"], lines)


def summary(study: Study, case: Case, pipeline: Pipeline) -> str:
    """What the study asks for in all, in a few lines."""
    hours: defaultdict[str, float] = defaultdict(float)
    for stage, load in case.loads.items():
        hours[kind(stage)] += load.seconds / 3600
    longest = sorted(hours, key=lambda name: -hours[name])[:5]
    sizes = {
        name: sum(getattr(load, name) for load in case.loads.values()) for name in ("downloaded", "stored", "fetched")
    }
    pairs = comparisons(study)
    return (
        f"study {study.study}: {len(study.checkpoints)} checkpoints, {len(study.languages)} languages, "
        f"{len(case.loads)} stages\n"
        f"hours of a worker: {', '.join(f'{name} {hours[name]:,.2f}' for name in longest)}; in all "
        f"{sum(hours.values()):,.1f}, of them in DVC {len(case.loads) * dvc_seconds(pipeline) / 3600:.2f}\n"
        f"GB: {', '.join(f'{name} {size / 1e9:,.0f}' for name, size in sizes.items())}; "
        f"in git {pairs * pair_bytes() / 1e9:.3f} of {pairs:,} comparisons in plots/overlap/pairs.csv"
    )


def load(name: str) -> Study:
    """The study that an argument means.

    Raises:
        BadInputError: there is none, or it is not valid.
    """
    return scenario(name) if name in SCENARIOS else load_study(study_file(name))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m polyprobe.ops.cluster.simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("studies", nargs="+", metavar="STUDY", help=f"a study, a params file, {', '.join(SCENARIOS)}")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="numbers of workers, ascending")
    parser.add_argument("--until-flat", action="store_true", help="go on until more workers gain less than a tenth")
    parser.add_argument("--one-gpu-in", type=int, default=1, metavar="N", help="workers to a GPU (default: 1)")
    parser.add_argument("--draws", type=int, default=20, help="of the true seconds (default: 20)")
    parser.add_argument("--flops", type=float, help="floating-point operations that a GPU does per second")
    parser.add_argument("--cores", type=int, help="of a worker")
    parser.add_argument("--hub", type=float, help="bytes per second from the hub, all workers together")
    parser.add_argument("--store", type=float, help="bytes per second to and from the shared store, all together")
    options = parser.parse_args(arguments)
    try:
        counts = sorted(set(options.workers))
        if min(counts[0], options.one_gpu_in, options.draws) < 1:
            raise BadInputError("--workers, --one-gpu-in, --draws: expected numbers from 1")
        rates = Rates.usual(flops=options.flops, cores=options.cores, hub=options.hub, store=options.store)
        print(
            f"{rates.flops:.3g} operations per second and GPU, {rates.cores} cores a worker, {rates.hub / 1e6:g} MB/s "
            f"from the hub, {rates.store / 1e6:g} MB/s of the shared store, {rates.link / 1e6:g} MB/s a worker\n"
            f"{options.draws} draws of true seconds: lognormal factors, sigma {OF_KIND} per kind, {OF_STAGE} per stage"
        )
        for name in options.studies:
            study = load(name)
            pipeline = pipeline_of(study)
            case = case_of(study, pipeline, rates)
            print(f"\n{summary(study, case, pipeline)}\n")
            found = rows(case, counts, options.one_gpu_in, options.draws, options.until_flat)
            print(table(list(progress(found, description=study.study, unit="row"))), flush=True)
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
