"""Whether memory did not suffice."""


def out_of_memory(error: Exception) -> bool:
    """Return whether an error says that the memory of a GPU or of the machine did not suffice."""
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or bool(should_reduce_batch_size(error))
