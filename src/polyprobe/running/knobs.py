"""Throughput knobs: how fast a stage runs, never what it computes. They are no DVC parameters.

They come from `config/local.yaml` (ignored by git), and the environment overrides it: POLYPROBE_WORKERS,
POLYPROBE_DEVICE, POLYPROBE_BATCH_TOKENS, POLYPROBE_THREADS, POLYPROBE_MIRROR.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.machine import cores


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
    values: dict[str, Any] = {
        "workers": cores(),
        "threads": cores(),
        "device": "auto",
        "batch_tokens": 8192,
        "mirror": "",
    }
    for name, value in _of_file(path).items():
        if name not in values:
            raise BadInputError(f"{path}: {name}: unknown knob, expected one of {', '.join(values)}")
        values[name] = _checked(f"{path}: {name}", value, values[name])
    for name, value in values.items():
        variable = f"POLYPROBE_{name.upper()}"
        if text := os.environ.get(variable):
            given = int(text) if isinstance(value, int) and text.isdecimal() else text
            values[name] = _checked(variable, given, value)
    return Knobs(**values)


def _of_file(path: Path) -> dict[str, Any]:
    """Return what a file says of knobs; nothing where there is none.

    Raises:
        BadInputError: it is no YAML, or does not hold names and values.
    """
    import yaml

    if not path.exists():
        return {}
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: no valid YAML: {one_line(error)}") from None
    if not isinstance(given, dict):
        raise BadInputError(f"{path}: expected knobs as `name: value`")
    return given


def _checked(where: str, given: Any, default: int | str) -> Any:
    """Return a knob's value.

    Args:
        where: what an error begins with.
        given: the value.
        default: of the same type.

    Raises:
        BadInputError: it is of another type, or not positive.
    """
    # Not isinstance: to Python, yes and no are integers.
    if type(given) is not type(default):
        raise BadInputError(f"{where}: expected {type(default).__name__}, got {given!r}")
    if isinstance(given, int) and given < 1:
        raise BadInputError(f"{where}: expected a positive value, got {given!r}")
    return given
