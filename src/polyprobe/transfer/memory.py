"""What happens when a machine's memory does not suffice: half the batch, once, then a clear error."""

from collections.abc import Callable
from typing import TypeVar

from accelerate.utils.memory import clear_device_cache

from polyprobe.running.errors import BadInputError
from polyprobe.running.machine import out_of_memory
from polyprobe.study import PARAMS, Task

Result = TypeVar("Result")


def with_half_the_batch(name: str, settings: Task, attempt: Callable[[Task], Result], *, alone: bool = True) -> Result:
    """Return what `attempt` returns for these settings or, where memory runs out, for half the batch.

    Halves are accumulated twice as often, so that a step sees the same examples.

    Args:
        name: the task.
        settings: the task's.
        attempt: to be called anew, with other settings: it keeps no tensors when it fails.
        alone: whether this is the only process; others would wait for the first attempt to end.

    Raises:
        BadInputError: memory ran out at half the batch too, or it was not tried because the batch has no half or there
            are several processes.
    """
    attempts = [settings]
    if alone and settings.batch_size % 2 == 0:
        half, twice = settings.batch_size // 2, settings.gradient_accumulation * 2
        attempts.append(settings.model_copy(update={"batch_size": half, "gradient_accumulation": twice}))
    for tried in attempts:
        try:
            return attempt(tried)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        # Only here, outside of `except`, has the failed attempt let its tensors go.
        clear_device_cache(garbage_collection=True)
    sizes = " and with ".join(str(tried.batch_size) for tried in attempts)
    raise BadInputError(
        f"{PARAMS}: transfer.{name}.batch_size: out of memory with {sizes}; expected a smaller one, with more "
        "gradient_accumulation in return"
    )
