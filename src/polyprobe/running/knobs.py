"""Throughput knobs: how fast a stage runs, never what it computes. They are no DVC parameters.

They come from `config/local.yaml` (ignored by git), and the environment overrides it: POLYPROBE_WORKERS,
POLYPROBE_DEVICE, POLYPROBE_BATCH_TOKENS, POLYPROBE_THREADS, POLYPROBE_MIRROR.
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path

from polyprobe.running.errors import BadInputError


@dataclass(frozen=True)
class Knobs:
    """How fast to run."""

    workers: int
    """Processes that share a stage's independent work."""
    threads: int
    """Threads of one process's tensor operations."""
    device: str
    """A torch device: cpu, cuda, cuda:1, or auto (the GPU where there is one)."""
    batch_tokens: int
    """Sub-words of one forward pass, padding included. A CPU is as fast with 1024, which leave it less padding where
    there are few sentences."""
    mirror: str
    """The base URL under which a download from `https://HOST/PATH` is found as `HOST/PATH`; empty for none."""

    def torch_device(self) -> str:
        """Return the device with `auto` resolved.

        Raises:
            BadInputError: torch knows no such device, or this machine has no such GPU.
        """
        import torch

        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(self.device)
        except RuntimeError:
            raise BadInputError(f"device: expected cpu, cuda, cuda:1 or auto, got {self.device!r}") from None
        gpus = torch.cuda.device_count()
        if device.type == "cuda" and (device.index or 0) >= gpus:
            raise BadInputError(
                f"device: {self.device!r} is asked for (POLYPROBE_DEVICE or config/local.yaml), but torch "
                f"{torch.__version__} finds {gpus or 'no'} GPU here; expected auto or cpu"
            )
        return self.device


def knobs(path: Path = Path("config/local.yaml")) -> Knobs:
    """Return the knobs of this machine.

    Raises:
        BadInputError: the file does not hold names and values, or a knob is unknown, of the wrong type or not positive.
    """
    import yaml

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    values: dict[str, int | str] = {
        "workers": cores,
        "threads": cores,
        "device": "auto",
        "batch_tokens": 8192,
        "mirror": "",
    }
    given = yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}
    if not isinstance(given, dict):
        raise BadInputError(f"{path}: expected knobs as `name: value`")
    given |= {name: text for name in values if (text := os.environ.get(f"POLYPROBE_{name.upper()}"))}
    for name, value in given.items():
        if name not in values:
            raise BadInputError(f"{path}: {name}: unknown knob, expected one of {', '.join(values)}")
        try:
            values[name] = type(values[name])(value)
        except (TypeError, ValueError):
            raise BadInputError(f"{path}: {name}: expected {type(values[name]).__name__}, got {value!r}") from None
        if (values[name] == "" and name != "mirror") or (isinstance(values[name], int) and int(values[name]) < 1):
            raise BadInputError(f"{path}: {name}: expected a positive value, got {value!r}")
    return Knobs(**{field.name: values[field.name] for field in fields(Knobs)})  # type: ignore[arg-type]
