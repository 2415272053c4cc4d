"""The hub, where the study in force takes models or data from it."""

import os
from collections.abc import Iterator

from polyprobe.choices.repositories import repository_of
from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, some, warning
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.study import Study, load_study


def check(asked: Asked) -> Iterator[Finding]:
    """Whether the study needs it, and whether it answers."""
    try:
        study = load_study()
    except BadInputError:
        yield warning("hub", "not known whether it is needed: params.yaml cannot be read", "mend that first")
        return
    models, datasets = _needed(study)
    if not models and not datasets:
        yield ok("hub", "the study needs nothing from it")
        return
    from huggingface_hub import constants

    wanted = f"the study takes {some([*models, *datasets])} from {constants.ENDPOINT}"
    if constants.HF_HUB_OFFLINE:
        yield warning(
            "hub",
            f"{wanted}, and HF_HUB_OFFLINE is set: only what is in {constants.HF_HUB_CACHE} can be had",
            "unset HF_HUB_OFFLINE unless all is there",
        )
    elif not asked.network:
        yield ok("hub", f"{wanted}, not asked: --network does")
    else:
        for kind, wanted_of in (("model", models), ("dataset", datasets)):
            for name, revision in wanted_of.items():
                yield _ask(name, revision, kind)


def _needed(study: Study) -> tuple[dict[str, str], dict[str, str]]:
    """Repositories of models and of data sets, each with one revision that the study takes of it."""
    models: dict[str, str] = {}
    for key, checkpoint in study.checkpoints.items():
        if (repository := repository_of(study, key)) is not None:
            models.setdefault(repository, str(checkpoint.revision))
        if (tokenizer := study.models[checkpoint.model].tokenizer) is not None:
            models.setdefault(tokenizer.repository, tokenizer.revision)
    hub = study.transfer.hub if study.transfer.source == "hub" else None
    datasets = [hub.xnli, hub.pos] if hub else []
    return models, {one.repository: one.revision for one in datasets}


def _ask(name: str, revision: str, kind: str) -> Finding:
    from huggingface_hub import HfApi, constants, errors

    subject = f"hub: {name}"
    try:
        HfApi().repo_info(name, revision=revision, repo_type=kind, timeout=10)
    except errors.GatedRepoError:
        return fault(subject, "it is gated", "accept its terms on its page there, and give your token in HF_TOKEN")
    except errors.RevisionNotFoundError:
        return fault(subject, f"it has no revision {revision!r}", "correct the revision in params.yaml")
    except errors.RepositoryNotFoundError:
        return fault(subject, "there is none such, or it is private", "check its name; if private, set HF_TOKEN")
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        proxy = next((key for key in ("HTTPS_PROXY", "https_proxy") if os.environ.get(key)), None)
        return fault(
            subject,
            f"{constants.ENDPOINT} cannot be asked: {one_line(error)[:200]}",
            f"check the network{f' and {proxy}' if proxy else ''}; HF_ENDPOINT names a mirror",
        )
    return ok(subject, f"{constants.ENDPOINT} has it, with revision {revision}")
