"""The transfer tasks: a module each, with the names of `TransferTask`. A new task is a module and an entry here."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from polyprobe.transfer.examples import Encoded, Example
from polyprobe.transfer.tasks import pos, xnli

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

__all__ = ["TASKS", "TransferTask"]


@runtime_checkable
class TransferTask(Protocol):
    """What a task's module offers."""

    @property
    def LABELS(self) -> tuple[str, ...]:  # noqa: N802
        """Names of the labels, by their numbers."""
        ...

    @property
    def METRICS(self) -> tuple[str, ...]:  # noqa: N802
        """Scores reported, of those that `transfer.scoring` knows; the first decides which step is best."""
        ...

    @property
    def HEAD(self) -> str:  # noqa: N802
        """The transformers class that puts the head on a model."""
        ...

    @property
    def ADAPTER_KIND(self) -> str:  # noqa: N802
        """PEFT's name of the kind of task."""
        ...

    def read(self, file: Path) -> list[Example]:
        """Read the examples of a file in XTREME's layout.

        Raises:
            BadInputError: the file is missing or without examples, or a line is malformed.
        """
        ...

    def sentences(self, example: Example) -> tuple[str, ...]:
        """Return the sentences of an example, each as one text."""
        ...

    def encode(self, examples: list[Example], tokenizer: Any, settings: Any, language: str) -> list[Encoded]:
        """Return the examples as sub-words, at most `settings.max_length` of each.

        Args:
            examples: of one language.
            tokenizer: the checkpoint's.
            settings: the task's section of the study.
            language: the language's code.
        """
        ...

    def targets(self, example: Encoded) -> int | list[int]:
        """Return what the loss is taken against: a label, or one per sub-word with NO_TARGET where there is none."""
        ...

    def predictions(self, logits: "Float[Tensor, 'example ...']", batch: list[Encoded]) -> list[list[int]]:
        """Return the predicted label number of each item of each example.

        Args:
            logits: the head's output for the batch, padded as the batch was.
            batch: the examples.

        Returns:
            Label numbers, LOST where there is no prediction.
        """
        ...


TASKS: Final[dict[str, TransferTask]] = {"xnli": xnli, "pos": pos}
