"""How many threads compute, and the same bits from the first operation on."""


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
