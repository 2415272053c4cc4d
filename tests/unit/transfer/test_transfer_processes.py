"""Several processes share a step's examples: as many as one process would see."""

import pytest

from polyprobe.running.errors import BadInputError
from polyprobe.study import Task
from polyprobe.transfer.processes import share_of_a_step
from support import sections


def settings(batch_size: int, accumulation: int) -> Task:
    return sections.task(
        folder="pos", languages=["qaa"], epochs=1, learning_rate=1e-3, batch_size=batch_size,
        gradient_accumulation=accumulation, evaluate_every=10,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize(("batch_size", "accumulation"), [(8, 4), (32, 1), (1, 32), (4, 8)])
def test_a_step_sees_as_many_examples_as_ever(batch_size: int, accumulation: int, count: int) -> None:
    size, times = share_of_a_step("pos", settings(batch_size, accumulation), count)
    assert size * times * count == batch_size * accumulation
    assert size <= batch_size


def test_fewer_batches_come_before_smaller_ones() -> None:
    assert share_of_a_step("pos", settings(8, 4), 2) == (8, 2)
    assert share_of_a_step("pos", settings(8, 4), 8) == (4, 1)
    assert share_of_a_step("pos", settings(6, 3), 3) == (6, 1)


@pytest.mark.parametrize(("batch_size", "accumulation", "count"), [(8, 4, 3), (8, 1, 16), (1, 1, 2)])
def test_what_cannot_be_shared_is_named(batch_size: int, accumulation: int, count: int) -> None:
    with pytest.raises(BadInputError, match=rf"transfer.pos.batch_size: .*to be shared by {count} processes"):
        share_of_a_step("pos", settings(batch_size, accumulation), count)
