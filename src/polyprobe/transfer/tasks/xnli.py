"""Natural language inference: does a premise entail a hypothesis, contradict it, or neither (Conneau et al. 2018)?

A file has one pair per line: premise, hypothesis, label, separated by tabs. The model reads both texts as its
tokenizer joins pairs, and the last sub-word's output is classified.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyprobe.running.errors import BadInputError
from polyprobe.study import Task
from polyprobe.transfer.examples import WITHOUT_LABELS, Encoded, Example, checked_label, not_empty, numbered_lines

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

LABELS: Final = ("entailment", "neutral", "contradiction")
METRICS: Final = ("accuracy", "f1_macro")
HEAD: Final = "AutoModelForSequenceClassification"
ADAPTER_KIND: Final = "SEQ_CLS"


def read(file: Path) -> list[Example]:
    """Read the pairs of a file.

    Raises:
        BadInputError: the file is missing or without pairs, a line does not have three columns, or a label is missing
            or unknown.
    """
    examples = []
    for number, line in numbered_lines(file):
        columns = line.split("\t")
        if len(columns) != 3:
            raise BadInputError(
                f"{file}:{number}: expected three columns (premise, hypothesis, label) separated by tabs, "
                f"found {len(columns)}" + f"; {WITHOUT_LABELS}" * (len(columns) == 2)
            )
        premise, hypothesis, label = columns
        examples.append(Example((premise, hypothesis), (checked_label(label, LABELS, file, number),)))
    return not_empty(examples, file)


def sentences(example: Example) -> tuple[str, ...]:
    """Return the premise and the hypothesis."""
    return example.texts


def encode(examples: list[Example], tokenizer: Any, settings: Task, language: str) -> list[Encoded]:
    """Return the pairs as sub-words; of a pair that is too long, the longer text is cut first.

    Args:
        examples: the pairs.
        tokenizer: the checkpoint's.
        settings: says how many sub-words a pair may have.
        language: makes no difference here.
    """
    premises, hypotheses = zip(*(example.texts for example in examples), strict=True)
    rows = tokenizer(list(premises), list(hypotheses), truncation=True, max_length=settings.max_length)
    segments = rows.get("token_type_ids", [None] * len(examples))
    return [
        Encoded(ids, [LABELS.index(example.labels[0])], [len(ids) - 1], types)
        for ids, types, example in zip(rows["input_ids"], segments, examples, strict=True)
    ]


def targets(example: Encoded) -> int:
    """Return the number of the pair's label."""
    return example.labels[0]


def predictions(logits: "Float[Tensor, 'example label']", batch: list[Encoded]) -> list[list[int]]:
    """Return the number of each pair's predicted label.

    Args:
        logits: of each label.
        batch: the pairs.

    Returns:
        One number per pair, in a list of its own.
    """
    return [[label] for label in logits.argmax(-1).tolist()]
