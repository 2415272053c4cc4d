"""params.yaml as frozen models: the one place that knows a key.

The file is read as DVC reads it (ruamel.yaml, YAML 1.2). Whatever is wrong with it is one `BadInputError` that names
file, key and what was expected.

Every stage imports this module and none depends on it, so it says which keys there are and refuses what is wrong, and
no more: no key has a default, and what is derived from a value, or stands for it, is in `polyprobe.choices`.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from polyprobe.artefacts.dimensions import SHORT_NAMES, dimensions
from polyprobe.languages import languages
from polyprobe.running.errors import BadInputError

PARAMS: Final = Path("params.yaml")
HUB: Final = Path("studies/hub")
"""The `weights` of a checkpoint on the hub: DVC wants a file to watch, and this one never changes."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_language(code: object) -> str:
    if not isinstance(code, str) or code not in languages():
        raise ValueError(f"unknown language code {code!r}, expected an ISO 639 code such as {', '.join(_SOME_CODES)}")
    return code


def _known_category(name: object) -> str:
    if not isinstance(name, str) or (name not in SHORT_NAMES and name not in dimensions()):
        expected = ", ".join([*dimensions(), *SHORT_NAMES])
        raise ValueError(f"unknown category {name!r}, expected one of {expected}")
    return name


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


def _input_names(value: object) -> object:
    if not isinstance(value, list) or len(value) not in (1, 2):
        raise ValueError(
            f"expected one name under inputs, of a file of `source<TAB>target`, or two [source, target], got {value!r}"
        )
    return value


_SOME_CODES = ("en", "eu", "zh", "qaa")
LanguageCode = Annotated[str, BeforeValidator(_known_language)]
Category = Annotated[str, BeforeValidator(_known_category)]
"""A dimension of the UniMorph schema, by its name or a short one (`polyprobe.choices.categories` resolves it)."""
Layer = Annotated[int | float, BeforeValidator(_layer)]
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
FileSplit = Literal["train", "dev", "test"]
ComputeDtype = Literal["bfloat16", "float32"]
"""The number format of matrix products: bfloat16 is fast on GPUs and on processors with instructions for it only."""


class Archive(_Section):
    """A file on the web."""

    url: Annotated[str, Field(pattern=r"https?://[^\s/]+/\S+")]
    sha256: Annotated[str, Field(pattern=r"[0-9a-f]{64}")] | None
    """null: the one in downloads.lock, recorded there at the first use."""


class Treebanks(_Section):
    """Where treebanks come from (`fetch_ud`) and how they are read."""

    source: Literal["pocket", "dir", "archive", "github"]
    """pocket: the mini-languages, generated; dir: folders on disk, which `inputs` names; archive: a release of UD as
    published; github: each treebank's own repository at a release's tag."""
    release: Annotated[str, Field(pattern=r"[0-9]+\.[0-9]+")] | None
    """A release of UD such as "2.1" (quoted), for the sources archive and github."""
    archive: Archive | None
    """The release's archive; null for a release that `treebanks/sources/releases.yaml` knows."""
    folders: dict[LanguageCode, list[str]]
    """Per language, the treebanks whose words are probed (several are joined), by the names of their folders."""
    on_error: Literal["fail", "skip_sentence"]

    @model_validator(mode="after")
    def _source_given(self) -> "Treebanks":
        if self.source == "github" and self.release is None:
            raise ValueError('release: expected a release such as "2.1" because source is github')
        if self.source == "archive" and self.release is None and self.archive is None:
            raise ValueError("archive: expected url and sha256 (or a known release) because source is archive")
        return self


class Parallel(_Section):
    """Parallel sentences for the similarity of languages with the source language."""

    folders: dict[LanguageCode, str]
    """Per language, the treebank that holds its side of the parallel text; sentences are matched by sent_id."""
    files: dict[LanguageCode, Annotated[list[str], BeforeValidator(_input_names)]]
    """Per target language, its sentences with those of the source language as text, by names under `inputs`: `[name]`
    of a file whose lines are `source<TAB>target`, or `[source, target]` of two that are aligned line by line."""
    max_pairs: Positive
    """At most so many pairs of a language: the first."""
    poolings: list[Literal["mean", "last"]]
    """A sentence's hidden state: the mean over its sub-words; its last sub-word's, as the authors did."""

    @model_validator(mode="after")
    def _one_place_each(self) -> "Parallel":
        for language in self.files:
            if language in self.folders:
                raise ValueError(f"files.{language}: expected a language once, it is in folders too")
        return self


class SplitSizes(_Section):
    """A number for each split."""

    train: Positive
    dev: Positive
    test: Positive


class PocketSentences(SplitSizes):
    """Sentences per file of each generated treebank, and of the parallel set."""

    parallel: Positive


class Pocket(_Section):
    """The mini-languages' generator."""

    seed: int
    treebank: PocketSentences
    nli: SplitSizes
    """Pairs of the NLI task; the test set is the same size in each language."""
    pos: SplitSizes
    """Sentences of the tagging task, likewise."""


class Words(_Section):
    """Which words are probed and how lemmas are split (fidelity rows 12 and 13)."""

    min_label_count: Positive
    """A label needs this many words in each of train, dev and test; a category needs two such labels."""
    min_lemma_count: Annotated[int, Field(ge=0)]
    """Words whose lemma occurs less often than this in its split are discarded (the paper's text: 20)."""
    seed: int


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
    weight_decay: Annotated[float, Field(ge=0)]
    compute_dtype: ComputeDtype
    save_at: list[Annotated[int, Field(ge=0)]]
    """Optimiser steps after which a checkpoint is saved; training ends with the last one."""
    files: list[FileSplit]
    """The treebank files whose text is trained on."""
    seed: int

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
    revision: str
    """A commit; or a branch or tag, which `downloads.lock` pins to a commit at its first use."""


class Model(_Section):
    """What the checkpoints of one model have in common."""

    repository: str | None
    """The hub's repository of those checkpoints that name none of their own; null: they are folders."""
    tokenizer: HubRepository | None
    """null: the tokenizer lies with the weights."""
    tokens_per_step: Positive | None
    """Sub-words of one step of its training; null where unknown."""


class Checkpoint(_Section):
    """One checkpoint of one model."""

    model: str
    """Its key under `models`; correlations are per model."""
    weights: Path
    """A folder in transformers' layout; `studies/hub` for a checkpoint on the hub."""
    repository: str | None
    """On the hub, where it is not the model's; null: the model's."""
    revision: str | None
    """On the hub: a commit; or a branch or tag, which `downloads.lock` pins to a commit at its first use. null: a
    folder."""
    step: Annotated[int, Field(ge=0)]
    tokens_seen: Annotated[int, Field(ge=0)] | None
    """Sub-words seen in training; null: what the folder's training.json says, else step times the model's
    tokens_per_step."""
    converged: bool
    """The final model rather than an intermediate one (see correlate.include_converged)."""
    layers: list[Layer]
    """Layers probed at this checkpoint beside the study's, for the layer scan."""
    categories: list[Category]
    """Categories probed at this checkpoint beside the study's."""

    @model_validator(mode="after")
    def _folder_or_hub(self) -> "Checkpoint":
        if (self.weights == HUB) != (self.revision is not None):
            raise ValueError(f"expected weights {HUB} and a revision for the hub, or a folder and `revision: null`")
        return self


class Duplicates(_Section):
    """Checkpoints that hold the same weights (footnote 3 of the paper)."""

    policy: Literal["fail", "drop_both", "keep_first"]
    """What becomes of those that `known` names."""
    known: list[list[str]]
    """Sets of keys of checkpoints; equal weights in others are an error."""
    tolerated_share: Share
    """Two checkpoints of one model count as duplicates where more than this share of their tensors is equal; tensors
    that are all one number do not count."""


class Extract(_Section):
    """Hidden states of words."""

    max_words: SplitSizes | None
    """At most so many words per language and lemma split; each label keeps at least words.min_label_count words. null:
    every word."""
    tokenisation: Literal["natural", "isolated"]
    """natural: the sentence as written; isolated: each word alone without spaces (the released code)."""
    dtype: Literal["float32", "bfloat16", "float16"]
    """The model's number format."""
    seed: int


class Probe(_Section):
    """Probes and greedy selection (fidelity rows 1 to 11); a family reads the keys that its `Settings` have."""

    family: Literal["poisson", "conditional_poisson", "gaussian", "linear", "retrained"]
    estimator: Literal["logit_gaussian", "reinforce"]
    """How the expectation over masks is estimated: logits drawn with the masks' exact mean and covariance, or the
    reference's sampled masks with REINFORCE."""
    controls: list[Literal["none", "shuffled_labels", "random_word_types"]]
    """none: the probes proper; shuffled_labels: probes on permuted labels, the null of the overlap; random_word_types:
    probes on one random label per form, for selectivity."""
    seeds: Positive
    """Probes per dataset; two seeds give the noise ceiling. Controls are trained once."""
    k_max: Positive
    standardise: Literal["none", "language"]
    """language: each neuron to mean 0 and variance 1 over the language's train words."""
    epochs: Positive
    patience: Positive
    batch_size: Positive
    learning_rate: Rate
    monte_carlo_samples: Positive
    entropy_scale: Annotated[float, Field(ge=0)]
    l1: Annotated[float, Field(ge=0)]
    l2: Annotated[float, Field(ge=0)]
    held_out: Annotated[float, Field(gt=0, lt=1)]
    """Share of the train words kept for early stopping."""
    prior_covariance: Literal["pooled", "pooled_diagonal", "class_diagonal"]
    """What a class's covariance shrinks to, in the family gaussian: the covariance within classes, its diagonal, or the
    class's own diagonal (the published prior)."""
    prior_words: Rate
    """How many words that prior counts as."""
    ridge: Rate
    """Weight of the L2 penalty of a set's probe, in the family retrained."""
    tolerance: Rate
    """Gradient at which the training of a set's probe ends, in the family retrained."""
    newton_steps: Positive
    """At most so many for a set's probe, in the family retrained."""
    largest_set: Positive
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
    correction: Literal["holm", "benjamini_yekutieli", "none"]
    alpha: Annotated[float, Field(gt=0, lt=1)]


class Lora(_Section):
    """QLoRA (fidelity row 24)."""

    rank: Positive
    alpha: Positive
    dropout: Share
    targets: list[str] | None
    """Names of the modules that are adapted (the paper: query_key_value); null: those that PEFT adapts in the
    architecture."""
    quantisation: Literal["nf4", "none"]
    """nf4: 4-bit NormalFloat with double quantisation; none: LoRA on the unquantised weights."""
    compute_dtype: ComputeDtype


class Task(_Section):
    """One fine-tuning task (fidelity row 25)."""

    folder: str | None
    """For source dir, the name under `inputs` of the task's folder in XTREME's layout."""
    languages: list[LanguageCode]
    """Languages of the test sets, the source language among them."""
    epochs: Positive
    learning_rate: Rate
    batch_size: Positive
    gradient_accumulation: Positive
    max_length: Positive
    evaluate_every: Positive
    """Optimiser steps between evaluations on the source language's dev set; the best step's adapter is kept."""
    train_examples: Positive | None
    """How many examples the train file must hold (the paper: 392702 of xnli, 21253 of pos); null: any number."""
    weight_decay: Annotated[float, Field(ge=0)]
    max_gradient_norm: Rate
    max_train: Positive | None
    """At most this many training examples (the first ones after a seeded shuffle); null: all."""
    max_test: Positive | None
    """At most this many test examples per language (the first ones: parallel tests stay parallel); null: all."""


class POSTask(Task):
    """Part-of-speech tagging."""

    label_on: Literal["first", "last"]
    """The sub-word of a word that carries its label (fidelity row 27)."""


class TransferHub(_Section):
    """The hub's datasets, for source hub."""

    xnli: HubRepository
    """As facebook/xnli."""
    pos: HubRepository
    """As google/xtreme."""


class TransferArchive(_Section):
    """The archives that XTREME's files are made of, for source archive."""

    xnli: Archive
    """XNLI 1.0: dev and test pairs."""
    multinli: Archive
    """XNLI-MT 1.0: train pairs."""
    ud: Archive
    """UD 2.5, as XTREME takes it."""


class Transfer(_Section):
    """Zero-shot transfer: tasks in XTREME's layout and QLoRA fine-tuning on the source language."""

    source: Literal["pocket", "dir", "hub", "archive"]
    """pocket: the mini-languages' tasks, generated; dir: folders on disk, which `inputs` names; hub: the hub's
    datasets; archive: made of the published archives as XTREME makes them."""
    hub: TransferHub | None
    archive: TransferArchive | None
    on_leak: Literal["report", "fail"]
    """What happens when a dev example is in train too, or a test example in train or dev."""
    seeds: Positive
    lora: Lora
    xnli: Task
    pos: POSTask

    @model_validator(mode="after")
    def _source_given(self) -> "Transfer":
        if self.source in ("hub", "archive") and getattr(self, self.source) is None:
            raise ValueError(f"{self.source}: expected this section because source is {self.source}")
        for task in ("xnli", "pos"):
            if self.source == "dir" and getattr(self, task).folder is None:
                raise ValueError(f"{task}.folder: expected a name under inputs because source is dir")
        return self


class IncludeConverged(_Section):
    """Whether the converged model is a point, per aggregation."""

    average: bool
    pairwise: bool


class IncludeConvergedByTask(_Section):
    """Whether the converged model is a point, per task and aggregation.

    Recovered from the paper's r and p (fidelity, "Correlation").
    """

    xnli: IncludeConverged
    pos: IncludeConverged


class Correlate(_Section):
    """Correlation of overlap and transfer (Table 1)."""

    layers: list[Layer] | None
    """Layers averaged over; null: the study's."""
    categories: list[Category] | None
    """Categories averaged over; null: the study's."""
    pairs: Literal["all", "with_source"]
    """Language pairs that the average is taken over."""
    include_converged: IncludeConvergedByTask
    resamples: Positive
    """Bootstrap resamples and permutations."""


class Study(_Section):
    """A whole params.yaml."""

    study: str
    seed: int
    inputs: dict[str, Path]
    """What the study reads from disk: treebanks and tasks of source dir by the names of their folders, files of
    parallel text by any name. DVC watches each (`watch@NAME`)."""
    languages: list[LanguageCode]
    source_language: LanguageCode
    treebanks: Treebanks
    parallel: Parallel
    pocket: Pocket | None
    words: Words
    pretrain: dict[str, Pretrain]
    models: dict[str, Model]
    checkpoints: dict[str, Checkpoint]
    duplicates: Duplicates
    layers: list[Layer]
    categories: list[Category]
    extract: Extract
    probe: Probe
    overlap: Overlap
    transfer: Transfer
    correlate: Correlate

    @field_validator("checkpoints", "pretrain", "models")
    @classmethod
    def _keys(cls, table: dict[str, Any]) -> dict[str, Any]:
        for key in table:
            if not re.fullmatch(r"[a-z0-9_-]+", key):
                raise ValueError(f"key {key!r}: expected lower-case letters, digits, _ and - only")
        return table

    @field_validator("inputs")
    @classmethod
    def _names(cls, table: dict[str, Path]) -> dict[str, Path]:
        for name in table:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError(f"name {name!r}: expected letters, digits, _ and - only")
        return table

    @field_validator("languages", "layers", "categories")
    @classmethod
    def _not_empty_nor_twice(cls, items: list[Any]) -> list[Any]:
        if not items:
            raise ValueError("expected at least one entry")
        if len({SHORT_NAMES.get(item, item) for item in items}) != len(items):
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
        largest = max(self.overlap.k) if isinstance(self.overlap.k, list) else self.overlap.k
        if largest > self.probe.k_max:
            raise ValueError(f"overlap.k: expected at most probe.k_max ({self.probe.k_max}), got {largest}")
        if not self.checkpoints:
            raise ValueError("checkpoints: expected at least one checkpoint")
        return self

    @model_validator(mode="after")
    def _what_is_named_is_there(self) -> "Study":
        named = {"parallel.files": [name for names in self.parallel.files.values() for name in names]}
        if self.treebanks.source == "dir":
            named["treebanks.folders"] = [name for code in self.languages for name in self.treebanks.folders[code]]
            named["parallel.folders"] = [name for code, name in self.parallel.folders.items() if code in self.languages]
        if self.transfer.source == "dir":
            named["transfer.xnli.folder"] = [str(self.transfer.xnli.folder)]
            named["transfer.pos.folder"] = [str(self.transfer.pos.folder)]
        for where, names in named.items():
            for name in names:
                if name not in self.inputs:
                    raise ValueError(f"{where}: {name}: expected where it lies, as `{name}: PATH` under inputs")
        for key, checkpoint in self.checkpoints.items():
            if checkpoint.model not in self.models:
                raise ValueError(f"checkpoints.{key}.model: {checkpoint.model!r} is not among `models`")
            if checkpoint.revision and not (checkpoint.repository or self.models[checkpoint.model].repository):
                raise ValueError(f"checkpoints.{key}.repository: expected one, here or under models.{checkpoint.model}")
        return self

    def checkpoint(self, key: str) -> Checkpoint:
        """Return the checkpoint with this key.

        Raises:
            BadInputError: there is none.
        """
        if key not in self.checkpoints:
            raise BadInputError(f"{PARAMS}: checkpoints.{key}: no such key, expected {', '.join(self.checkpoints)}")
        return self.checkpoints[key]


def load_study(path: Path = PARAMS) -> Study:
    """Read and check a params file.

    Raises:
        BadInputError: the file is missing, is no YAML, or holds an unknown, missing or wrong key.
    """
    from ruamel.yaml import YAML, YAMLError

    try:
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(f"{path}: no such file, expected the study's parameters") from None
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path}: no UTF-8 at byte {error.start}") from None
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
