"""Where memory does not suffice, half the batch is tried once; then one line says which key to change."""

import pytest
import torch

from polyprobe.running.errors import BadInputError
from polyprobe.study import Task
from polyprobe.transfer.memory import with_half_the_batch
from support import sections

SETTINGS = sections.task(
    folder="xnli", languages=["qaa"], epochs=1, learning_rate=1e-3, batch_size=8, gradient_accumulation=4,
    evaluate_every=10,
)  # fmt: skip
GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
MACHINE = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


def tried(settings: Task, largest: int, error: Exception) -> list[tuple[int, int]]:
    """The batch sizes and accumulations that were tried on a machine whose memory takes `largest` examples."""
    seen = []

    def attempt(settings: Task) -> list[tuple[int, int]]:
        seen.append((settings.batch_size, settings.gradient_accumulation))
        if settings.batch_size > largest:
            raise error
        return seen

    return with_half_the_batch("xnli", settings, attempt)


@pytest.mark.parametrize("error", [GPU, MACHINE], ids=["gpu", "machine"])
def test_half_the_batch_is_accumulated_twice_as_often(error: Exception) -> None:
    assert tried(SETTINGS, 8, error) == [(8, 4)]
    assert tried(SETTINGS, 4, error) == [(8, 4), (4, 8)]


@pytest.mark.parametrize(("size", "tries"), [(8, "8 and with 4"), (5, "5"), (1, "1")])
def test_then_the_key_is_named(size: int, tries: str) -> None:
    settings = SETTINGS.model_copy(update={"batch_size": size})
    with pytest.raises(BadInputError, match=rf"^params.yaml: transfer.xnli.batch_size: out of memory with {tries};"):
        tried(settings, 0, GPU)


def test_processes_that_others_wait_for_try_once() -> None:
    def attempt(settings: Task) -> None:
        assert settings == SETTINGS
        raise GPU

    with pytest.raises(BadInputError, match="out of memory with 8;"):
        with_half_the_batch("xnli", SETTINGS, attempt, alone=False)


def test_other_errors_are_not_about_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        tried(SETTINGS, 0, RuntimeError("shapes do not match"))
