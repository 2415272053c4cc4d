"""Greedy selection against one masked forward pass per candidate: `python benchmarks/greedy_selection.py`.

On one thread, for 14 and for 2 classes. The baseline is measured on candidates spread over the steps and extrapolated;
at each of those steps its best candidate among them is checked against the selection's order. Ours is measured whole,
compiled and eager. The machine's limit: a plain vectorised loop of exponentials over numbers in the first cache, the
same exponential as in the compiled loop, and torch's.
"""

import argparse
import ctypes
import resource
import time
from collections.abc import Callable
from functools import partial

import torch

from _machine import machine
from polyprobe.probes import Selection, select_greedily
from polyprobe.probes._greedy_kernel import Kernel, library, padded
from polyprobe.running.progress import progress

Problem = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def make_problem(words: int, neurons: int, classes: int) -> Problem:
    """Make up a linear probe and words of which every fourth neuron tells something, correlated with its neighbours.

    Args:
        words: how many.
        neurons: how many.
        classes: how many.

    Returns:
        Weight [class, neuron], bias [class], inputs [word, neuron], labels [word].
    """
    generator = torch.Generator().manual_seed(classes)
    labels = torch.randint(0, classes, (words,), generator=generator)
    labels[:classes] = torch.arange(classes)
    inputs = torch.randn(words, neurons, generator=generator)
    inputs[:, ::4] += 0.5 * torch.randn(classes, len(range(0, neurons, 4)), generator=generator)[labels]
    inputs = inputs + 0.5 * inputs.roll(1, 1)
    centres = torch.stack([inputs[labels == label].mean(0) for label in range(classes)])
    weight = 0.3 * (centres - centres.mean(0)) + 0.1 * torch.randn(classes, neurons, generator=generator)
    return weight, 0.1 * torch.randn(classes, generator=generator), inputs, labels


def masked_passes(problem: Problem, selection: Selection, count: int) -> float:
    """Return the seconds per candidate of one masked forward pass each.

    Args:
        problem: probe and words.
        selection: of k neurons of the problem.
        count: candidates, spread over the steps.

    Raises:
        SystemExit: at one of those steps a candidate is better than the neuron that was selected.
    """
    weight, bias, inputs, labels = problem
    neurons = inputs.shape[1]
    order = selection.neurons.tolist()
    generator = torch.Generator().manual_seed(0)
    steps = torch.linspace(0, len(order) - 1, 10).long().tolist()
    passes, spent = 0, 0.0
    for step in progress(steps, description="one pass per candidate"):
        others = [one for one in torch.randperm(neurons, generator=generator).tolist() if one not in order[: step + 1]]
        losses = {}
        for candidate in [order[step], *others[: count // len(steps)]]:
            start = time.perf_counter()
            mask = torch.zeros(neurons)
            mask[[*order[:step], candidate]] = 1
            losses[candidate] = float(torch.nn.functional.cross_entropy((inputs * mask) @ weight.T + bias, labels))
            spent += time.perf_counter() - start
            passes += 1
        if min(losses, key=lambda one: losses[one]) != order[step]:
            raise SystemExit(f"step {step}: a masked pass finds a better neuron than {order[step]}")
    return spent / passes


def naive(problem: Problem, k: int) -> list[int]:
    """Pick neurons by one masked pass per candidate, for small problems.

    Args:
        problem: probe and words.
        k: how many.

    Returns:
        The neurons in the order in which they are picked.
    """
    weight, bias, inputs, labels = problem
    chosen: list[int] = []
    for _ in range(k):
        losses = torch.full((inputs.shape[1],), torch.inf)
        for candidate in range(inputs.shape[1]):
            if candidate not in chosen:
                mask = torch.zeros(inputs.shape[1])
                mask[[*chosen, candidate]] = 1
                losses[candidate] = torch.nn.functional.cross_entropy((inputs * mask) @ weight.T + bias, labels)
        chosen.append(int(losses.argmin()))
    return chosen


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the least time of some calls, in seconds.

    Args:
        work: what is called.
        repeats: how many times.
    """
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def exponentials_per_second(problem: Problem) -> tuple[float, float, float] | None:
    """Measure exponentials per second, in billions.

    Returns:
        Of the compiled loop over all candidates, of the plain compiled loop, and of torch.exp; None where there is no
        compiled code.
    """
    built = library()
    if built is None:
        return None
    weight, bias, inputs, labels = problem
    words, neurons = inputs.shape
    by_neuron = torch.zeros(neurons, padded(words))
    by_neuron[:, :words] = inputs.T
    kernel = Kernel.of(built, weight, by_neuron.abs().amax(1), int(labels.bincount().argmax()))
    base = kernel.base(bias.double()[:, None].repeat(1, words))
    everything = torch.arange(neurons)
    ours = seconds(lambda: kernel.sums(base, everything, by_neuron, everything), 5)
    numbers = torch.randn(4096)
    count = [ctypes.c_void_p(numbers.data_ptr()), ctypes.c_int64(4096), ctypes.c_int64(4000)]
    plain = seconds(lambda: built.polyprobe_exponentials(*count), 5)
    buffer = torch.empty(4096)
    by_torch = seconds(lambda: [torch.exp(numbers, out=buffer) for _ in range(4000)], 5)
    done = (len(weight) - 1) * padded(words) * neurons
    return done / ours / 1e9, 4096 * 4000 / plain / 1e9, 4096 * 4000 / by_torch / 1e9


def main() -> None:
    """Measure and print the ratios.

    Raises:
        SystemExit: the ways do not find the same neurons.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("words", 10_000), ("neurons", 1024), ("k", 50), ("candidates", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--classes", type=int, nargs="+", default=[14, 2])
    size = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    for classes in size.classes:
        small = make_problem(500, 40, classes)
        if select_greedily(*small, 6, compiled=True).neurons.tolist() != naive(small, 6):
            raise SystemExit("not the same neurons as one masked pass per candidate")
        problem = make_problem(size.words, size.neurons, classes)
        if library() is not None:
            select_greedily(*problem, 1, compiled=True)
        ways = {"compiled": True, "eager": False} if library() is not None else {"eager": False}
        found = {name: select_greedily(*problem, size.k, compiled=way) for name, way in ways.items()}
        if len({tuple(selection.neurons.tolist()) for selection in found.values()}) > 1:
            raise SystemExit("compiled and eager selection differ")
        times = {
            name: seconds(partial(select_greedily, *problem, size.k, compiled=way), 3) for name, way in ways.items()
        }
        each = masked_passes(problem, found["eager"], size.candidates)
        passes = sum(size.neurons - step for step in range(size.k))
        print(f"\n{size.words} words, {size.neurons} neurons, {classes} classes, {size.k} picked, one thread")
        print(f"one masked pass per candidate: {each * 1e3:.1f} ms each, {each * passes:.0f} s for {passes}")
        for name, time_of in times.items():
            print(f"select_greedily, {name}: {time_of:.2f} s; ratio: {each * passes / time_of:.0f}")
        if rates := exponentials_per_second(problem):
            ours, plain, by_torch = rates
            print(
                f"exponentials per second, all candidates tried: {ours:.2f}e9, {ours / plain:.0%} of a plain loop's "
                f"{plain:.2f}e9, {ours / by_torch:.0%} of torch.exp's {by_torch:.2f}e9"
            )
    print(f"\nlargest memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
