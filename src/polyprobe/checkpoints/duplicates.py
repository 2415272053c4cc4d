"""Checkpoints that hold the same weights under different names (footnote 3 of the paper)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from polyprobe.artefacts.manifest import Manifest
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS


def apply_duplicates_policy(
    manifests: Sequence[Manifest],
    policy: Literal["fail", "drop_both", "keep_first"],
    known: Sequence[Sequence[str]] = (),
) -> list[Manifest]:
    """The manifests in their order, those that the study leaves out marked as dropped.

    Args:
        manifests: in the order of params.yaml.
        policy: fail: duplicates are an error; drop_both: every checkpoint that has a duplicate goes; keep_first: the
            first one of each set stays.
        known: the sets of checkpoints that the study expects to be equal.

    Raises:
        BadInputError: there are duplicates and the policy is `fail`, or the study does not name them as known.
    """
    groups = _groups(manifests)
    unknown = [group for group in groups if policy == "fail" or not any(set(group) <= set(named) for named in known)]
    if unknown:
        raise BadInputError(
            f"{PARAMS}: checkpoints: {'; '.join(map(' and '.join, unknown))} hold the same weights; give other "
            "weights, take a key out, or name them in duplicates.known and set duplicates.policy to drop_both or "
            "keep_first"
        )
    dropped = {key for group in groups for key in (group if policy == "drop_both" else group[1:])}
    return [replace(manifest, dropped=manifest.checkpoint in dropped) for manifest in manifests]


def sets_of_equals(manifests: Sequence[Manifest]) -> list[str]:
    """Each set of checkpoints that hold the same weights, as `one and two`."""
    return [" and ".join(group) for group in _groups(manifests)]


def _groups(manifests: Sequence[Manifest]) -> list[list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for manifest in manifests:
        groups[manifest.weights_sha256].append(manifest.checkpoint)
    return [group for group in groups.values() if len(group) > 1]
