"""Why a remote failed, in one line, and what to do. Every library behind a remote has errors of its own."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from polyprobe.ops.remote.kinds import SECRETS

_RULES: Final[tuple[tuple[str, str, str], ...]] = (
    # A pattern of the error, what failed, what to do.
    (
        r"gaierror|Name or service not known|nodename nor servname|getaddrinfo|No address associated|"
        r"Temporary failure in name resolution|ClientConnectorDNSError",
        "the host's name was not resolved",
        "check the spelling, and the network or VPN",
    ),
    (
        r"InvalidAccessKeyId|AWS access key Id you provided does not exist",
        "the server does not know this access key",
        "check --user, the access key's id",
    ),
    (
        r"SignatureDoesNotMatch",
        "the secret of the access key is wrong",
        "give --user and, by --password-from or --prompt, its secret again",
    ),
    (
        r"NoSuchBucket|bucket does not exist",
        "there is no such bucket",
        "create it, or check its name and --endpoint-url",
    ),
    (
        r"ProfileNotFound",
        "the AWS configuration has no such profile",
        "check --profile against ~/.aws/config",
    ),
    (
        r"NoCredentialsError|Unable to locate credentials|PartialCredentials",
        "no access key was found",
        "give one by --user and --password-from, or --profile",
    ),
    (
        r"DefaultCredentialsError|RefreshError|Anonymous caller|invalid_grant",
        "Google's credentials were not found or not taken",
        "log in with `gcloud auth application-default login`, or give --credentials FILE",
    ),
    (
        r"ExpiredToken|TokenRefreshRequired|RequestExpired",
        "the session's token has expired",
        "log in again",
    ),
    (
        r"RequestTimeTooSkewed",
        "this machine's clock differs from the server's",
        "set the clock",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLCertVerification|certificate verify failed|SSLError|SSL:|WRONG_VERSION_NUMBER|"
        r"ClientConnectorCertificateError|ClientConnectorSSLError|record layer failure",
        "the encrypted connection (TLS) could not be made, or the server's certificate is not trusted",
        "check that the server speaks TLS there, or name its authority's certificate by --certificate FILE",
    ),
    (
        r"KeyImportError|KeyEncryptionError|passphrase",
        "the private key could not be read",
        "check --keyfile, and its passphrase by --password-from or --ask-password",
    ),
    (
        r"asyncssh\S*PermissionDenied|Permission denied for user|HostKeyNotVerifiable|Too many authentication failures",
        "the SSH server did not let this user in",
        "check the user and --keyfile: `ssh USER@HOST` must work with that key",
    ),
    (
        r"\b401\b|Unauthorized|Invalid username or password",
        "the server wants another user or password",
        "give them again by --user and --password-from",
    ),
    (
        r"\b403\b|Forbidden|AccessDenied|Access Denied|PermissionError|Permission denied|SFTPPermissionDenied|"
        r"not permitted",
        "no permission",
        "ask its owner for the right to read, and to write if you push",
    ),
    (
        r"\b507\b|Insufficient Storage|ENOSPC|No space left|Disk quota",
        "no space is left there",
        "free some, or choose another",
    ),
    (r"Read-only file system|EROFS", "it is read-only", "push to another remote; reading from it works"),
    (
        r"\b405\b|Method Not Allowed|\b501\b|Not Implemented",
        "the server does not take files there",
        "check the path of the URL",
    ),
    (
        r"Connection refused|ConnectionRefused|Errno 111|Connect call failed|Could not connect to the endpoint",
        "the connection was refused, or there is none to be had",
        "check host and port, and that the server runs",
    ),
    (
        r"No route to host|Network is unreachable|Host is unreachable",
        "there is no way to the host",
        "check the network or VPN",
    ),
    (
        r"Timeout|timed out",
        "the server did not answer in time",
        "check host and port, and the network or VPN",
    ),
    (
        r"Connection reset|ConnectionLost|Connection lost|ServerDisconnected|RemoteProtocolError|Broken pipe|EOFError|"
        r"ConnectionClosed|ClientPayloadError|IncompleteRead",
        "the connection was lost",
        "try again: what was moved stays",
    ),
    (
        r"\b5\d\d\b.*(?:Error|Unavailable|Gateway)|ServiceUnavailable|InternalError",
        "the server failed",
        "try again later",
    ),
    (r"\b409\b|Conflict", "the folder above it is not there", "create it on the server, or check the path of the URL"),
    (r"\b404\b|Not Found|FileNotFoundError|No such file", "there is nothing at that path", "check the path of the URL"),
)


def why(error: BaseException, settings: Mapping[str, Any]) -> str:
    """What failed and what to do, in one line without any secret.

    Args:
        error: of a library behind a remote.
        settings: DVC's of that remote.
    """
    chain = list(_chain(error))
    said = " | ".join(f"{type(each).__module__}.{type(each).__name__}: {each}" for each in chain)
    first = next((line.strip() for each in reversed(chain) for line in str(each).splitlines() if line.strip()), "")
    first = first or type(error).__name__
    for pattern, what, advice in _RULES:
        if re.search(pattern, said):
            return redacted(f"{what} ({first[:200]}); {advice}", settings)
    return redacted(f"{type(error).__name__}: {first[:300]}", settings)


def is_missing(error: BaseException) -> bool:
    """Whether an error of a file system says that a file is not there, and not that the server could not be asked."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        return False
    cause = error.__cause__
    # fsspec's HTTP tells every failure as a missing file.
    if cause is None or not type(cause).__module__.startswith("aiohttp"):
        return True
    return getattr(cause, "status", None) in (404, 410)


def redacted(text: str, settings: Mapping[str, Any]) -> str:
    """A text without the secrets of a remote."""
    for name in sorted(SECRETS & set(settings)):
        if secret := str(settings[name] or ""):
            text = text.replace(secret, "***")
    return text


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__, getattr(each, "os_error", None)]
