"""Checkpoints that hold the same weights under different names (footnote 3 of the paper), or a part of them."""

from collections.abc import Sequence
from dataclasses import replace

from polyprobe.artefacts.manifest import Manifest
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Duplicates


def apply_duplicates_policy(manifests: Sequence[Manifest], settings: Duplicates) -> list[Manifest]:
    """Return the manifests in their order, those that the study leaves out marked as dropped.

    Args:
        manifests: in the order of params.yaml.
        settings: fail: duplicates are an error; drop_both: every checkpoint that has a duplicate goes; keep_first: the
            first one of each set stays.

    Raises:
        BadInputError: there are duplicates and the policy is `fail`, or the study does not name them as known.
    """
    groups = _groups(manifests, settings)
    unknown = [group for group in groups if settings.policy == "fail" or not _known(group, settings)]
    if unknown:
        raise BadInputError(
            f"{PARAMS}: checkpoints: {'; '.join(map(_described, unknown))}; give other weights, take a key out, or "
            "name them in duplicates.known and set duplicates.policy to drop_both or keep_first"
        )
    out = {one.checkpoint for group in groups for one in (group if settings.policy == "drop_both" else group[1:])}
    return [replace(manifest, dropped=manifest.checkpoint in out) for manifest in manifests]


def described_duplicates(manifests: Sequence[Manifest], settings: Duplicates) -> list[str]:
    """Describe each set of checkpoints that count as duplicates.

    Args:
        manifests: in the order of params.yaml.
        settings: which checkpoints count as duplicates.
    """
    return [_described(group) for group in _groups(manifests, settings)]


def equal_tensors(one: Manifest, other: Manifest) -> float:
    """Return the share of tensors whose numbers are equal; those that are all one number do not count.

    Args:
        one: a checkpoint.
        other: the one that it is compared with.

    Returns:
        From 0 to 1, of the tensors of the one that has more; 1 where all weights are the same.
    """
    if one.weights_sha256 == other.weights_sha256:
        return 1.0
    return len(one.tensors.items() & other.tensors.items()) / max(len(one.tensors), len(other.tensors), 1)


def equal_to_previous(manifests: Sequence[Manifest]) -> dict[str, float | None]:
    """Return the share of each checkpoint's tensors that equal those of the one before it in training.

    Returns:
        By checkpoint; None for a model's first.
    """
    shares: dict[str, float | None] = {}
    last: dict[str, Manifest] = {}
    for manifest in sorted(manifests, key=lambda manifest: manifest.step):
        before = last.get(manifest.model)
        shares[manifest.checkpoint] = None if before is None else equal_tensors(before, manifest)
        last[manifest.model] = manifest
    return shares


def _groups(manifests: Sequence[Manifest], settings: Duplicates) -> list[list[Manifest]]:
    """Return the sets of checkpoints of which each is a duplicate of another one; in part only within a model."""

    def alike(one: Manifest, other: Manifest) -> bool:
        return one.weights_sha256 == other.weights_sha256 or (
            one.model == other.model and equal_tensors(one, other) > settings.tolerated_share
        )

    groups: list[list[Manifest]] = []
    for manifest in manifests:
        joined = [group for group in groups if any(alike(one, manifest) for one in group)]
        if joined:
            joined[0].extend([*(one for group in joined[1:] for one in group), manifest])
            groups = [group for group in groups if group not in joined[1:]]
        else:
            groups.append([manifest])
    return [group for group in groups if len(group) > 1]


def _known(group: Sequence[Manifest], settings: Duplicates) -> bool:
    keys = {one.checkpoint for one in group}
    return any(keys <= set(named) for named in settings.known)


def _described(group: Sequence[Manifest]) -> str:
    names = " and ".join(one.checkpoint for one in group)
    if len({one.weights_sha256 for one in group}) == 1:
        return f"{names} hold the same weights"
    share = min(max(equal_tensors(one, other) for other in group if other is not one) for one in group)
    return f"{names} hold the same weights in part ({share:.0%} of the tensors)"
