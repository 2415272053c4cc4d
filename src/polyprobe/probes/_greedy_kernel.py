"""The compiled inner loop of greedy selection, where a C++ compiler is there."""

import ctypes
import math
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_LANES: Final = 16
_ROUND: Final = 64
"""Words are padded to a multiple of this."""
_TILE_BYTES: Final = 24 * 2**10
"""Of a tile's bases: half of a first-level cache."""
LARGEST: Final = 120.0
"""Exponents to base 2 above this overflow."""
_LARGEST_GROUPED: Final = 24.0
"""Up to here a product of four sums over up to 64 classes is finite."""


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled functions; None without a compiler or where what it makes cannot be loaded.

    It takes a quarter of a second, once per process, and leaves no file.
    """
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return None
    source = Path(__file__).with_name("greedy_kernel.cpp")
    with tempfile.TemporaryDirectory(prefix="polyprobe-") as folder:
        built = Path(folder) / "greedy_kernel.so"
        for machine in (["-march=native"], ["-mcpu=native"], []):
            command = [compiler, "-O3", *machine, "-std=c++17", "-shared", "-fPIC", "-o", str(built), str(source)]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                try:
                    return ctypes.CDLL(str(built))
                except OSError:
                    return None
    return None


def padded(words: int) -> int:
    """Return the number of words with the padding that the kernel needs."""
    return -(-words // _ROUND) * _ROUND


@dataclass(frozen=True)
class Kernel:
    """The kernel for one selection: sums over words of log-sum-exp, for any candidates."""

    compiled: ctypes.CDLL
    steps: Float[Tensor, "neuron other_class"]
    """Weights of the other classes minus those of the reference class, in bits."""
    reach: Float[Tensor, " neuron"]
    """The furthest that a neuron moves a logit, in bits."""
    reference: int

    @staticmethod
    def of(
        compiled: ctypes.CDLL, weight: Float[Tensor, "class neuron"], largest: Float[Tensor, " neuron"], reference: int
    ) -> "Kernel":
        """Prepare what does not change from step to step.

        Args:
            compiled: from `library`.
            weight: the probe's weights.
            largest: each neuron's largest magnitude.
            reference: the class that the others' logits are taken against.
        """
        others = torch.arange(len(weight)) != reference
        steps = ((weight[others] - weight[reference]).double() / math.log(2)).T.float().contiguous()
        return Kernel(compiled, steps, largest.float() * steps.abs().amax(1), reference)

    def base(self, logits: Float[Tensor, "class word"]) -> Float[Tensor, "other_class padded_word"]:
        """Return the logits against the reference class, in bits, with padding behind the last word.

        There every power of two vanishes beside 1.
        """
        classes, words = logits.shape
        others = torch.arange(classes) != self.reference
        base = torch.full((classes - 1, padded(words)), -126.0)
        base[:, :words] = (logits[others] - logits[self.reference]) / math.log(2)
        return base

    def serves(self, base: Float[Tensor, "other_class padded_word"]) -> Bool[Tensor, " neuron"]:
        """Return which neurons move no logit beyond what a float32 exponent holds."""
        return base.amax() + self.reach <= LARGEST

    def sums(
        self,
        base: Float[Tensor, "other_class padded_word"],
        candidates: Int[Tensor, " candidate"],
        inputs: Float[Tensor, "row padded_word"],
        rows: Int[Tensor, " candidate"],
    ) -> Float[Tensor, " candidate"]:
        """Return the log-sum-exp of each candidate's logits minus the reference class's, summed over words, in nats.

        Args:
            base: see `base`.
            candidates: neurons that it serves.
            inputs: float32, by neuron, 0 in the padding.
            rows: each candidate's row of `inputs`.
        """
        grouped = (base.amax() + self.reach[candidates] <= _LARGEST_GROUPED).to(torch.uint8)
        mantissas = torch.empty(len(candidates), _LANES)
        exponents = torch.empty(len(candidates), _LANES, dtype=torch.int32)
        classes, words = base.shape
        tile = max(_ROUND, min(4096, _TILE_BYTES // (4 * classes) // _ROUND * _ROUND))
        arrays = [tensor.contiguous() for tensor in (candidates, rows, grouped)]
        self.compiled.polyprobe_products(
            *map(_pointer, (base, self.steps, inputs)),
            *map(ctypes.c_int64, (classes, words, tile)),
            *map(_pointer, arrays),
            ctypes.c_int64(len(candidates)),
            *map(_pointer, (mantissas, exponents)),
        )
        return (mantissas.double().log2() + exponents).sum(1) * math.log(2)


def _pointer(tensor: Tensor) -> Any:
    return ctypes.c_void_p(tensor.data_ptr())
