"""Examples and sentences of one split that are in another one too."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError
from polyprobe.transfer.examples import Example

_SHOWN: Final = 100
"""Characters of an example that an error shows."""


class Leaks:
    """The splits of one task, in the order in which they are added.

    Args:
        sentences: the sentences of an example.
    """

    def __init__(self, sentences: Callable[[Example], tuple[str, ...]]) -> None:
        self._sentences_of = sentences
        self._examples: dict[str, set[tuple[str, ...]]] = {}
        self._sentences: dict[str, set[str]] = {}

    def add(self, split: str, examples: list[Example]) -> None:
        """Add a split.

        Args:
            split: its name.
            examples: all of it.
        """
        self._examples[split] = {example.texts for example in examples}
        self._sentences[split] = self._distinct(examples)

    def counts(self, examples: list[Example]) -> dict[str, int]:
        """Count how much of a file is in the splits added before.

        Returns:
            `seen_in_<split>`, the number of its examples whose texts are those of an example there; `sentences`, the
            number of its distinct sentences; `sentences_seen_in_<split>`, how many of these occur there.
        """
        distinct = self._distinct(examples)
        return (
            {f"seen_in_{split}": len(self._repeated(examples, split)) for split in self._examples}
            | {"sentences": len(distinct)}
            | {f"sentences_seen_in_{split}": len(distinct & there) for split, there in self._sentences.items()}
        )

    def refuse(self, examples: list[Example], file: Path) -> None:
        """Check that no example of a file is in the splits added before.

        Args:
            examples: the file's.
            file: the file, for the error's message.

        Raises:
            BadInputError: one is; the message has how many are, and the first one.
        """
        for split in self._examples:
            repeated = self._repeated(examples, split)
            if repeated:
                first = " | ".join(self._sentences_of(repeated[0]))
                shown = first if len(first) <= _SHOWN else f"{first[:_SHOWN]}..."
                raise BadInputError(
                    f"{file}: {len(repeated)} of {len(examples)} examples are in {split} too, and transfer.on_leak is "
                    f"fail; the first one: {shown!r}"
                )

    def _repeated(self, examples: list[Example], split: str) -> list[Example]:
        return [example for example in examples if example.texts in self._examples[split]]

    def _distinct(self, examples: list[Example]) -> set[str]:
        return {sentence for example in examples for sentence in self._sentences_of(example)}
