"""params.yaml as frozen models: the one place that knows a key.

The file is read as DVC reads it (ruamel.yaml, YAML 1.2). Whatever is wrong with it is one `BadInputError` that names
file, key and what was expected.
"""

import math
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from polyprobe.artefacts.dimensions import SHORT_NAMES, dimension_name, dimensions
from polyprobe.languages import languages
from polyprobe.running.errors import BadInputError

PARAMS: Final = Path("params.yaml")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_language(code: object) -> str:
    if not isinstance(code, str) or code not in languages():
        raise ValueError(f"unknown language code {code!r}, expected an ISO 639 code such as {', '.join(_SOME_CODES)}")
    return code


def _known_category(name: object) -> str:
    try:
        return dimension_name(str(name))
    except KeyError:
        expected = ", ".join([*dimensions(), *SHORT_NAMES])
        raise ValueError(f"unknown category {name!r}, expected one of {expected}") from None


def _layer(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a layer number from 1 or a relative depth between 0.0 and 1.0, got {value!r}")
    if isinstance(value, int) and value < 1:
        raise ValueError(f"layers are numbered from 1, got {value}")
    if isinstance(value, float) and not 0.0 <= value <= 1.0:
        raise ValueError(f"a relative depth lies between 0.0 and 1.0, got {value}")
    return value


def _sizes(value: object) -> object:
    sizes = value if isinstance(value, list) else [value]
    if not sizes or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
        raise ValueError(f"expected a number of neurons from 1 or a list of such numbers, got {value!r}")
    if len(set(sizes)) != len(sizes):
        raise ValueError(f"a number is there twice: {value}")
    return value


def _one_or_two_files(value: object) -> object:
    files = [value] if isinstance(value, str | Path) else value
    if not isinstance(files, list) or len(files) not in (1, 2):
        raise ValueError(f"expected one file of `source<TAB>target` or two files [source, target], got {value!r}")
    return files


_SOME_CODES = ("en", "eu", "zh", "qaa")
LanguageCode = Annotated[str, BeforeValidator(_known_language)]
Category = Annotated[str, BeforeValidator(_known_category)]
Layer = Annotated[int | float, BeforeValidator(_layer)]
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
FileSplit = Literal["train", "dev", "test"]


class Archive(_Section):
    """A file on the web."""

    url: Annotated[str, Field(pattern=r"https?://[^\s/]+/\S+")]
    sha256: Annotated[str, Field(pattern=r"[0-9a-f]{64}")] | None = None
    """null: the one in downloads.lock, recorded there at the first use."""


class Treebanks(_Section):
    """Where treebanks come from (`fetch_ud`) and how they are read."""

    source: Literal["pocket", "dir", "archive", "github"]
    """pocket: the mini-languages, generated; dir: a folder in UD's layout; archive: a release of UD as published;
    github: each treebank's own repository at a release's tag."""
    dir: Path | None = None
    """The folder that holds `UD_*` folders, for source dir."""
    release: Annotated[str, Field(pattern=r"[0-9]+\.[0-9]+")] | None = None
    """A release of UD such as "2.1" (quoted), for the sources archive and github."""
    archive: Archive | None = None
    """The release's archive; may be left out for a release that `treebanks/sources/releases.yaml` knows."""
    folders: dict[LanguageCode, list[str]]
    """Per language, the treebank folders whose words are probed (several are joined)."""
    on_error: Literal["fail", "skip_sentence"] = "fail"

    @model_validator(mode="after")
    def _source_given(self) -> "Treebanks":
        if self.source == "dir" and self.dir is None:
            raise ValueError("dir: expected a folder because source is dir")
        if self.source == "github" and self.release is None:
            raise ValueError('release: expected a release such as "2.1" because source is github')
        if self.source == "archive" and self.release is None and self.archive is None:
            raise ValueError("archive: expected url and sha256 (or a known release) because source is archive")
        return self


class Parallel(_Section):
    """Parallel sentences for the similarity of languages with the source language."""

    folders: dict[LanguageCode, str] = {}
    """Per language, the treebank folder that holds its side of the parallel text; sentences are matched by sent_id."""
    files: dict[LanguageCode, Annotated[list[Path], BeforeValidator(_one_or_two_files)]] = {}
    """Per target language, its sentences with those of the source language as text: one file whose lines are
    `source<TAB>target`, or two files `[source, target]` that are aligned line by line. DVC does not watch them: after a
    change, `dvc repro --force convert_unimorph`."""
    max_pairs: Positive = 1000
    """At most so many pairs of a language: the first."""
    poolings: list[Literal["mean", "last"]] = ["mean", "last"]
    """A sentence's hidden state: the mean over its sub-words; its last sub-word's, as the authors did."""

    @model_validator(mode="after")
    def _one_place_each(self) -> "Parallel":
        for language in self.files:
            if language in self.folders:
                raise ValueError(f"files.{language}: expected a language once, it is in folders too")
        return self


class PocketNLI(_Section):
    """Pairs per split of the generated NLI task (the test set is the same size in each language)."""

    train: Positive
    dev: Positive
    test: Positive


class PocketSentences(_Section):
    """Sentences per file of each generated treebank, of the parallel set, and of the POS task."""

    train: Positive
    dev: Positive
    test: Positive
    parallel: Positive


class Pocket(_Section):
    """The mini-languages' generator."""

    seed: int = 0
    treebank: PocketSentences
    nli: PocketNLI
    pos: PocketNLI


class Words(_Section):
    """Which words are probed and how lemmas are split (fidelity rows 12 and 13)."""

    min_label_count: Positive = 20
    """A label needs this many words in each of train, dev and test; a category needs two such labels."""
    min_lemma_count: Annotated[int, Field(ge=0)] = 0
    """Words whose lemma occurs less often than this in its split are discarded (the paper's text: 20)."""
    seed: int = 0


class Pretrain(_Section):
    """A BLOOM trained from scratch on the study's treebanks."""

    vocabulary: Positive
    blocks: Positive
    width: Positive
    heads: Positive
    sequence_length: Positive
    batch_size: Positive
    learning_rate: Rate
    warmup_steps: Annotated[int, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    save_at: list[Annotated[int, Field(ge=0)]]
    """Optimiser steps after which a checkpoint is saved; training ends with the last one."""
    files: list[FileSplit] = ["train"]
    """The treebank files whose text is trained on."""
    seed: int = 0

    @field_validator("save_at")
    @classmethod
    def _ascending(cls, steps: list[int]) -> list[int]:
        if not steps or sorted(set(steps)) != steps:
            raise ValueError(f"expected ascending steps, got {steps}")
        return steps

    @model_validator(mode="after")
    def _heads_divide(self) -> "Pretrain":
        if self.width % self.heads:
            raise ValueError(f"width: expected a multiple of heads ({self.heads}), got {self.width}")
        return self


class HubRepository(_Section):
    """A model or a dataset of the hub."""

    repository: str
    revision: str = "main"
    """A commit; or a branch or tag, which `downloads.lock` pins to a commit at its first use."""


class Checkpoint(_Section):
    """One checkpoint of one model."""

    model: str
    """The model that this is a checkpoint of; correlations are per model."""
    weights: Path
    """A folder in transformers' layout; or, with `repository`, the YAML file that pins hub revisions to commits (those
    that it lacks are in `downloads.lock`)."""
    repository: str | None = None
    revision: str | None = None
    """On the hub: a commit, branch or tag."""
    tokenizer: HubRepository | None = None
    """null: the tokenizer lies with the weights."""
    step: Annotated[int, Field(ge=0)]
    tokens_seen: Annotated[int, Field(ge=0)] | None = None
    """Sub-words seen in training; null where unknown."""
    converged: bool = False
    """The final model rather than an intermediate one (see correlate.include_converged)."""
    layers: list[Layer] = []
    """Layers probed at this checkpoint beside the study's, for the layer scan."""
    categories: list[Category] = []
    """Categories probed at this checkpoint beside the study's."""

    @model_validator(mode="after")
    def _revision_given(self) -> "Checkpoint":
        if (self.repository is None) != (self.revision is None):
            raise ValueError("expected repository and revision together")
        return self


class MaxWords(_Section):
    """At most this many words per language and lemma split."""

    train: Positive
    dev: Positive
    test: Positive


class Extract(_Section):
    """Hidden states of words."""

    max_words: MaxWords | None = None
    """The cap; each label keeps at least words.min_label_count words. null: every word."""
    tokenisation: Literal["natural", "isolated"] = "natural"
    """natural: the sentence as written; isolated: each word alone without spaces (the released code)."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """The model's number format."""
    seed: int = 0


class Probe(_Section):
    """Probes and greedy selection (fidelity rows 1 to 11); a family reads the keys that its `Settings` have."""

    family: Literal["poisson", "conditional_poisson", "gaussian", "linear", "retrained"] = "poisson"
    estimator: Literal["logit_gaussian", "reinforce"] = "logit_gaussian"
    """How the expectation over masks is estimated: logits drawn with the masks' exact mean and covariance, or the
    reference's sampled masks with REINFORCE."""
    controls: list[Literal["none", "shuffled_labels", "random_word_types"]] = ["none"]
    """none: the probes proper; shuffled_labels: probes on permuted labels, the null of the overlap; random_word_types:
    probes on one random label per form, for selectivity."""
    seeds: Positive = 2
    """Probes per dataset; two seeds give the noise ceiling. Controls are trained once."""
    k_max: Positive = 50
    standardise: Literal["none", "language"] = "none"
    """language: each neuron to mean 0 and variance 1 over the language's train words."""
    epochs: Positive = 5000
    patience: Positive = 50
    batch_size: Positive = 256
    learning_rate: Rate = 0.01
    monte_carlo_samples: Positive = 5
    entropy_scale: Annotated[float, Field(ge=0)] = 1.0
    l1: Annotated[float, Field(ge=0)] = 0.0
    l2: Annotated[float, Field(ge=0)] = 0.0
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the train words kept for early stopping."""
    prior_covariance: Literal["pooled", "pooled_diagonal", "class_diagonal"] = "pooled"
    """What a class's covariance shrinks to, in the family gaussian: the covariance within classes, its diagonal, or the
    class's own diagonal (the published prior)."""
    prior_words: Rate = 1000.0
    """How many words that prior counts as."""
    ridge: Rate = 1e-3
    """Weight of the L2 penalty of a set's probe, in the family retrained."""
    tolerance: Rate = 1e-8
    """Gradient at which the training of a set's probe ends, in the family retrained."""
    newton_steps: Positive = 100
    """At most so many for a set's probe, in the family retrained."""
    largest_set: Positive = 16
    """The family retrained picks no more neurons than this: it trains a probe for every set that is tried."""

    @field_validator("controls")
    @classmethod
    def _proper_probes_first(cls, controls: list[str]) -> list[str]:
        if not controls or controls[0] != "none" or len(set(controls)) != len(controls):
            raise ValueError(f"expected `none` first and each control once, got {controls}")
        return controls

    @model_validator(mode="after")
    def _sets_are_small(self) -> "Probe":
        if self.family == "retrained" and self.k_max > self.largest_set:
            raise ValueError(
                f"k_max: expected at most largest_set ({self.largest_set}) for the family retrained, got {self.k_max}"
            )
        return self


class Overlap(_Section):
    """Overlap of neurons between languages (fidelity rows 20 to 22)."""

    k: Annotated[int | list[int], BeforeValidator(_sizes)]
    """The neurons of a set; a list: the means (`plots/overlap/sizes.csv`) of every one, all else of the largest."""
    correction: Literal["holm", "benjamini_yekutieli", "none"] = "holm"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05


class Lora(_Section):
    """QLoRA (fidelity row 24)."""

    rank: Positive = 8
    alpha: Positive = 32
    dropout: Share = 0.05
    targets: list[str] | None = None
    """Names of the modules that are adapted (the paper: query_key_value); null: those that PEFT adapts in the
    architecture."""
    quantisation: Literal["nf4", "none"] = "nf4"
    """nf4: 4-bit NormalFloat with double quantisation; none: LoRA on the unquantised weights."""
    compute_dtype: Literal["bfloat16", "float32"] = "bfloat16"


class Task(_Section):
    """One fine-tuning task (fidelity row 25)."""

    folder: str
    """The task's folder, in XTREME's layout, below transfer.dir."""
    languages: list[LanguageCode]
    """Languages of the test sets, the source language among them."""
    epochs: Positive
    learning_rate: Rate
    batch_size: Positive
    gradient_accumulation: Positive = 1
    max_length: Positive = 128
    evaluate_every: Positive
    """Optimiser steps between evaluations on the source language's dev set; the best step's adapter is kept."""
    train_examples: Positive | None = None
    """How many examples the train file must hold (the paper: 392702 of xnli, 21253 of pos); null: any number."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_gradient_norm: Rate = 1.0
    max_train: Positive | None = None
    """At most this many training examples (the first ones after a seeded shuffle)."""
    max_test: Positive | None = None
    """At most this many test examples per language (the first ones: parallel tests stay parallel)."""


class POSTask(Task):
    """Part-of-speech tagging."""

    label_on: Literal["first", "last"] = "first"
    """The sub-word of a word that carries its label (fidelity row 27)."""


def _defaults_if_null(value: object) -> object:
    return {} if value is None else value


class TransferHub(_Section):
    """The hub's datasets, for source hub."""

    xnli: HubRepository = HubRepository(repository="facebook/xnli")
    pos: HubRepository = HubRepository(repository="google/xtreme")


class TransferArchive(_Section):
    """The archives that XTREME's files are made of, for source archive."""

    xnli: Archive = Archive(
        url="https://dl.fbaipublicfiles.com/XNLI/XNLI-1.0.zip",
        sha256="4ba1d5e1afdb7161f0f23c66dc787802ccfa8a25a3ddd3b165a35e50df346ab1",
    )
    """Dev and test pairs."""
    multinli: Archive = Archive(url="https://dl.fbaipublicfiles.com/XNLI/XNLI-MT-1.0.zip")
    """Train pairs."""
    ud: Archive = Archive(
        url="https://lindat.mff.cuni.cz/repository/xmlui/bitstream/handle/11234/1-3105/ud-treebanks-v2.5.tgz",
        sha256="5ff973e44345a5f69b94cc1427158e14e851c967d58773cc2ac5a1d3adaca409",
    )


class Transfer(_Section):
    """Zero-shot transfer: tasks in XTREME's layout and QLoRA fine-tuning on the source language."""

    source: Literal["pocket", "dir", "hub", "archive"]
    """pocket: the mini-languages' tasks, generated; dir: a folder on disk; hub: the hub's datasets; archive: made of
    the published archives as XTREME makes them."""
    dir: Path | None = None
    """The folder that holds the tasks' folders, for source dir."""
    hub: Annotated[TransferHub, BeforeValidator(_defaults_if_null)] = TransferHub()
    """null: the defaults."""
    archive: Annotated[TransferArchive, BeforeValidator(_defaults_if_null)] = TransferArchive()
    """null: the defaults."""
    on_leak: Literal["report", "fail"] = "report"
    """What happens when a dev example is in train too, or a test example in train or dev."""
    seeds: Positive = 1
    lora: Lora = Lora()
    xnli: Task
    pos: POSTask

    @model_validator(mode="after")
    def _dir_given(self) -> "Transfer":
        if self.source == "dir" and self.dir is None:
            raise ValueError("dir: expected a folder because source is dir")
        return self


class IncludeConverged(_Section):
    """Whether the converged model is a point, per aggregation."""

    average: bool
    pairwise: bool


class IncludeConvergedByTask(_Section):
    """As recovered from the paper's r and p (fidelity, "Correlation")."""

    xnli: IncludeConverged = IncludeConverged(average=False, pairwise=False)
    pos: IncludeConverged = IncludeConverged(average=False, pairwise=True)


class Correlate(_Section):
    """Correlation of overlap and transfer (Table 1)."""

    layers: list[Layer] | None = None
    """Layers averaged over; null: the study's."""
    categories: list[Category] | None = None
    """Categories averaged over; null: the study's."""
    pairs: Literal["all", "with_source"] = "all"
    """Language pairs that the average is taken over."""
    include_converged: IncludeConvergedByTask = IncludeConvergedByTask()
    resamples: Positive = 2000
    """Bootstrap resamples and permutations."""


class Study(_Section):
    """A whole params.yaml."""

    study: str
    seed: int
    languages: list[LanguageCode]
    source_language: LanguageCode
    treebanks: Treebanks
    parallel: Parallel = Parallel()
    pocket: Pocket | None = None
    words: Words = Words()
    pretrain: dict[str, Pretrain] = {}
    checkpoints: dict[str, Checkpoint]
    checkpoints_duplicates: Literal["fail", "drop_both", "keep_first"] = "fail"
    """What becomes of checkpoints with equal weights that the study names as known."""
    checkpoints_known_duplicates: list[list[str]] = []
    """Sets of keys; equal weights in others are an error."""
    layers: list[Layer]
    categories: list[Category]
    extract: Extract = Extract()
    probe: Probe = Probe()
    overlap: Overlap
    transfer: Transfer
    correlate: Correlate = Correlate()

    @field_validator("checkpoints", "pretrain")
    @classmethod
    def _keys(cls, table: dict[str, Any]) -> dict[str, Any]:
        for key in table:
            if not re.fullmatch(r"[a-z0-9_-]+", key):
                raise ValueError(f"key {key!r}: expected lower-case letters, digits, _ and - only")
        return table

    @field_validator("languages", "layers", "categories")
    @classmethod
    def _not_empty_nor_twice(cls, items: list[Any]) -> list[Any]:
        if not items:
            raise ValueError("expected at least one entry")
        if len(set(items)) != len(items):
            raise ValueError(f"an entry is there twice: {items}")
        return items

    @model_validator(mode="after")
    def _parts_agree(self) -> "Study":
        known = set(self.languages)
        for where, codes in (
            ("source_language", [self.source_language]),
            ("transfer.xnli.languages", self.transfer.xnli.languages),
            ("transfer.pos.languages", self.transfer.pos.languages),
        ):
            for code in codes:
                if code not in known:
                    raise ValueError(f"{where}: {code!r} is not among `languages`")
        for code in self.languages:
            if not self.treebanks.folders.get(code):
                raise ValueError(f"treebanks.folders: expected a treebank for language {code!r}")
        if "pocket" in (self.treebanks.source, self.transfer.source) and self.pocket is None:
            raise ValueError("pocket: expected this section because a source is pocket")
        if self.k > self.probe.k_max:
            raise ValueError(f"overlap.k: expected at most probe.k_max ({self.probe.k_max}), got {self.k}")
        if not self.checkpoints:
            raise ValueError("checkpoints: expected at least one checkpoint")
        return self

    def checkpoint(self, key: str) -> Checkpoint:
        """The checkpoint with this key.

        Raises:
            BadInputError: there is none.
        """
        if key not in self.checkpoints:
            raise BadInputError(f"{PARAMS}: checkpoints.{key}: no such key, expected {', '.join(self.checkpoints)}")
        return self.checkpoints[key]

    def layers_of(self, key: str, available: int) -> list[int]:
        """The layers probed at a checkpoint, ascending: the study's and its own.

        Args:
            key: the checkpoint.
            available: layers of its model, the embedding output counted (blocks + 1).

        Raises:
            BadInputError: the model lacks one of them.
        """
        where = f"{PARAMS}: layers of checkpoint {key}"
        return resolve_layers([*self.layers, *self.checkpoint(key).layers], available, where)

    def correlated_layers(self, available: int) -> list[int]:
        """The layers that overlap is averaged over when it is correlated, of a model with so many.

        Raises:
            BadInputError: the model lacks one of them.
        """
        return resolve_layers(self.correlate.layers or self.layers, available, f"{PARAMS}: correlate.layers")

    @property
    def correlated_categories(self) -> list[str]:
        """The categories that overlap is averaged over when it is correlated."""
        return self.correlate.categories or self.categories

    def categories_of(self, key: str) -> list[str]:
        """The categories probed at a checkpoint: the study's, then its own."""
        return list(dict.fromkeys([*self.categories, *self.checkpoint(key).categories]))

    @property
    def sizes(self) -> list[int]:
        """Every k of `overlap.k`, ascending."""
        return sorted(self.overlap.k) if isinstance(self.overlap.k, list) else [self.overlap.k]

    @property
    def k(self) -> int:
        """The neurons of a set, wherever one k is meant: the largest of `overlap.k`."""
        return self.sizes[-1]

    @property
    def target_languages(self) -> list[str]:
        """The study's languages without the source language."""
        return [code for code in self.languages if code != self.source_language]


def resolve_layers(layers: list[int | float], available: int, where: str) -> list[int]:
    """Layer numbers (1 is the embedding output, `available` the last) of numbers and relative depths, ascending.

    Relative depth r of a model with b blocks is layer 1 + round(r * b), so that 13 and 17 of 25 are 0.5 and 0.667.

    Raises:
        BadInputError: a layer that the model lacks.
    """
    numbers = {layer if isinstance(layer, int) else 1 + math.floor(layer * (available - 1) + 0.5) for layer in layers}
    for layer in sorted(numbers):
        if layer > available:
            raise BadInputError(f"{where}: no layer {layer}, the model has layers 1 to {available}")
    return sorted(numbers)


def load_study(path: Path = PARAMS) -> Study:
    """Reads and checks a params file.

    Raises:
        BadInputError: the file is missing, is no YAML, or holds an unknown, missing or wrong key.
    """
    from ruamel.yaml import YAML, YAMLError

    try:
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(f"{path}: no such file, expected the study's parameters") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise BadInputError(f"{path}{line}: no valid YAML: {problem}") from None
    if not isinstance(values, dict):
        raise BadInputError(f"{path}: expected keys and values")
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        raise BadInputError(f"{path}: {_first_problem(error)}") from None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"] if part not in ("int", "float"))
    message = {
        "extra_forbidden": "unknown key",
        "missing": "missing key",
    }.get(problem["type"], problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected"))
    if problem["type"] == "extra_forbidden":
        message += f", expected one of {', '.join(_expected_keys(problem['loc'][:-1]))}"
    elif problem["type"] not in ("missing", "value_error"):
        message += f", got {problem['input']!r}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key}: {message}{more}" if key else f"{message}{more}"


def _expected_keys(location: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = Study
    for part in location:
        field = section.model_fields.get(str(part))
        if field is None:
            continue  # a key of a dict such as checkpoints: its section is the one already reached
        for candidate in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                section = candidate
    return list(section.model_fields)
