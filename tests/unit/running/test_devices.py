"""A device that is asked for and not there."""

import dataclasses
from pathlib import Path

import pytest
import torch

from polyprobe.running.errors import BadInputError
from polyprobe.running.knobs import knobs


@pytest.mark.parametrize(
    ("gpus", "device", "message"),
    [
        (0, "cuda", "'cuda' is asked for .* finds no GPU here; expected auto or cpu"),
        (0, "cuda:0", "'cuda:0' is asked for"),
        (1, "cuda:1", "'cuda:1' is asked for .* finds 1 GPU here"),
        (0, "gpu", "expected cpu, cuda, cuda:1 or auto, got 'gpu'"),
    ],
)
def test_a_device_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpus: int, device: str, message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv("POLYPROBE_DEVICE", device)
    with pytest.raises(BadInputError, match=message) as caught:
        knobs(tmp_path / "none.yaml").torch_device()
    assert "\n" not in str(caught.value)


def test_devices_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    given = knobs(tmp_path / "none.yaml")
    for device in ("cpu", "cuda", "cuda:1"):
        assert dataclasses.replace(given, device=device).torch_device() == device
