"""Fine-tuning by several processes, as a machine with several GPUs does it; here on its cores."""

import shutil

import numpy as np
import pytest

from support.tiny_project import Project

pytestmark = pytest.mark.pipeline


@pytest.mark.slow
def test_two_processes_train_the_adapter_that_one_trains(
    finished: Project, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to rounding: the mean over two processes' pairs is taken in another order. One of them writes."""
    from safetensors.numpy import load_file

    monkeypatch.setenv("POLYPROBE_DEVICE", "cpu")
    place = "data/transfer/xnli/step-20"
    shutil.rmtree(project.path / place)
    project.run("torchrun", "--nproc-per-node", "2", "-m", "polyprobe.stages.finetune_xnli", "step-20")
    files = [{file.relative_to(home.path) for file in (home.path / place).rglob("*")} for home in (finished, project)]
    assert files[0] == files[1]
    one, other = (np.loadtxt(home.path / place / "seed-0/loss.tsv", skiprows=1) for home in (finished, project))
    np.testing.assert_allclose(one, other, rtol=1e-3)
    adapters = [load_file(home.path / place / "seed-0/adapter_model.safetensors") for home in (finished, project)]
    trained = [name for name in adapters[0] if "lora_B" in name]
    for name in trained:
        assert abs(adapters[0][name] - adapters[1][name]).max() < 0.5 * abs(adapters[0][name]).max()
    assert trained
    assert [entry.name for entry in (project.path / "data/transfer/xnli").iterdir() if entry.name[0] == "."] == []
    assert project.unfinished() == []
