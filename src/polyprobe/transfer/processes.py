"""One process, or one per GPU as `accelerate launch` starts them: they share each step and hold the same model."""

import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_folder
from polyprobe.running.scratch import temporary_folder
from polyprobe.study import PARAMS, Task


def processes(device: str) -> Any:
    """Return accelerate's state: `num_processes`, `is_main_process`, `device`, `wait_for_everyone()`."""
    import accelerate

    return accelerate.PartialState(cpu=device == "cpu")


def device_of(device: str) -> str:
    """Return this process's own device, where `device` is what one process alone would compute on."""
    state = processes(device)
    return str(state.device) if state.num_processes > 1 else device


def output_folder(path: Path, device: str) -> AbstractContextManager[Path]:
    """Return a context of a temporary folder to fill, which takes the place of `path` as that of `new_folder` does.

    What processes beside the main one write is the same and is thrown away.

    Args:
        path: the output.
        device: what one process alone would compute on.
    """
    state = processes(device)
    return new_folder(path) if state.is_main_process else temporary_folder(f"process-{state.process_index}")


def share_of_a_step(name: str, settings: Task, count: int) -> tuple[int, int]:
    """Return batch size and accumulated batches of one of several processes.

    A step of all of them sees as many examples as a step of one process alone.

    Args:
        name: the task.
        settings: the task's, for one process alone.
        count: the number of processes.

    Raises:
        BadInputError: a step's examples cannot be shared equally.
    """
    shared = math.gcd(settings.gradient_accumulation, count)
    if settings.batch_size * shared % count:
        raise BadInputError(
            f"{PARAMS}: transfer.{name}.batch_size: expected batch_size times gradient_accumulation "
            f"({settings.batch_size} times {settings.gradient_accumulation}) to be shared by {count} processes"
        )
    return settings.batch_size * shared // count, settings.gradient_accumulation // shared
