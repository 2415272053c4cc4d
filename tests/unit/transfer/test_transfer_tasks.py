"""Examples as sub-words: where a word is classified, what is cut off, what the loss sees."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from polyprobe.checkpoints.location import locate
from polyprobe.study import POSTask, Task
from polyprobe.transfer.examples import LOST, Encoded, Example
from polyprobe.transfer.tasks import TASKS, pos, xnli
from support import sections
from support.tiny_bloom import tiny_bloom

WORDS = ["saluton", "mia", "kara", "amiko", ",", "kiel", "vi", "fartas", "hodiaŭ", "?", "世界", "你好", "我們"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from polyprobe.transfer.model import load_tokenizer

    texts = [" ".join(WORDS[:k]) for k in range(2, 10)] + ["".join(WORDS[10:])] * 9
    folder = tmp_path_factory.mktemp("tasks")
    tiny_bloom(folder, texts, width=32, vocabulary=300)
    return load_tokenizer(locate(folder, None))


def settings(kind: type[Task], **changes: Any) -> Any:
    values = {"languages": ["qaa"], "epochs": 1, "learning_rate": 0.1, "batch_size": 2, "evaluate_every": 1}
    return sections.task(kind, **(values | changes))


def sentence(*words: str) -> Example:
    return Example(words, tuple("NOUN" for _ in words))


def test_a_pair_is_what_the_tokenizer_makes_of_it(tokenizer: Any) -> None:
    [encoded] = xnli.encode([Example(("mia kara", "amiko"), ("neutral",))], tokenizer, settings(Task), "qaa")
    assert encoded.input_ids == tokenizer("mia kara", "amiko")["input_ids"]
    assert encoded.labels == [xnli.LABELS.index("neutral")]
    assert encoded.positions == [len(encoded.input_ids) - 1]


def test_a_long_pair_loses_the_end_of_its_longer_text(tokenizer: Any) -> None:
    pair = Example(("mia kara amiko " * 20, "vi"), ("neutral",))
    [encoded] = xnli.encode([pair], tokenizer, settings(Task, max_length=12), "qaa")
    assert len(encoded.input_ids) == 12
    assert tokenizer.decode(encoded.input_ids).endswith("vi")


@pytest.mark.parametrize("label_on", ["first", "last"])
@pytest.mark.parametrize("language", ["qaa", "zh"])
def test_words_are_classified_at_a_subword_of_their_own(tokenizer: Any, language: str, label_on: str) -> None:
    """Against the obvious search over all characters."""
    words = WORDS[10:] if language == "zh" else WORDS[:10]
    example = sentence(*words)
    [encoded] = pos.encode([example], tokenizer, settings(POSTask, label_on=label_on), language)
    gap = "" if language == "zh" else " "
    text = gap.join(words)
    row = tokenizer(text, return_offsets_mapping=True)
    assert encoded.input_ids == row["input_ids"]
    start = 0
    for word, position in zip(words, encoded.positions, strict=True):
        characters = set(range(start, start + len(word)))
        overlapping = [n for n, (a, b) in enumerate(row["offset_mapping"]) if characters & set(range(a, b))]
        assert position == (overlapping[0] if label_on == "first" else overlapping[-1])
        start += len(word) + len(gap)


def test_cut_off_words_are_lost(tokenizer: Any) -> None:
    example = sentence(*WORDS[:10])
    [whole] = pos.encode([example], tokenizer, settings(POSTask), "qaa")
    for label_on in ("first", "last"):
        for length in range(1, len(whole.input_ids)):
            options = settings(POSTask, label_on=label_on, max_length=length)
            [cut] = pos.encode([example], tokenizer, options, "qaa")
            [full] = pos.encode([example], tokenizer, settings(POSTask, label_on=label_on), "qaa")
            assert cut.input_ids == full.input_ids[:length]
            assert cut.labels == full.labels
            assert cut.positions == [position if position < length else LOST for position in full.positions]


def test_two_words_may_share_a_subword() -> None:
    """Without spaces a sub-word may cover two words: both are classified there, and the loss takes the first's tag."""

    def tokenizer(texts: list[str], **options: Any) -> dict[str, Any]:
        assert texts == ["你好嗎"]
        return {"input_ids": [[5, 6]], "offset_mapping": [[(0, 1), (1, 3)]]}

    example = Example(("你", "好", "嗎"), ("NOUN", "VERB", "PART"))
    [encoded] = pos.encode([example], tokenizer, settings(POSTask), "zh")
    assert encoded.positions == [0, 1, 1]
    assert pos.targets(encoded) == [pos.LABELS.index("NOUN"), pos.LABELS.index("VERB")]


def test_the_loss_sees_labels_at_their_subwords_only(tokenizer: Any) -> None:
    example = Example(tuple(WORDS[:4]), ("INTJ", "PRON", "ADJ", "NOUN"))
    for label_on in ("first", "last"):
        [encoded] = pos.encode([example], tokenizer, settings(POSTask, label_on=label_on), "qaa")
        assert all(a < b for a, b in pairwise(encoded.positions))
        targets = pos.targets(encoded)
        assert [targets[position] for position in encoded.positions] == encoded.labels
        assert sum(target != -100 for target in targets) == len(encoded.labels)


def test_predictions_are_read_where_the_items_are() -> None:
    import torch

    logits = torch.eye(17)[torch.tensor([[3, 4, 5]])]
    batch = [Encoded([7, 8, 9], [0, 0, 0], [0, 2, LOST])]
    assert pos.predictions(logits, batch) == [[3, 5, LOST]]
    assert xnli.predictions(torch.eye(3)[[2, 0]], batch * 2) == [[2], [0]]


def test_every_task_reads_what_it_says(tmp_path: Path) -> None:
    for task in TASKS.values():
        assert len(set(task.LABELS)) == len(task.LABELS)
        assert set(task.METRICS) <= {"accuracy", "f1", "f1_macro", "f1_xtreme"}
