"""Trains a BLOOM from scratch on the text of the study's treebanks and keeps it at several steps."""

from pathlib import Path

from polyprobe.pocket import pretraining
from polyprobe.stage import run_keyed_stage
from polyprobe.study import Study
from polyprobe.treebanks import training_texts


def pretrain(study: Study, key: str) -> None:
    """Write `data/pretrained/KEY/step-N/` and the training curve `plots/pretrain/KEY/loss.tsv`.

    Args:
        study: the parameters.
        key: the model's under `pretrain`.
    """
    settings = study.pretrain[key]
    texts = training_texts(Path("data/treebanks"), study.languages, study.treebanks.folders, settings.files)
    pretraining.pretrain(
        texts, settings, folder=Path("data/pretrained") / key, curve=Path("plots/pretrain") / key / "loss.tsv"
    )


if __name__ == "__main__":
    run_keyed_stage(pretrain, section="pretrain")
