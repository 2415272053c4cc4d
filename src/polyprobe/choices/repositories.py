"""Where on the hub a checkpoint is."""

from polyprobe.study import Study


def repository_of(study: Study, key: str) -> str | None:
    """Return the hub's repository of a checkpoint: its own, else its model's; None for a folder.

    Args:
        study: the study.
        key: the checkpoint's key in the study.

    Raises:
        BadInputError: the study has no such checkpoint.
    """
    checkpoint = study.checkpoint(key)
    if checkpoint.revision is None:
        return None
    return checkpoint.repository or study.models[checkpoint.model].repository
