"""What each stage asks for by the cost model: a worker's time, and bytes over the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from polyprobe.choices.categories import categories_of
from polyprobe.choices.layers import layers_of
from polyprobe.ops.cluster.graph import Pipeline, kind
from polyprobe.ops.cost import Cost, constants, left_out_checkpoints, shape_of, stage_costs
from polyprobe.study import Study

_READS_WEIGHTS: Final = ("extract", "finetune_xnli", "finetune_pos")


@dataclass(frozen=True)
class Load:
    """What one stage asks for."""

    seconds: float
    """Of the worker that runs it: DVC's start and the stage's own work, transfers left out."""
    downloaded: float = 0.0
    """Bytes from the hub or the web."""
    fetched: float = 0.0
    """Bytes from the store that the workers share: weights, and all that the stages stored which it waits for."""
    stored: float = 0.0
    """Bytes to that store."""


@dataclass(frozen=True)
class Rates:
    """How fast things go."""

    flops: float
    """Floating-point operations that the worker of a stage for the GPU does per second."""
    cores: int
    """Of a worker."""
    hub: float
    """Bytes per second from the hub, of all workers together."""
    store: float
    """Bytes per second to and from the shared store, of all workers together."""
    link: float
    """Bytes per second that one worker can send or receive."""

    @classmethod
    def usual(cls, **given: int | float | None) -> "Rates":
        """Those of cost.yaml, but for those given that are not None."""
        rates = {"flops": constants()["flops_per_second"], **_known()["rates"]}
        rates |= {name: value for name, value in given.items() if value is not None}
        return cls(
            flops=float(rates["flops"]),
            cores=int(rates["cores"]),
            hub=float(rates["hub"]),
            store=float(rates["store"]),
            link=float(rates["link"]),
        )


def loads(study: Study, pipeline: Pipeline, rates: Rates) -> dict[str, Load]:
    """The load of each stage of a pipeline.

    Raises:
        BadInputError: a checkpoint's model is of unknown shape.
    """
    known, costs = _known(), stage_costs(study)
    start = dvc_seconds(pipeline)
    stored = {stage: float(costs[stage].remote) if stage in costs else 0.0 for stage in pipeline.upstream}
    left_out = left_out_checkpoints(study)
    weights = {
        key: constants()["weights_bytes"] * shape_of(study, key, checkpoint).parameters
        for key, checkpoint in study.checkpoints.items()
        if key not in left_out
    }
    found = {}
    for stage, waited_for in pipeline.upstream.items():
        cost, name, key = costs.get(stage, Cost()), kind(stage), stage.partition("@")[2]
        downloaded = float(cost.disk if name == "resolve" else known["downloaded_bytes"].get(name, 0.0))
        if study.treebanks.source == "pocket":
            downloaded = 0.0
        own = float(known["imports_seconds"]) + cost.flops / rates.flops + cost.core_hours * 3600 / rates.cores
        own += downloaded / float(known["hashed_bytes_per_second"]) + _of_words_and_pairs(study, name)
        found[stage] = Load(
            seconds=start + own,
            downloaded=downloaded,
            # Of what `extract` stores, embeddings are nearly all; only `probe` reads them.
            fetched=sum(
                stored.get(earlier, 0.0)
                for earlier in sorted(waited_for)
                if kind(earlier) != "extract" or name == "probe"
            )
            + (weights.get(key, 0.0) if name in _READS_WEIGHTS else 0.0),
            stored=stored[stage],
        )
    return found


def dvc_seconds(pipeline: Pipeline) -> float:
    """Seconds that a worker spends in DVC for each stage: it reads the whole pipeline every time."""
    known = _known()["dvc_seconds"]
    one = float(known["fixed"]) + float(known["per_stage"]) * len(pipeline.upstream)
    return float(known["commands"]) * one


def unhindered(load: Load, rates: Rates) -> float:
    """Seconds that a stage takes where no other one uses the network.

    Args:
        load: the stage's.
        rates: how fast things go.
    """
    hub, store = min(rates.hub, rates.link), min(rates.store, rates.link)
    return load.seconds + load.downloaded / hub + (load.fetched + load.stored) / store


def comparisons(study: Study) -> int:
    """Pairs of languages that `overlap` compares, over all checkpoints, layers and categories."""
    pairs = len(study.languages) * (len(study.languages) - 1) // 2
    left_out = left_out_checkpoints(study)
    kept = [key for key in study.checkpoints if key not in left_out]
    datasets = (
        len(layers_of(study, key, shape_of(study, key, study.checkpoints[key]).blocks + 1))
        * len(categories_of(study, key))
        for key in kept
    )
    return pairs * sum(datasets)


def core_flops() -> float:
    """Floating-point operations that one core does per second, where there is no GPU."""
    return float(_known()["core_flops"])


def pair_bytes() -> float:
    """Bytes of one comparison in plots/overlap/pairs.csv, which git holds."""
    return float(_known()["pair_bytes"])


def _of_words_and_pairs(study: Study, name: str) -> float:
    """Seconds of the stages that are there once, by what they grow with; 0 for the others."""
    grows: Mapping[str, float] = _known()["grows"].get(name, {})
    if not grows:
        return 0.0
    sizes = {
        "words": float(stage_costs(study)["convert_unimorph"].words) if "words" in grows else 0.0,
        "checkpoints": float(len(study.checkpoints) - len(left_out_checkpoints(study))),
        "comparisons": float(comparisons(study)) if "comparisons" in grows else 0.0,
    }
    return float(grows.get("fixed", 0.0)) + sum(float(each) * sizes[of] for of, each in grows.items() if of != "fixed")


def _known() -> dict[str, Any]:
    section: dict[str, Any] = constants()["cluster"]
    return section
