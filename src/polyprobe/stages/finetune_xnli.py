"""Fine-tunes one checkpoint for natural language inference in the source language and tests it on every language."""

from pathlib import Path

from polyprobe.artefacts import manifest, scores
from polyprobe.stage import run_keyed_stage
from polyprobe.study import Study


def finetune_xnli(study: Study, key: str) -> None:
    """Write a checkpoint's adapters, scores and confusion matrices to `data/transfer/xnli/<checkpoint>`.

    Args:
        study: the parameters.
        key: the checkpoint's.
    """
    from polyprobe.transfer.fine_tuning import fine_tune

    fine_tune(
        "xnli",
        manifest.read(manifest.path(key)),
        study.transfer.xnli,
        study.transfer.lora,
        weights=study.checkpoint(key).weights,
        source=study.source_language,
        seed=study.seed,
        seeds=study.transfer.seeds,
        data=Path("data/tasks/xnli"),
        output=scores.folder("xnli", key),
    )


if __name__ == "__main__":
    run_keyed_stage(finetune_xnli, section="checkpoints")
