"""The commands `polyprobe remote check` and `polyprobe remote heal`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from polyprobe.ops.listing import first_few

if TYPE_CHECKING:
    from polyprobe.ops.remote.study_objects import Item

_SHOWN: Final = 10
"""Objects that are named one by one."""

app: Final = typer.Typer(help="Find and mend what a shared remote lacks.", no_args_is_help=True)
_Name = Annotated[str | None, typer.Option(help="Of the remote; without it, the default one.")]
_Deep = Annotated[bool, typer.Option("--deep", help="Read every object there, not only its size.")]


@app.command("check", epilog="Example: polyprobe remote check --deep")
def check_remote(name: _Name = None, deep: _Deep = False) -> None:
    """Find what is missing or damaged there of what the study in force needs; exit code 1 if anything is."""
    from tqdm import tqdm

    from polyprobe.ops.remote.checking import check
    from polyprobe.ops.remote.storage import Storage, open_repository

    storage = Storage.open(open_repository(), name)
    found = check(storage, deep=deep)
    there = len(found.items) - len(found.missing)
    size = tqdm.format_sizeof(found.bytes, "B")
    how = "contents read" if deep else "sizes compared; --deep reads the contents"
    print(f"{storage.title}: {there} of {len(found.items)} objects, {size} ({how})")
    if found.unfinished:
        print(f"not run, so without outputs in dvc.lock: {first_few(found.unfinished, _SHOWN)}")
    _print_each("missing", dict.fromkeys(found.missing, ""))
    _print_each("damaged", dict.fromkeys(found.damaged, ""))
    if found.unread:
        folders = first_few([folder.listing.of for folder in found.unread], _SHOWN)
        print(f"files not known, for their listing is neither here nor there, or is damaged: {folders}")
    if found.missing or found.damaged:
        print(f"{len(found.missing)} missing, {len(found.damaged)} damaged: `polyprobe remote heal` mends them")
        raise typer.Exit(1)
    print("nothing is missing, nothing damaged")


@app.command("heal", epilog="Example: polyprobe remote heal --deep")
def heal_remote(
    name: _Name = None,
    deep: _Deep = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take away damaged ones without a whole copy here.")] = False,
) -> None:
    """Mend it from the local cache; exit code 1 if anything is left."""
    from polyprobe.ops.remote.healing import heal
    from polyprobe.ops.remote.storage import Storage, open_repository

    storage = Storage.open(open_repository(), name)
    healed = heal(storage, deep=deep, remove=remove)
    missing, damaged = len(healed.before.missing), len(healed.before.damaged)
    print(f"{storage.title}: {missing} objects were missing, {damaged} damaged; uploaded {len(healed.uploaded)}")
    _print_each("removed", {item: healed.left[item] for item in healed.removed})
    _print_each("not mended", {item: why for item, why in healed.left.items() if item not in healed.removed})
    if healed.left:
        raise typer.Exit(1)


def _print_each(title: str, items: "Mapping[Item, str]") -> None:
    for item, why in list(items.items())[:_SHOWN]:
        print(f"{title}: {item.of} ({item.key}){': ' if why else ''}{why}")
    if len(items) > _SHOWN:
        print(f"{title}: {len(items) - _SHOWN} more")
