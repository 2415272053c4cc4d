"""Where a library is given what somebody published: what it raises becomes one line, and its chatter none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.machine import out_of_memory

_SHOWN: Final = 300
"""Characters of a library's message."""


@contextmanager
def library_errors(what: str) -> Iterator[None]:
    """Turn whatever a library raises into one line: `what`, and in brackets what the library says.

    An error that says that memory does not suffice passes: it is no fault of what was read.

    Args:
        what: what was met and what was expected.

    Raises:
        BadInputError: the library raised anything else.
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
    """Turn an error that says that memory does not suffice into one line, `what`.

    Raises:
        BadInputError: memory does not suffice.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise BadInputError(what) from None


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers from talking about what is as it should be.

    Within the block it shows no progress bars of loading, and no warnings of what is wanted: that the head is new, or
    its weights are not used; that the tokenizer's class is not the one saved; that saves are sorted by their numbers.
    """
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
