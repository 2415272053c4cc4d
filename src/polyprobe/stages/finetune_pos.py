"""Fine-tunes one checkpoint for part-of-speech tagging in the source language and tests it on every language."""

from pathlib import Path

from polyprobe.artefacts import manifest, scores
from polyprobe.stage import run_keyed_stage
from polyprobe.study import Study


def finetune_pos(study: Study, key: str) -> None:
    """Write a checkpoint's adapters, scores and confusion matrices to `data/transfer/pos/<checkpoint>`.

    Args:
        study: the parameters.
        key: the checkpoint's.
    """
    from polyprobe.transfer.fine_tuning import fine_tune

    fine_tune(
        "pos",
        manifest.read(manifest.path(key)),
        study.transfer.pos,
        study.transfer.lora,
        weights=study.checkpoint(key).weights,
        source=study.source_language,
        seed=study.seed,
        seeds=study.transfer.seeds,
        data=Path("data/tasks/pos"),
        output=scores.folder("pos", key),
    )


if __name__ == "__main__":
    run_keyed_stage(finetune_pos, section="checkpoints")
