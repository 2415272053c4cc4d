"""Libraries that talk about what is as it should be."""

from collections.abc import Iterator
from contextlib import contextmanager


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
