"""The kinds of remote: what their URLs look like, and which options go where in DVC's configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from polyprobe.running.errors import BadInputError

Settings = dict[str, str | int | bool]


@dataclass(frozen=True)
class Kind:
    """A kind of remote."""

    name: str
    example: str
    options: Mapping[str, str]
    """The options of `remote set` that it takes, and what DVC calls them."""
    always: Mapping[str, int]
    """Set unless DVC's configuration is edited by hand: a remote that does not answer is an error within seconds."""
    read_only: bool = False


_WEB: Final = {
    "user": "user",
    "password": "password",
    "ask_password": "ask_password",
    "certificate": "ssl_verify",
    "jobs": "jobs",
}
_SSH: Final = Kind(
    "SSH",
    "ssh://ada@host.example.org/storage/polyprobe",
    {
        "user": "user",
        "password": "password",
        "ask_password": "ask_password",
        "keyfile": "keyfile",
        "jobs": "jobs",
    },
    {"timeout": 20},
)
_S3: Final = Kind(
    "S3",
    "s3://bucket/polyprobe",
    {
        "user": "access_key_id",
        "password": "secret_access_key",
        "profile": "profile",
        "endpoint_url": "endpointurl",
        "region": "region",
        "anonymous": "allow_anonymous_login",
        "certificate": "ssl_verify",
        "jobs": "jobs",
    },
    {"connect_timeout": 10, "read_timeout": 60},
)
_GS: Final = Kind(
    "Google Cloud Storage",
    "gs://bucket/polyprobe",
    {
        "credentials": "credentialpath",
        "project": "projectname",
        "endpoint_url": "endpointurl",
        "anonymous": "allow_anonymous_login",
        "jobs": "jobs",
    },
    {},
)
_WEBDAV: Final = Kind("WebDAV", "webdavs://host.example.org/dav/polyprobe", {**_WEB, "token": "token"}, {"timeout": 60})
_HTTP: Final = Kind(
    "an HTTP mirror", "https://host.example.org/polyprobe", _WEB, {"connect_timeout": 10, "read_timeout": 60}, True
)
_FOLDER: Final = Kind("a folder", "/shared/polyprobe", {"jobs": "jobs"}, {})

KINDS: Final[Mapping[str, Kind]] = {
    "ssh": _SSH,
    "s3": _S3,
    "gs": _GS,
    "webdav": _WEBDAV,
    "webdavs": _WEBDAV,
    "http": _HTTP,
    "https": _HTTP,
    "": _FOLDER,
}
"""By the scheme of the URL."""

SECRETS: Final = frozenset(
    {"password", "passphrase", "secret_access_key", "session_token", "token", "sse_customer_key"}
)
"""What DVC calls settings that nobody else may see."""


_FILES: Final = ("keyfile", "credentials", "certificate")
"""Options that are a file."""


def kind_of(url: str) -> Kind:
    """The kind of remote that a URL names.

    Raises:
        BadInputError: it names none, or lacks a part, or has one too many.
    """
    if re.match(r"[A-Za-z]\w*://", url) is None:
        return _folder(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadInputError(f"{_without_password(url)}: not a URL: {error}") from None
    scheme = parts.scheme.lower()
    if scheme not in KINDS:
        known = ", ".join(f"{name}://" for name in KINDS if name)
        raise BadInputError(f"{_without_password(url)}: expected one of {known} or a folder, got {parts.scheme}://")
    kind = KINDS[scheme]
    if parts.password is not None:
        raise BadInputError(
            f"{_without_password(url)}: has a password in it; leave it out and give it by --password-from VARIABLE "
            "or --ask-password"
        )
    if parts.query or parts.fragment:
        raise BadInputError(f"{url}: expected no ? and no # in it, such as {kind.example}")
    if not parts.hostname:
        raise BadInputError(f"{url}: expected a {'bucket' if scheme in ('s3', 'gs') else 'host'}: {kind.example}")
    if scheme in ("s3", "gs"):
        if port is not None or parts.username is not None:
            raise BadInputError(
                f"{url}: expected a bucket, such as {kind.example}; a server other than the cloud's own is given by "
                "--endpoint-url"
            )
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", parts.netloc):
            raise BadInputError(
                f"{url}: {parts.netloc!r} is no name of a bucket, expected 3 or more of a-z, 0-9, - and ."
            )
    elif scheme != "ssh" and parts.username is not None:
        raise BadInputError(f"{url}: has a user in it; leave it out and give it by --user")
    if scheme == "ssh" and parts.path in ("", "/"):
        raise BadInputError(f"{url}: expected a folder on the host, such as {kind.example}")
    return kind


def scheme_of(url: str) -> str:
    """The scheme of a URL; empty for a folder."""
    return urlsplit(url).scheme.lower() if "://" in url else ""


def settings(url: str, options: Mapping[str, str | int | bool | None]) -> Settings:
    """What DVC's configuration says of such a remote.

    Args:
        url: as `kind_of` takes it.
        options: of `remote set`, by name; None for those not given.

    Raises:
        BadInputError: the URL is none, or an option does not go with its kind.
    """
    kind = kind_of(url)
    given = {name: value for name, value in options.items() if value not in (None, False)}
    for name in given:
        if name not in kind.options:
            takes = ", ".join(f"--{option.replace('_', '-')}" for option in kind.options)
            raise BadInputError(f"--{name.replace('_', '-')}: does not go with {kind.name}, which takes {takes}")
    _check_together(url, kind, given)
    where = str(Path(url).expanduser().absolute()) if kind is _FOLDER else url
    made: Settings = {"url": where, "verify": True, **kind.always}
    for name, value in given.items():
        made[kind.options[name]] = str(Path(str(value)).expanduser().absolute()) if name in _FILES else value
    if kind is _SSH and "keyfile" in given:
        # What is asked for then is the key's passphrase.
        for name in ("password", "ask_password"):
            if name in made:
                made[name.replace("password", "passphrase")] = made.pop(name)
    if kind is _HTTP and "user" in given:
        made["auth"] = "basic"
    return made


def _check_together(url: str, kind: Kind, given: Mapping[str, str | int | bool]) -> None:
    if kind is _S3 and ("user" in given) != ("password" in given):
        raise BadInputError(
            "--user is the access key's id and goes with --password-from or --prompt, which give its secret; without "
            "any, the key is looked for where the AWS tools look"
        )
    if kind is not _SSH and "user" not in given and any(name in given for name in ("password", "ask_password")):
        raise BadInputError("--password-from, --prompt and --ask-password go with --user")
    if "password" in given and "ask_password" in given:
        raise BadInputError("--ask-password keeps no password: it does not go with --password-from or --prompt")
    for name in _FILES:
        if name in given and not Path(str(given[name])).expanduser().is_file():
            raise BadInputError(f"--{name} {given[name]}: no such file")
    if "endpoint_url" in given and not re.match(r"https?://[^/]", str(given["endpoint_url"])):
        raise BadInputError(f"--endpoint-url {given['endpoint_url']}: expected http://HOST or https://HOST")


def _folder(url: str) -> Kind:
    if scp := re.fullmatch(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^@/:]+):(?P<path>.*)", url):
        user = f"{scp['user']}@" if scp["user"] else ""
        raise BadInputError(f"{url}: expected ssh://{user}{scp['host']}/{scp['path'].lstrip('/')}, or a folder's path")
    if not url.strip():
        raise BadInputError("the URL is empty, expected one such as " + ", ".join(k.example for k in (_SSH, _FOLDER)))
    folder = Path(url).expanduser().absolute()
    if not folder.parent.is_dir():
        raise BadInputError(f"{url}: there is no folder {folder.parent}; is it mounted?")
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{url}: is no folder")
    if folder.resolve().is_relative_to(Path.cwd().resolve()):
        raise BadInputError(f"{url}: lies in the repository; expected a folder outside of it")
    return _FOLDER


def _without_password(url: str) -> str:
    return re.sub(r"(://[^/@:]*):[^/]*@", r"\1:***@", url)
