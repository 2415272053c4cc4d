"""The GPU, as torch and bitsandbytes see it."""

import ctypes
import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, warning
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.knobs import knobs

_DRIVER: Final = Path("/proc/driver/nvidia/version")


def check(asked: Asked) -> Iterator[Finding]:
    """torch and the device that it is to use, then the native library of bitsandbytes for it."""
    import torch

    driver = _DRIVER.exists() or shutil.which("nvidia-smi") is not None
    yield from _gpu(torch.cuda.is_available(), str(torch.__version__), torch.version.cuda, driver)
    try:
        device = knobs().torch_device()
        yield ok("device", f"stages compute on {device}")
    except BadInputError as error:
        yield fault("device", one_line(error), "set POLYPROBE_DEVICE or config/local.yaml to auto or cpu")
    yield _bitsandbytes(torch.version.cuda if torch.cuda.is_available() else None)


def _gpu(available: bool, version: str, cuda: str | None, driver: bool) -> Iterator[Finding]:
    if available:
        import torch

        for number in range(torch.cuda.device_count()):
            one = torch.cuda.get_device_properties(number)
            yield ok(f"GPU {number}", f"{one.name}, {one.total_memory / 2**30:.0f} GiB, torch {version}")
    elif not driver:
        yield ok("GPU", f"none here; torch {version} computes on the CPU")
    elif cuda is None:
        yield warning(
            "GPU",
            f"there is a driver of NVIDIA, but torch {version} is a build for the CPU",
            "install the build for CUDA: `pip install -r requirements-torch.txt` from PyPI",
        )
    else:
        yield fault(
            "GPU",
            f"there is a driver of NVIDIA, but torch {version} finds no GPU by CUDA {cuda}",
            "see `nvidia-smi`: the driver may be too old, or CUDA_VISIBLE_DEVICES empty",
        )


def _bitsandbytes(cuda: str | None) -> Finding:
    """Its native library is loaded by itself: the package takes seconds to import."""
    subject = "bitsandbytes"
    spec = importlib.util.find_spec(subject)
    if spec is None or not spec.submodule_search_locations:
        return fault(subject, "not installed, which fine-tuning needs", "`make install`")
    folder = Path(spec.submodule_search_locations[0])
    library = native_library(folder, cuda)
    if library is None:
        return fault(
            subject,
            f"it has no native library for {f'CUDA {cuda}' if cuda else 'the CPU'}",
            "install one that has (`make install`), or torch for a CUDA that it has",
        )
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return fault(subject, f"{library.name} cannot be loaded: {one_line(error)}", "`make install`")
    return ok(subject, f"{library.name} loads")


def native_library(folder: Path, cuda: str | None) -> Path | None:
    """The library that bitsandbytes takes: of the same CUDA, else the highest below it or the lowest above it of the
    same major version.

    Args:
        folder: where it is installed.
        cuda: torch's version of CUDA; None for the CPU.
    """
    if cuda is None:
        return next((file for file in sorted(folder.glob("libbitsandbytes_cpu.*"))), None)
    major, minor = (int(part) for part in cuda.split(".")[:2])
    found: dict[int, Path] = {}
    for file in sorted(folder.glob("libbitsandbytes_cuda*")):
        if (told := re.match(r"libbitsandbytes_cuda(\d{2})(\d+)\.", file.name)) and int(told[1]) == major:
            found[int(told[2])] = file
    below = [one for one in found if one <= minor]
    chosen = max(below) if below else min(found, default=None)
    return None if chosen is None else found[chosen]
