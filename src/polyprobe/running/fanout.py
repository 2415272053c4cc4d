"""Independent work over processes, one thread each; results in the order of the items."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from polyprobe.running.machine import use_threads
from polyprobe.running.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def fan_out(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    description: str,
    tensors: bool = True,
) -> Iterator[Result]:
    """Apply a function to each item, and yield the results in the items' order.

    With one worker everything runs in this process. The result never depends on the number of workers: every worker
    computes with one thread.

    Args:
        function: one of a module, or a partial of one, so that it can be sent to other processes.
        items: what it is applied to.
        workers: the number of processes.
        description: the text before the progress bar.
        tensors: whether the work needs tensors; work without them is spared the import of torch.
    """
    prepare = partial(use_threads, 1) if tensors else None
    if workers <= 1 or len(items) <= 1:
        if prepare:
            prepare()
        yield from map(function, progress(items, description=description))
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(workers, len(items)), get_context("spawn"), initializer=prepare) as pool:
        try:
            yield from progress(pool.map(function, items), description=description, total=len(items))
        except BaseException:
            # Waits for what is being computed: it may write into a folder that the caller is about to remove.
            pool.shutdown(wait=True, cancel_futures=True)
            raise
