"""What a process may take of the machine: cores, threads that compute, and memory that does not suffice."""

import os


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Set the number of threads of this process's tensor operations; to be called before the first of them.

    The vector maths under torch (MKL's) finds out what the processor can do in its first call. Two threads that make
    that call at once may take different paths and round differently, once in some ten runs; so one thread makes it.
    """
    import torch

    torch.set_num_threads(1)
    for dtype in (torch.float32, torch.float64):
        numbers = torch.full((64,), 0.5, dtype=dtype)
        for function in (torch.sqrt, torch.exp, torch.log, torch.tanh, torch.erf, torch.sin, torch.cos):
            function(numbers)
    torch.set_num_threads(count)


def out_of_memory(error: Exception) -> bool:
    """Return whether an error says that the memory of a GPU or of the machine did not suffice."""
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or bool(should_reduce_batch_size(error))
