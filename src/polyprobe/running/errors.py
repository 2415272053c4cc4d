"""The one error that a user is meant to read."""


class BadInputError(Exception):
    """Something that the user gave is wrong.

    The message is one line that names the file, line or key and says what was expected. Stages print it without a
    traceback and exit with 1.
    """


def one_line(error: BaseException) -> str:
    """Return what an error says, without line breaks; its type's name where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
