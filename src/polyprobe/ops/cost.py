"""What a study will cost before it is run.

Per stage and in total: words, sub-words, floating-point operations, hours on a GPU at the stated rate, hours of one
core for the probes, bytes on disk and in the remote. The constants and where they are from: `cost.yaml`. It is an
estimate: sizes of corpora are those published, or counted in metrics/ where the study in force has fetched its data;
lengths are averages.
"""

import json
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from polyprobe.artefacts import mapping
from polyprobe.artefacts.scores import TASKS
from polyprobe.choices.categories import categories_of
from polyprobe.choices.layers import layers_of
from polyprobe.choices.repositories import repository_of
from polyprobe.ops.appendix_a2 import in_paper
from polyprobe.ops.markdown import markdown_table
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Checkpoint, Pretrain, Study, Task, load_study
from polyprobe.transfer.fetching import METRICS

STUDIES: Final = Path("studies")
_CONSTANTS: Final = Path(__file__).with_name("cost.yaml")
_SHARES: Final = {"train": 0.8, "dev": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Cost:
    """What one stage costs, over all its checkpoints."""

    words: int | float = 0
    subwords: int | float = 0
    flops: int | float = 0
    core_hours: int | float = 0
    """One core's, beside the floating-point operations."""
    disk: int | float = 0
    """Bytes, what is downloaded among them."""
    remote: int | float = 0
    """Bytes that `dvc push` sends."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(Cost)})


@dataclass(frozen=True)
class Shape:
    """A transformer's size."""

    blocks: int
    width: int
    vocabulary: int
    tied: bool = True
    """Whether the embeddings of the sub-words are the output's weights too."""

    @property
    def per_block(self) -> int:
        """The weights of one block: 4 d² of attention and 8 d² of the feed-forward network."""
        return 12 * self.width**2

    @property
    def parameters(self) -> int:
        """All weights, the embeddings counted."""
        return self.blocks * self.per_block + (1 if self.tied else 2) * self.vocabulary * self.width


def say_cost(study: str | None, rate: float | None) -> None:
    """Print what a study will cost.

    Args:
        study: as for `study_file`.
        rate: floating-point operations that the GPU does per second; None for the usual ones.

    Raises:
        BadInputError: there is no such study, or a checkpoint's model is of unknown shape.
    """
    loaded = load_study(study_file(study))
    flops_per_second = float(rate or constants()["flops_per_second"])
    print(f"study {loaded.study}: {len(loaded.checkpoints)} checkpoints, {len(loaded.languages)} languages")
    print(f"GPU hours at {flops_per_second:.3g} operations per second; core hours of one core beside them\n")
    print(table(costs(loaded), flops_per_second))


def study_file(name: str | None) -> Path:
    """Return the params file that a command's argument means.

    Args:
        name: of a study in studies/, or a path that ends in `.yaml`; None is the study in force.
    """
    if name is None:
        return PARAMS
    return Path(name) if name.endswith(".yaml") else STUDIES / f"{name}.yaml"


def table(found: dict[str, Cost], rate: float) -> str:
    """Return the costs as a Markdown table, with their sum.

    Args:
        found: the cost of each stage.
        rate: floating-point operations per second.
    """
    rows = [
        [
            stage,
            f"{cost.words:,.0f}",
            f"{cost.subwords:,.0f}",
            f"{cost.flops:.2g}",
            f"{cost.flops / rate / 3600:.2g}",
            f"{cost.core_hours:.2g}",
            f"{cost.disk / 1e9:.2g}",
            f"{cost.remote / 1e9:.2g}",
        ]
        for stage, cost in (found | {"total": sum(found.values(), Cost())}).items()
    ]
    header = ["stage", "words", "sub-words", "operations", "GPU hours", "core hours", "disk, GB", "remote, GB"]
    return markdown_table(header, rows)


def costs(study: Study) -> dict[str, Cost]:
    """Return the cost of each stage that has one worth telling, over all its checkpoints.

    Raises:
        BadInputError: a checkpoint's model is of unknown shape.
    """
    found: dict[str, Cost] = {}
    for stage, cost in stage_costs(study).items():
        name = stage.partition("@")[0]
        found[name] = found.get(name, Cost()) + cost
    return found


def stage_costs(study: Study) -> dict[str, Cost]:
    """Return the same by the stages' addresses in dvc.yaml, such as `probe@step-20`.

    Checkpoints that the study leaves out as known duplicates cost their download alone.

    Raises:
        BadInputError: a checkpoint's model is of unknown shape.
    """
    corpora = corpus_words(study)
    examples = {task: _examples(study, task) for task in TASKS}
    found = {"convert_unimorph": Cost(words=sum(corpora.values()))}
    for name, settings in study.pretrain.items():
        found[f"pretrain@{name}"] = _pretrain(settings)
    left_out = left_out_checkpoints(study)
    for key, checkpoint in study.checkpoints.items():
        shape = shape_of(study, key, checkpoint)
        if repository_of(study, key) is not None:
            found[f"resolve@{key}"] = Cost(disk=constants()["weights_bytes"] * shape.parameters)
        if key not in left_out:
            found[f"extract@{key}"] = _extract(study, key, shape, corpora)
            found[f"probe@{key}"] = _probe(study, key, shape, corpora)
            for task in TASKS:
                found[f"finetune_{task}@{key}"] = _fine_tune(study, task, shape, examples[task])
    return found


def left_out_checkpoints(study: Study) -> set[str]:
    """Return the checkpoints that `verify_checkpoints` will leave out, if the known duplicates are ones."""
    first = {"fail": None, "drop_both": 0, "keep_first": 1}[study.duplicates.policy]
    if first is None:
        return set()
    sets = [[key for key in study.checkpoints if key in known] for known in study.duplicates.known]
    return {key for keys in sets for key in keys[first:]}


def shape_of(study: Study, key: str, checkpoint: Checkpoint) -> Shape:
    """Return the shape of a checkpoint's model: pretrained here, of a known repository, or of its own config.json.

    Args:
        study: the study.
        key: of the checkpoint.
        checkpoint: what the study says of it.

    Raises:
        BadInputError: none of these.
    """
    from polyprobe.checkpoints.config import layers_and_width, load_config

    if checkpoint.model in study.pretrain:
        return _pretrained_shape(study.pretrain[checkpoint.model])
    if (repository := repository_of(study, key)) is not None:
        known = [name for name in constants()["models"] if repository.startswith(name)]
        if known:
            return Shape(**constants()["models"][max(known, key=len)])
        raise BadInputError(f"{_CONSTANTS.name}: models: no shape of {repository}, expected a line for it")
    layers, width = layers_and_width(load_config(checkpoint.weights), checkpoint.weights)
    return Shape(layers - 1, width, 0)


def _pretrained_shape(settings: Pretrain) -> Shape:
    return Shape(settings.blocks, settings.width, settings.vocabulary)


def corpus_words(study: Study) -> dict[str, int | float]:
    """Return the words of each language's treebanks: counted by `convert_unimorph`, else published or assumed."""
    known = constants()
    if study.treebanks.source == "pocket" and study.pocket is not None:
        sizes = study.pocket.treebank
        sentences = sizes.train + sizes.dev + sizes.test
        usual = dict.fromkeys(study.languages, sentences * float(known["pocket_words_per_sentence"]))
    else:
        usual = {code: float(known["words"].get(code, known["words_of_others"])) for code in study.languages}
    counted = {}
    if mapping.TABLE.path.exists() and _in_force(study):
        counted = {entry["language"]: entry["words"] for entry in mapping.TABLE.read()}
    return {code: counted.get(code, usual[code]) for code in study.languages}


def split_words(study: Study, corpus: int | float) -> dict[str, int | float]:
    """Return how many words of a language are embedded, per lemma split.

    Args:
        study: the study, which may have caps.
        corpus: words of the language's treebanks.
    """
    caps = study.extract.max_words.model_dump() if study.extract.max_words else {}
    labelled = corpus * constants()["labelled"]
    return {split: min(labelled * share, caps.get(split, labelled)) for split, share in _SHARES.items()}


def _pretrain(settings: Pretrain) -> Cost:
    parameters = _pretrained_shape(settings).parameters
    tokens = settings.save_at[-1] * settings.batch_size * settings.sequence_length
    saved = 4 * parameters * len(settings.save_at)
    return Cost(subwords=tokens, flops=6 * parameters * tokens, disk=saved, remote=saved)


def _extract(study: Study, key: str, shape: Shape, corpora: dict[str, int | float]) -> Cost:
    """Whole sentences go through the model, up to the highest layer asked for; what is kept is float16."""
    layers = layers_of(study, key, shape.blocks + 1)
    words = sum(sum(split_words(study, corpus).values()) for corpus in corpora.values())
    subwords = words / constants()["labelled"] * constants()["subwords_per_word"]
    kept = len(layers) * words * (2 * shape.width + 4)
    flops = 2 * (max(layers) - 1) * shape.per_block * subwords
    return Cost(words=words, subwords=subwords, flops=flops, disk=kept, remote=kept)


def _probe(study: Study, key: str, shape: Shape, corpora: dict[str, int | float]) -> Cost:
    known, layers = constants(), layers_of(study, key, shape.blocks + 1)
    probes_per_dataset = study.probe.seeds + len(study.probe.controls) - 1
    seconds = 0.0
    for category in categories_of(study, key):
        classes = known["classes"].get(category, known["classes"]["other"])
        per_word = float(known["probe_seconds"]["fixed"]) + float(known["probe_seconds"]["per_class"]) * classes
        for language, corpus in corpora.items():
            # Where the paper does not probe a pair, neither will this study, most likely.
            if in_paper(language, category) is not False:
                seconds += per_word * split_words(study, corpus)["train"] * shape.width / 1024 * probes_per_dataset
    return Cost(core_hours=len(layers) * seconds / 3600)


def _fine_tune(study: Study, task: str, shape: Shape, sizes: dict[str, int]) -> Cost:
    """Forward and backward through frozen weights are 4 operations per weight and sub-word, forward alone 2."""
    settings: Task = getattr(study.transfer, task)
    train = min(sizes["train"], settings.max_train or sizes["train"])
    test = min(sizes["test"], settings.max_test or sizes["test"]) * len(settings.languages)
    steps = settings.epochs * train / (settings.batch_size * settings.gradient_accumulation)
    evaluated = sizes["dev"] * steps / settings.evaluate_every + 2 * test
    body = shape.blocks * shape.per_block
    length = min(sizes["subwords"], settings.max_length)
    adapter = 4 * shape.blocks * study.transfer.lora.rank * 4 * shape.width
    seeds = study.transfer.seeds
    return Cost(
        subwords=seeds * (settings.epochs * train + evaluated) * length,
        flops=seeds * body * length * (4 * settings.epochs * train + 2 * evaluated),
        disk=seeds * adapter,
        remote=seeds * adapter,
    )


def _examples(study: Study, task: str) -> dict[str, int]:
    """Return a task's examples per split, and sub-words per example.

    Of the tests it is the largest one's, where `fetch_transfer` has counted them.
    """
    sizes: dict[str, int] = dict(constants()["examples"][task])
    if study.transfer.source == "pocket" and study.pocket is not None:
        sizes |= (study.pocket.nli if task == "xnli" else study.pocket.pos).model_dump()
    if METRICS.exists() and _in_force(study):
        counted: dict[str, int] = {}
        for entry in json.loads(METRICS.read_text(encoding="utf-8")):
            if entry["task"] == task:
                counted[entry["split"]] = max(entry["examples"], counted.get(entry["split"], 0))
        sizes |= counted
    return sizes


def _in_force(study: Study) -> bool:
    return PARAMS.exists() and load_study() == study


@cache
def constants() -> dict[str, Any]:
    """Return what is in `cost.yaml`."""
    import yaml

    known: dict[str, Any] = yaml.safe_load(_CONSTANTS.read_text(encoding="utf-8"))
    return known
