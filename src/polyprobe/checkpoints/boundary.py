"""Where a library is given what somebody published: whatever it raises becomes one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.memory import out_of_memory

_SHOWN: Final = 300
"""Characters of a library's message."""


@contextmanager
def library_errors(what: str) -> Iterator[None]:
    """Makes what a library raises one line: `what`, and in brackets what the library says.

    That memory does not suffice is no fault of what was read, and passes.

    Args:
        what: what was met and what was expected.

    Raises:
        BadInputError: the library raised anything.
    """
    try:
        yield
    except BadInputError:
        raise
    except BaseException as error:
        # tokenizers' panics are no Exception.
        known = isinstance(error, Exception) or type(error).__module__ == "pyo3_runtime"
        if not known or (isinstance(error, Exception) and out_of_memory(error)):
            raise
        said = one_line(error)
        raise BadInputError(f"{what} ({said if len(said) <= _SHOWN else said[:_SHOWN] + '...'})") from None


@contextmanager
def memory_errors(what: str) -> Iterator[None]:
    """Makes it one line, `what`, that memory does not suffice.

    Raises:
        BadInputError: it does not.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise BadInputError(what) from None
