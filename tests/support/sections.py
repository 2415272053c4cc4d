"""Sections of params.yaml, whole, with what a test wants otherwise."""

from typing import Any

from polyprobe.study import Checkpoint, Lora, Parallel, POSTask, Study, Task, Words, load_study
from support import ROOT


def lora(**changes: Any) -> Lora:
    """transfer.lora: QLoRA on the modules that PEFT adapts."""
    usual = {"rank": 8, "alpha": 32, "dropout": 0.05, "targets": None, "quantisation": "nf4"}
    return Lora(**(usual | {"compute_dtype": "bfloat16"} | changes))


def words(**changes: Any) -> Words:
    """words: labels of twenty words, every lemma."""
    return Words(**({"min_label_count": 20, "min_lemma_count": 0, "seed": 0} | changes))


def parallel(**changes: Any) -> Parallel:
    """parallel: no sentences."""
    usual: dict[str, Any] = {"folders": {}, "files": {}, "max_pairs": 1000, "poolings": ["mean", "last"]}
    return Parallel(**(usual | changes))


def task(kind: type[Task] = Task, **changes: Any) -> Task:
    """transfer.xnli or, of another kind, transfer.pos; epochs, batches and languages are the test's."""
    usual = {
        "folder": None, "train_examples": None, "gradient_accumulation": 1, "max_length": 128, "weight_decay": 0.0,
        "max_gradient_norm": 1.0, "max_train": None, "max_test": None,
    }  # fmt: skip
    own = {"label_on": "first"} if kind is POSTask else {}
    return kind(**(usual | own | changes))


def checkpoint(**changes: Any) -> dict[str, Any]:
    """An entry of checkpoints: a folder's, as it is written in params.yaml."""
    usual: dict[str, Any] = {
        "model": "pocket", "repository": None, "revision": None, "step": 0, "tokens_seen": None, "converged": False,
        "layers": [], "categories": [],
    }  # fmt: skip
    return Checkpoint(**(usual | changes)).model_dump(mode="json")


def study_of(checkpoints: dict[str, dict[str, Any]], **sections: Any) -> Study:
    """The study pocket with other checkpoints, entries as of `checkpoint`, and other sections."""
    values = load_study(ROOT / "studies" / "pocket.yaml").model_dump(mode="json")
    none = {"repository": None, "tokenizer": None, "tokens_per_step": None}
    values["models"] = {entry["model"]: none for entry in checkpoints.values()}
    return Study.model_validate(values | {"checkpoints": checkpoints} | sections)
