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
    def LABELS(self) -> tuple[str, ...]: ...  # noqa: N802

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
        """The examples of a file in XTREME's layout.

        Raises:
            BadInputError: a missing file or a malformed line.
        """
        ...

    def sentences(self, example: Example) -> tuple[str, ...]:
        """The sentences of an example, each as one text."""
        ...

    def encode(self, examples: list[Example], tokenizer: Any, settings: Any, language: str) -> list[Encoded]:
        """The examples as sub-words, at most `settings.max_length` of them."""
        ...

    def targets(self, example: Encoded) -> int | list[int]:
        """What the model's loss is taken against: a label, or one per sub-word with -100 where there is none."""
        ...

    def predictions(self, logits: "Float[Tensor, 'example ...']", batch: list[Encoded]) -> list[list[int]]:
        """The predicted label number of each item of each example."""
        ...


TASKS: Final[dict[str, TransferTask]] = {"xnli": xnli, "pos": pos}
