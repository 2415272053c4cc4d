"""QLoRA end to end on a tiny BLOOM: a planted problem is learned, killed runs go on, files hold what was scored."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polyprobe.artefacts import confusion, scores
from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.location import locate
from polyprobe.running.errors import BadInputError
from polyprobe.study import POSTask, Task
from polyprobe.transfer import TASKS
from polyprobe.transfer.fine_tuning import Predicted, _Run, fine_tune, load_fine_tuned
from support import sections
from support.tiny_bloom import tiny_bloom

WORDS = {"NOUN": ["mola", "kito", "benu"], "VERB": ["sara", "tipe"], "ADJ": ["vone", "garu"], "PUNCT": ["."]}
SIGNS = {"entailment": "yes", "neutral": "maybe", "contradiction": "never"}
LANGUAGES = ["qaa", "qab"]
KINDS: dict[str, type[Task]] = {"xnli": Task, "pos": POSTask}


@dataclasses.dataclass(frozen=True)
class Planted:
    """A checkpoint, and tasks whose labels hang on single words."""

    manifest: Manifest
    data: Path

    def fine_tune(self, task: str, output: Path, **changes: Any) -> Path:
        values: dict[str, Any] = {
            "languages": LANGUAGES, "epochs": 3, "learning_rate": 1e-2, "batch_size": 16,
            "max_length": 32, "evaluate_every": 10, "max_train": 120,
        } | changes  # fmt: skip
        seeds = values.pop("seeds", 1)
        fine_tune(
            task, self.manifest, sections.task(KINDS[task], **values), sections.lora(),
            weights=Path(str(self.manifest.folder)), source="qaa", seed=0, seeds=seeds, data=self.data / task,
            output=output,
        )  # fmt: skip
        return output


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    generator = random.Random(0)
    words = [word for group in WORDS.values() for word in group if word != "."]
    texts = []
    for name, size in (("train-qaa", 160), ("dev-qaa", 40), ("test-qaa", 45), ("test-qab", 45)):
        pairs, sentences = [], []
        for number in range(size):
            label = list(SIGNS)[number % 3]
            premise, hypothesis = (" ".join(generator.choices(words, k=generator.randint(2, 5))) for _ in range(2))
            pairs.append(f"{premise}.\t{hypothesis} {SIGNS[label]}.\t{label}\n")
            texts.append(pairs[-1].replace("\t", " "))
            tags = [*generator.choices(["NOUN", "NOUN", "VERB", "ADJ"], k=generator.randint(2, 6)), "PUNCT"]
            sentences.append("".join(f"{generator.choice(WORDS[tag])}\t{tag}\n" for tag in tags))
        for task, content in (("xnli", "".join(pairs)), ("pos", "\n".join(sentences))):
            (folder / task).mkdir(exist_ok=True)
            (folder / task / f"{name}.tsv").write_text(content, encoding="utf-8")
    return Planted(tiny_bloom(folder / "weights", texts), folder)


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYPROBE_THREADS", "1")
    monkeypatch.setenv("POLYPROBE_DEVICE", "cpu")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("task", [pytest.param("xnli", marks=pytest.mark.slow), "pos"])
def test_a_planted_problem_is_learned_the_same_way_twice(planted: Planted, task: str, tmp_path: Path) -> None:
    output = planted.fine_tune(task, tmp_path / "first")
    frame = scores.TABLE.read(output / scores.TABLE.path.name)
    assert list(zip(frame.language, frame.metric, strict=True)) == [
        (language, metric) for language in LANGUAGES for metric in TASKS[task].METRICS
    ]
    main = frame[frame.metric == scores.MAIN_METRIC[task]]
    assert (main.score > 0.95).all()
    assert (main.score > main.majority + 3 * main.standard_error).all()
    assert (main.score > main.untrained + 3 * main.standard_error).all()
    assert set(contents(output)) == {
        "scores.parquet", "confusion.parquet", "seed-0/adapter_config.json", "seed-0/adapter_model.safetensors",
        "seed-0/loss.tsv", "seed-0/dev_score.tsv",
    }  # fmt: skip
    assert contents(planted.fine_tune(task, tmp_path / "second")) == contents(output)
    assert not list(Path(".scratch").iterdir())


def test_baselines_are_what_they_say(planted: Planted, tmp_path: Path) -> None:
    """No training step of any size: what is trained scores as what is untrained."""
    output = planted.fine_tune("xnli", tmp_path / "out", learning_rate=1e-30, epochs=1)
    frame = scores.TABLE.read(output / scores.TABLE.path.name)
    assert (frame.score == frame.untrained).all()
    accuracy = frame[frame.metric == "accuracy"]
    assert accuracy.majority.tolist() == [pytest.approx(1 / 3)] * 2
    assert frame["items"].tolist() == [45] * 4


class KilledError(Exception):
    pass


@pytest.mark.parametrize("at", [pytest.param(10, marks=pytest.mark.slow), 20])
def test_a_killed_run_goes_on_to_the_same_bytes(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Killed after a save in the second or third epoch (8 steps each), with an unfinished save lying about."""
    options = {"gradient_accumulation": 1, "learning_rate": 2e-3}
    unbroken = planted.fine_tune("pos", tmp_path / "unbroken", **options)
    from polyprobe.transfer.training import _Trainer

    save = _Trainer._save_checkpoint

    def save_and_die(self: Any, *arguments: Any) -> None:
        save(self, *arguments)
        if self.state.global_step == at:
            raise KilledError

    monkeypatch.setattr(_Trainer, "_save_checkpoint", save_and_die)
    with pytest.raises(KilledError):
        planted.fine_tune("pos", tmp_path / "killed", **options)
    assert not (tmp_path / "killed").exists()
    [scratch] = Path(".scratch").glob("*/seed-0")
    (scratch / "checkpoint-21").mkdir()
    monkeypatch.setattr(_Trainer, "_save_checkpoint", save)
    evaluated = []
    evaluate = _Trainer.evaluate

    def evaluate_and_tell(self: Any, **options: Any) -> Any:
        evaluated.append(self.state.global_step)
        return evaluate(self, **options)

    monkeypatch.setattr(_Trainer, "evaluate", evaluate_and_tell)
    assert contents(planted.fine_tune("pos", tmp_path / "killed", **options)) == contents(unbroken)
    assert evaluated == [step for step in (10, 20, 24) if step > at]


@pytest.mark.slow
def test_a_run_killed_while_it_tests_trains_nothing_again(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two adapters; the best step is not the last one."""
    options = {"seeds": 2, "epochs": 1, "evaluate_every": 2}
    unbroken = planted.fine_tune("pos", tmp_path / "unbroken", **options)
    assert (scores.TABLE.read(unbroken / scores.TABLE.path.name).best_step < 8).any()
    from polyprobe.transfer.training import _Trainer

    test, step, tested, trained = _Run._test, _Trainer.training_step, [], []

    def die_at_the_end(self: Any, model: Any, description: str) -> Any:
        tested.append(description)
        if tested == ["untrained", "fine-tuned"] * 2:
            raise KilledError
        return test(self, model, description)

    def train_and_tell(self: Any, *arguments: Any) -> Any:
        trained.append(self.state.global_step)
        return step(self, *arguments)

    monkeypatch.setattr(_Run, "_test", die_at_the_end)
    with pytest.raises(KilledError):
        planted.fine_tune("pos", tmp_path / "killed", **options)
    monkeypatch.setattr(_Run, "_test", test)
    monkeypatch.setattr(_Trainer, "training_step", train_and_tell)
    assert contents(planted.fine_tune("pos", tmp_path / "killed", **options)) == contents(unbroken)
    assert trained == []
    assert not list(Path(".scratch").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_process_is_gone_on_with(planted: Planted, tmp_path: Path, number: signal.Signals) -> None:
    options = {"evaluate_every": 3, "learning_rate": 2e-3}
    unbroken = planted.fine_tune("pos", tmp_path / "unbroken", **options)
    script = (
        "from test_transfer_fine_tuning import *\n"
        f"planted = Planted(Manifest(**{dataclasses.asdict(planted.manifest)!r}), Path({str(planted.data)!r}))\n"
        f"planted.fine_tune('pos', Path('stopped'), **{options!r})\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as process:
        while not any(Path(".scratch").glob("*/seed-0/checkpoint-6/trainer_state.json")):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
    assert process.returncode == -number
    assert not Path("stopped").exists()
    assert contents(planted.fine_tune("pos", tmp_path / "stopped", **options)) == contents(unbroken)
    assert not list(Path(".scratch").iterdir())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".scratch", "stopped", "unbroken"]


@pytest.mark.slow
def test_half_the_batch_where_memory_does_not_suffice(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory runs out after a save; the halved run begins anew or goes on, and a step sees the same pairs."""
    from polyprobe.transfer.training import _Trainer

    options = {"epochs": 1, "evaluate_every": 2, "learning_rate": 2e-3}
    step, sizes = _Trainer.training_step, []

    def little_memory(self: Any, model: Any, inputs: Any, *arguments: Any) -> Any:
        sizes.append(len(inputs["labels"]))
        if sizes[-1] > 8 and self.state.global_step > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return step(self, model, inputs, *arguments)

    monkeypatch.setattr(_Trainer, "training_step", little_memory)
    output = planted.fine_tune("xnli", tmp_path / "halved", **options)
    assert sizes[:4] == [16] * 4
    assert sizes[4:] == [8] * 11, "steps 3 to 8; the last one has 8 pairs"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    whole = planted.fine_tune("xnli", tmp_path / "whole", **options)
    losses, expected = (np.loadtxt(folder / "seed-0/loss.tsv", skiprows=1) for folder in (output, whole))
    np.testing.assert_allclose(losses, expected, rtol=0.02)


def test_the_training_curves_are_trainers(planted: Planted, tmp_path: Path) -> None:
    output = planted.fine_tune("xnli", tmp_path / "out", evaluate_every=7)
    losses = np.loadtxt(output / "seed-0/loss.tsv", skiprows=1)
    assert losses[:, 0].tolist() == [*range(1, 25)]
    assert losses[0, 1] == pytest.approx(np.log(3), abs=0.3), "an untrained head"
    assert losses[-8:, 1].mean() < losses[:8, 1].mean() / 2
    dev = np.loadtxt(output / "seed-0/dev_score.tsv", skiprows=1)
    assert dev[:, 0].tolist() == [7, 14, 21, 24]
    best = scores.TABLE.read(output / scores.TABLE.path.name).best_step[0]
    assert dev[dev[:, 0] == best, 1] == dev[:, 1].max()


def test_memory_that_runs_out_in_a_test_names_its_knob(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*arguments: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("polyprobe.transfer.fine_tuning.predict", no_memory)
    with pytest.raises(
        BadInputError, match=r"xnli untrained qaa: out of memory, expected POLYPROBE_BATCH_TOKENS below"
    ):
        planted.fine_tune("xnli", tmp_path / "out")


@pytest.mark.parametrize("task", ["xnli", "pos"])
def test_the_saved_adapter_gives_the_reported_scores(planted: Planted, task: str, tmp_path: Path) -> None:
    output = planted.fine_tune(task, tmp_path / "out", epochs=2, evaluate_every=4)
    frame = scores.TABLE.read(output / scores.TABLE.path.name)
    weights = Path(str(planted.manifest.folder))
    model = load_fine_tuned(task, locate(weights, None), sections.lora(), output / "seed-0")
    settings = sections.task(
        KINDS[task], languages=LANGUAGES, epochs=1, learning_rate=1e-3, batch_size=16,
        max_length=32, evaluate_every=3, max_train=120,
    )  # fmt: skip
    run = _Run(task, planted.manifest, settings, sections.lora(), weights, "qaa", 0, planted.data / task)
    found = run._test(model, "reloaded")
    predicted = Predicted(trained=found, untrained=found, best_step=0)
    assert [row["score"] for row in run.scores(predicted)] == frame.score.tolist()
    assert not (frame.score == frame.untrained).all()
    table = confusion.TABLE.read(output / confusion.TABLE.path.name).drop(columns="seed").astype("object")
    assert table.to_dict("records") == run.confusion(predicted)


def test_saved_files_name_no_place_and_no_time(planted: Planted, tmp_path: Path) -> None:
    output = planted.fine_tune("xnli", tmp_path / "out", epochs=1)
    text = (output / "seed-0/adapter_config.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert str(planted.data) not in text
    settings = json.loads(text)
    assert planted.manifest.weights_sha256 in settings["base_model_name_or_path"]
    assert settings["target_modules"] == ["query_key_value"]
    assert "score" in settings["modules_to_save"]


def test_gradients_of_accumulated_batches_are_averaged(planted: Planted, tmp_path: Path) -> None:
    """Two batches of 8 are one of 16, as a pair has one label: adapters differ by rounding only."""
    from safetensors.numpy import load_file

    adapters = []
    for number, (batch_size, accumulation) in enumerate([(16, 1), (8, 2)]):
        output = planted.fine_tune(
            "xnli", tmp_path / f"out{number}", batch_size=batch_size, gradient_accumulation=accumulation, epochs=1,
            max_train=16, learning_rate=1e-4, max_gradient_norm=1e-9,
        )  # fmt: skip
        adapters.append(load_file(output / "seed-0/adapter_model.safetensors"))
    head = next(name for name in adapters[0] if name.endswith("score.weight"))
    assert abs(adapters[0][head] - adapters[1][head]).max() < 2e-5


def test_a_dropped_checkpoint_has_an_empty_table(planted: Planted, tmp_path: Path) -> None:
    dropped = Planted(dataclasses.replace(planted.manifest, dropped=True), planted.data)
    output = dropped.fine_tune("xnli", tmp_path / "out")
    assert len(scores.TABLE.read(output / scores.TABLE.path.name)) == 0
    assert len(confusion.TABLE.read(output / confusion.TABLE.path.name)) == 0
    assert set(contents(output)) == {"scores.parquet", "confusion.parquet"}


def test_a_tokenizer_with_more_subwords_than_the_model_is_one_line(planted: Planted, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    weights = shutil.copytree(str(planted.manifest.folder), tmp_path / "weights")
    model = AutoModelForCausalLM.from_pretrained(weights)
    model.resize_token_embeddings(270)
    model.save_pretrained(weights)
    smaller = Planted(dataclasses.replace(planted.manifest, folder=str(weights)), planted.data)
    with pytest.raises(
        BadInputError, match=r"weights: the tokenizer gives sub-word \d+, .* embeddings for 0 to 269 only; expected the"
    ) as error:
        smaller.fine_tune("pos", tmp_path / "out")
    assert "\n" not in str(error.value)


def test_a_missing_file_leaves_the_old_output(planted: Planted, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "old").touch()
    nowhere = Planted(planted.manifest, tmp_path / "nowhere")
    with pytest.raises(BadInputError, match=r"nowhere/xnli/train-qaa\.tsv: no such file"):
        nowhere.fine_tune("xnli", output)
    assert set(contents(output)) == {"old"}
