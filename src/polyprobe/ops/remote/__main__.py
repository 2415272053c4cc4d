"""The shared remote: `python -m polyprobe.ops.remote set | try | check | heal | push | pull`.

set    tries a place with one object and makes it this clone's remote (in .dvc/config.local, which git ignores)
try    tries the remote with one object
check  finds what it lacks, or has damaged, of what the study in force needs
heal   mends that from the local cache
push   uploads what the study in force needs: its outputs, and the run-cache's entries of its stages
pull   downloads it, and puts the outputs in the workspace
"""

import argparse
import getpass
import logging
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

from polyprobe.running.errors import BadInputError

FOUND, INTERRUPTED = 1, 130


def main() -> None:
    """The command line."""
    arguments = _parser().parse_args()
    try:
        sys.exit(_run(arguments))
    except BadInputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: what was moved stays, the same command goes on from there", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _run(arguments: argparse.Namespace) -> int:
    from polyprobe.ops.remote.place import Place, open_repository

    # It writes a traceback beside the error that it raises.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    repository = open_repository()
    if arguments.command == "set":
        return _set(arguments, repository)
    place = Place.open(repository, arguments.name)
    if arguments.command == "try":
        from polyprobe.ops.remote.trying import try_remote

        tried = try_remote(place)
        print(f"{place.name} ({place.url}): {tried.said}, in {tried.seconds:.1f} s")
        return 0
    commands = {"check": _check, "heal": _heal, "push": _push, "pull": _pull}
    return commands[arguments.command](arguments, place)


def _set(arguments: argparse.Namespace, repository: Any) -> int:
    from polyprobe.ops.remote.setting import set_remote

    named = ("user", "ask_password", "keyfile", "profile", "endpoint_url", "region", "credentials", "project",
             "anonymous", "certificate", "jobs")  # fmt: skip
    options = {name: getattr(arguments, name) for name in named}
    options["password"] = _secret(arguments.password_from, "--password-from")
    options["token"] = _secret(arguments.token_from, "--token-from")
    if arguments.prompt:
        options["password"] = getpass.getpass("Password (or the key's passphrase, or the access key's secret): ")
    tried = set_remote(repository, arguments.url, arguments.name, options, default=arguments.default)
    print(f"{arguments.name} ({arguments.url}): {tried.said}, in {tried.seconds:.1f} s; set in .dvc/config.local")
    if repository.config["core"].get("remote") != arguments.name:
        print(f"it is not the default: name it by `--name {arguments.name}`, or set it with --default")
    return 0


def _secret(variable: str | None, option: str) -> str | None:
    if variable is None:
        return None
    if not (value := os.environ.get(variable)):
        raise BadInputError(f"{option} {variable}: expected the name of an environment variable; there is none such")
    return value


def _check(arguments: argparse.Namespace, place: Any) -> int:
    from polyprobe.ops.remote.checking import check

    found = check(place, deep=arguments.deep)
    how = "contents read" if arguments.deep else "sizes compared; --deep reads the contents"
    total = len(found.study.items)
    print(f"{place.name} ({place.url}): {len(found.sizes)} of {total} objects, {size(found.bytes_there)} ({how})")
    _unfinished(found.study.unfinished)
    _name("missing", dict.fromkeys(found.missing, ""))
    _name("damaged", found.damaged)
    for folder in found.study.closed:
        print(f"{folder.listing.of}: its files are not known, for its listing is missing or damaged here and there")
    if not found.faulty:
        print("nothing is missing, nothing damaged")
        return 0
    print(
        f"{len(found.missing)} missing, {len(found.damaged)} damaged: `python -m polyprobe.ops.remote heal` mends them"
    )
    return FOUND


def _heal(arguments: argparse.Namespace, place: Any) -> int:
    from polyprobe.ops.remote.healing import heal

    healed = heal(place, deep=arguments.deep, remove=arguments.remove)
    before = healed.before
    print(
        f"{place.name} ({place.url}): {len(before.missing)} objects were missing, {len(before.damaged)} damaged; "
        f"uploaded {len(healed.uploaded)}, {size(healed.bytes_uploaded)}"
    )
    _name("removed", {item: healed.left[item] for item in healed.removed})
    _name("not mended", {item: why for item, why in healed.left.items() if item not in healed.removed})
    return FOUND if healed.left else 0


def _push(arguments: argparse.Namespace, place: Any) -> int:
    from polyprobe.ops.remote.moving import plan_push, push

    plan = plan_push(place)
    _unfinished(plan.study.unfinished)
    total, planned, start = len(plan.study.items), len(plan.items), time.monotonic()
    if planned:
        print(f"pushing {planned} of {total} objects, {size(plan.bytes)}, to {place.name} ({place.url})", flush=True)
        push(place, plan)
        print(f"pushed {len(plan.items)} objects, {size(plan.bytes)}, in {time.monotonic() - start:.1f} s")
    if plan.failed:
        _name("not pushed", plan.failed)
        print(f"error: {len(plan.failed)} objects of {total} were not pushed", file=sys.stderr)
        return FOUND
    print(f"{place.name} has all {total - len(plan.without)} objects of the study in force")
    return 0


def _pull(arguments: argparse.Namespace, place: Any) -> int:
    from polyprobe.ops.remote.moving import plan_pull, pull

    plan = plan_pull(place, deep=arguments.deep)
    _unfinished(plan.study.unfinished)
    total, planned, start = len(plan.study.items), len(plan.items) + len(plan.listings), time.monotonic()
    if planned:
        print(f"pulling {planned} of {total} objects, {size(plan.bytes)}, from {place.name} ({place.url})", flush=True)
    pull(place, plan, force=arguments.force)
    if planned:
        count = len(plan.items) + len(plan.listings)
        print(f"pulled {count} objects, {size(plan.bytes)}, in {time.monotonic() - start:.1f} s")
    if plan.without:
        print(f"{len(plan.without)} objects of the run-cache are not there, or damaged; the outputs do without")
    if plan.failed:
        _name("not pulled", plan.failed)
        print(
            f"error: {len(plan.failed)} objects of {total} were not pulled, the workspace is as it was; where they are "
            "whole, `python -m polyprobe.ops.remote heal --deep` mends the remote",
            file=sys.stderr,
        )
        return FOUND
    print(f"all {total - len(plan.without)} objects of the study in force are here, its outputs in the workspace")
    return 0


def _name(title: str, items: dict[Any, str]) -> None:
    shown = 10
    for item, why in list(items.items())[:shown]:
        print(f"{title}: {item.of} ({item.key}){': ' if why else ''}{why}")
    if len(items) > shown:
        print(f"{title}: {len(items) - shown} more")


def _unfinished(stages: Iterable[str]) -> None:
    if stages := list(stages):
        more = f" and {len(stages) - 5} more" if len(stages) > 5 else ""
        print(f"not run, so without outputs in dvc.lock: {', '.join(stages[:5])}{more}")


def size(count: int) -> str:
    """Bytes for people: `4.7 MB`."""
    if count < 1000:
        return f"{count} bytes"
    power = min(len(f"{count}") - 1, 12) // 3
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m polyprobe.ops.remote",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("set", help="set this clone's remote, after trying it")
    one.add_argument("url", help="ssh://, s3://, gs://, webdav(s)://, http(s):// (to read only), or a folder")
    one.add_argument("--default", action="store_true", help="make it the remote that is used when none is named")
    one.add_argument("--user", help="user name; of S3, the access key's id")
    one.add_argument(
        "--password-from",
        metavar="VARIABLE",
        help="environment variable with the password, the passphrase of --keyfile or the access key's secret; it is "
        "kept in .dvc/config.local",
    )
    one.add_argument("--prompt", action="store_true", help="the same, typed in")
    one.add_argument("--ask-password", action="store_true", help="do not keep it: DVC asks for it every time")
    one.add_argument("--token-from", metavar="VARIABLE", help="environment variable with a bearer token (WebDAV)")
    one.add_argument("--keyfile", metavar="FILE", help="private key (SSH)")
    one.add_argument("--profile", help="of the AWS configuration (S3)")
    one.add_argument("--endpoint-url", metavar="URL", help="server other than the cloud's own (S3, GCS)")
    one.add_argument("--region", help="of the bucket (S3)")
    one.add_argument("--credentials", metavar="FILE", help="service account's key (GCS)")
    one.add_argument("--project", help="name of the project (GCS)")
    one.add_argument("--anonymous", action="store_true", help="without any key, for a public bucket (S3, GCS)")
    one.add_argument("--certificate", metavar="FILE", help="of the authority to trust (S3, WebDAV, HTTPS)")
    one.add_argument("--jobs", type=int, help="objects that move at once")
    _name_of_remote(one, "storage")
    for command, text in (
        ("try", "write, read back and remove one object"),
        ("check", "find what is missing or damaged there"),
        ("heal", "mend it from the local cache"),
        ("push", "upload what the study in force needs"),
        ("pull", "download it"),
    ):
        one = commands.add_parser(command, help=text)
        _name_of_remote(one, None)
        if command in ("check", "heal"):
            one.add_argument("--deep", action="store_true", help="read every object there, not only its size")
        if command == "heal":
            one.add_argument("--remove", action="store_true", help="take away damaged ones without a whole copy here")
        if command == "pull":
            one.add_argument("--deep", action="store_true", help="read every object of the local cache again")
            one.add_argument("--force", action="store_true", help="replace outputs that were changed by hand")
    return parser


def _name_of_remote(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument("--name", default=default, help=f"of the remote (default: {default or 'the default one'})")


if __name__ == "__main__":
    main()
