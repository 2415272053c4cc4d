"""Greedy selection against one masked forward pass per candidate: `python benchmarks/greedy_selection.py`.

Both pick the same neurons on one thread; the last line is the ratio of their times, measured in this run.
"""

import argparse
import time

import torch

from polyprobe.probes import select_greedily
from polyprobe.running import progress


def naive(weight: torch.Tensor, bias: torch.Tensor, inputs: torch.Tensor, labels: torch.Tensor, k: int) -> list[int]:
    """One masked forward pass per candidate and step."""
    chosen: list[int] = []
    for _ in progress(range(k), description="one pass per candidate"):
        losses = torch.full((inputs.shape[1],), torch.inf)
        for candidate in range(inputs.shape[1]):
            if candidate not in chosen:
                mask = torch.zeros(inputs.shape[1])
                mask[[*chosen, candidate]] = 1
                losses[candidate] = torch.nn.functional.cross_entropy((inputs * mask) @ weight.T + bias, labels)
        chosen.append(int(losses.argmin()))
    return chosen


def main() -> None:
    """Measures both and prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("words", 2000), ("neurons", 1024), ("classes", 5), ("k", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    size = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, size.classes, (size.words,), generator=generator)
    inputs = torch.randn(size.words, size.neurons, generator=generator)
    inputs += torch.randn(size.classes, size.neurons, generator=generator)[labels]
    weight = 0.3 * torch.randn(size.classes, size.neurons, generator=generator)
    problem = weight, torch.zeros(size.classes), inputs, labels, size.k
    select_greedily(*problem[:4], 1)
    start = time.perf_counter()
    ours = select_greedily(*problem).neurons.tolist()
    middle = time.perf_counter()
    theirs = naive(*problem)
    end = time.perf_counter()
    if ours != theirs:
        raise SystemExit(f"not the same neurons: {ours} and {theirs}")
    print(f"{size.words} words, {size.neurons} neurons, {size.classes} classes, {size.k} picked, one thread")
    print(f"one masked pass per candidate: {(end - middle) / size.k:.3f} s per neuron picked")
    print(f"select_greedily: {(middle - start) / size.k:.3f} s per neuron picked")
    print(f"ratio: {(end - middle) / (middle - start):.1f}")


if __name__ == "__main__":
    main()
