"""Push and pull of what the study in force needs: outputs and run-cache, no more; what was moved stays when stopped."""

import time
from dataclasses import dataclass, field
from typing import Final

from polyprobe.ops.remote.checking import Study, expected_size, study_of
from polyprobe.ops.remote.healing import place_must_be_writable, upload_in_order
from polyprobe.ops.remote.needed import Item, needed, remember
from polyprobe.ops.remote.place import Place
from polyprobe.running.errors import BadInputError, one_line

_PAUSES: Final = (0.5, 2.0)
"""Seconds."""


@dataclass
class Plan:
    """What is to move, or has moved."""

    study: Study
    items: list[Item] = field(default_factory=list)
    bytes: int = 0
    there: set[Item] = field(default_factory=set)
    """What the remote has, when pushing."""
    failed: dict[Item, str] = field(default_factory=dict)
    """Needed by the study, and not moved: why."""
    listings: list[Item] = field(default_factory=list)
    """Pulled before all else: what the folders hold."""
    without: list[Item] = field(default_factory=list)
    """Of the run-cache, and not there to be moved: the outputs do without."""


def plan_push(place: Place) -> Plan:
    """What the remote lacks of what the study in force needs.

    Raises:
        RemoteError: the remote cannot be asked, or is a mirror.
    """
    place_must_be_writable(place)
    repository = place.repository
    remember(repository)
    plan = Plan(study_of(place))
    for folder in plan.study.closed:
        plan.failed[folder.listing] = "neither the local cache nor the remote has it whole"
    sizes = place.sizes(plan.study.items)
    for item in plan.study.items:
        right = expected_size(repository, item)
        if item in plan.failed or (item in sizes and (right is None or sizes[item] in (None, right))):
            continue
        if item.good(repository):
            plan.items.append(item)
            plan.bytes += item.local.stat().st_size
        elif item.required:
            state = "is damaged" if item.local.exists() else "has no copy"
            plan.failed[item] = f"the local cache {state}, the remote {'is damaged' if item in sizes else 'has none'}"
        else:
            plan.without.append(item)
    plan.there = sizes.keys() - set(plan.items)
    return plan


def push(place: Place, plan: Plan) -> None:
    """Uploads what a plan says; `plan.items` is then what was uploaded, `plan.failed` what was not.

    Raises:
        RemoteError: the remote cannot be written to.
    """
    plan.items, failed = upload_in_order(place, plan.study, plan.items, plan.there)
    # Someone else may be uploading the same object at this moment, in part.
    for pause in _PAUSES:
        if not (wrong := _not_whole(place, plan.items)):
            break
        time.sleep(pause)
    if wrong:
        uploaded, again = upload_in_order(place, plan.study, wrong, plan.there | (set(plan.items) - set(wrong)))
        failed |= again
        failed |= dict.fromkeys(_not_whole(place, uploaded), "was uploaded, but is not whole there: push again")
    plan.items = [item for item in plan.items if item not in failed]
    plan.bytes = sum(item.local.stat().st_size for item in plan.items)
    plan.failed |= failed


def _not_whole(place: Place, items: list[Item]) -> list[Item]:
    """The items whose size there is not that of the local cache's."""
    sizes = place.sizes(items)
    return [item for item in items if item not in sizes or sizes[item] not in (None, item.local.stat().st_size)]


def plan_pull(place: Place, *, deep: bool = False) -> Plan:
    """What the local cache lacks, or has damaged, of what the study in force needs. Listings are pulled at once.

    Args:
        place: the remote.
        deep: read every object of the local cache, not only those that changed since they were last read.

    Raises:
        RemoteError: the remote cannot be asked.
    """
    repository = place.repository
    listings = [folder.listing for folder in needed(repository).folders]
    lacking = [item for item in listings if not item.good(repository, deep=deep)]
    failed = place.download(lacking, 0) if lacking else {}
    plan = Plan(study_of(place), failed={item: why for item, why in failed.items() if item.required})
    plan.listings = [item for item in lacking if item not in failed]
    wanted = [item for item in plan.study.items if item not in failed and not item.good(repository, deep=deep)]
    sizes = place.sizes(wanted)
    for item in wanted:
        if item in sizes:
            plan.items.append(item)
            plan.bytes += sizes[item] or 0
        elif item.required:
            plan.failed[item] = "missing there"
        else:
            plan.without.append(item)
    plan.without += [item for item in failed if not item.required]
    return plan


def pull(place: Place, plan: Plan, *, force: bool = False) -> None:
    """Downloads what a plan says and, if all of it came whole, puts the outputs in the workspace.

    Args:
        place: the remote.
        plan: `plan.items` is then what was downloaded, `plan.failed` what was not.
        force: replace outputs that were changed by hand.

    Raises:
        RemoteError: the remote cannot be read.
        BadInputError: outputs were changed by hand.
    """
    from dvc.exceptions import CheckoutError, DvcException

    failed = place.download(plan.items, plan.bytes)
    plan.failed |= {item: why for item, why in failed.items() if item.required}
    plan.without += [item for item in failed if not item.required]
    plan.items = [item for item in plan.items if item not in failed]
    plan.bytes = sum(item.local.stat().st_size for item in plan.items)
    if plan.failed:
        return
    try:
        place.repository.drop_data_index()
        # Without targets, DVC would miss the outputs of stages that have not run.
        targets = plan.study.finished if plan.study.unfinished else None
        place.repository.checkout(targets=targets, force=force)
    except CheckoutError as error:
        raise BadInputError(f"all was pulled, but {one_line(error)}") from None
    except DvcException as error:
        raise BadInputError(
            f"all was pulled, but the workspace was left as it is: {one_line(error)}; "
            "keep a copy of what you changed, and add --force"
        ) from None
