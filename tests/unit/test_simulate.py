"""The cost model of a cluster, DVC's graph of studies that are not in force, and what `simulate` prints."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from polyprobe.ops.cluster.graph import Pipeline, kind
from polyprobe.ops.cluster.graph_of_study import pipeline_of, stretched
from polyprobe.ops.cluster.loads import Load, Rates, comparisons, dvc_seconds, loads, unhindered
from polyprobe.ops.cluster.makespans import drawn
from polyprobe.ops.cluster.scenarios import PYTHIA_STEPS, scenario
from polyprobe.ops.cluster.seconds import expected_seconds
from polyprobe.ops.cluster.simulate import WORKERS, main
from polyprobe.ops.cost import costs
from polyprobe.running.run_log import Run
from polyprobe.study import Study, load_study

ROOT = Path(__file__).resolve().parents[2]
# Of a library that DVC uses.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

USUAL = Rates.usual()


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The studies and the pipeline, without what has been run."""
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def paper() -> Study:
    return load_study(ROOT / "studies/paper.yaml")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """DVC's own, of the paper's study."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return pipeline_of(load_study(ROOT / "studies/paper.yaml"))


def some_checkpoints(study: Study, number: int) -> Study:
    return study.model_copy(update={"checkpoints": dict(list(study.checkpoints.items())[:number])})


def test_the_papers_graph_is_that_of_the_readme(graph: Pipeline, paper: Study) -> None:
    assert len(graph.upstream) == 5 * 27 + 9
    assert graph.upstream["verify_checkpoints"] == {f"resolve@{key}" for key in paper.checkpoints}
    assert graph.upstream["probe@1b7-1k"] == {"convert_unimorph", "extract@1b7-1k"}
    assert graph.upstream["finetune_xnli@1b7-1k"] == {"fetch_transfer", "verify_checkpoints"}
    assert graph.upstream["overlap"] == {"verify_checkpoints"} | {f"probe@{key}" for key in paper.checkpoints}


def test_a_stretched_graph_is_dvcs_own(graph: Pipeline, paper: Study) -> None:
    keys = list(paper.checkpoints)
    for number in (2, 3):
        grown = stretched(pipeline_of(some_checkpoints(paper, number)), keys[:number], keys)
        assert grown == graph
        assert list(grown.upstream) == list(graph.upstream)


def test_a_pretrained_study_waits_for_its_pretraining() -> None:
    found = pipeline_of(load_study(Path("studies/tiny.yaml")))
    assert found.upstream["resolve@step-0"] == {"pretrain@pocket"}


def test_reading_a_graph_leaves_the_folder_as_it_is(root: Path, paper: Study) -> None:
    before = sorted(root.rglob("*"))
    pipeline_of(some_checkpoints(paper, 2))
    assert sorted(root.rglob("*")) == before


def test_pythia_has_154_checkpoints_of_8_sizes(paper: Study) -> None:
    study = scenario("pythia")
    assert len(PYTHIA_STEPS) == 154
    assert len(study.checkpoints) == 8 * 154
    assert Study.model_validate(study.model_dump()) == study
    assert len(pipeline_of(study).upstream) == 5 * 8 * 154 + 9
    # The weights of all sizes are 24.8 billion parameters.
    assert costs(study)["resolve"].disk == pytest.approx(154 * 2 * 24.5e9, rel=0.02)


def test_a_hundred_languages_make_4950_pairs(paper: Study, graph: Pipeline) -> None:
    study = scenario("hundred-languages")
    assert Study.model_validate(study.model_dump()) == study
    assert len(set(study.languages)) == 100
    assert study.languages[:13] == paper.languages
    assert comparisons(study) == comparisons(paper) / 78 * 4950
    assert pipeline_of(study) == graph


def test_loads_follow_the_graph(graph: Pipeline, paper: Study) -> None:
    found = loads(paper, graph, USUAL)
    extracted, probed = found["extract@1b7-100k"], found["probe@1b7-100k"]
    assert extracted.stored == probed.fetched > 1e9
    assert extracted.fetched == found["resolve@1b7-100k"].downloaded == pytest.approx(2 * 1.722e9, rel=0.01)
    assert found["predictors"].fetched == 0, "no embeddings"
    # Left out as a duplicate: only resolved.
    left_out = found["finetune_xnli@1b7-1k"]
    assert left_out == Load(seconds=left_out.seconds)
    assert left_out.seconds < 10
    assert found["resolve@1b7-1k"].downloaded > 0
    slower = loads(paper, graph, replace(USUAL, flops=USUAL.flops / 2, cores=USUAL.cores // 2))
    for name in ("finetune_xnli@560m-1k", "probe@560m-1k"):
        assert slower[name].seconds / found[name].seconds == pytest.approx(2, rel=0.1)


def test_rates_may_be_given() -> None:
    assert Rates.usual(cores=3, flops=None) == replace(USUAL, cores=3)


def log(root: Path, runs: list[dict[str, object]]) -> None:
    known = Run(
        study="tiny", parameters="p", stage="probe", arguments=("step-0",), outcome="finished", seconds=0.0,
        finished="2026-01-01T00:00:00+00:00", commit=None, changed=None, python="3", torch=None, platform="p",
        processor="p", cores=1, gpu=None, memory=1,
    )  # fmt: skip
    (root / ".scratch").mkdir()
    lines = [json.dumps(asdict(replace(known, **run)) | {}) for run in runs]  # type: ignore[arg-type]
    (root / ".scratch/runs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_measured_seconds_come_first_and_correct_the_model(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYPROBE_SCRATCH", raising=False)
    study = load_study(Path("studies/tiny.yaml"))
    found = pipeline_of(study)
    start = dvc_seconds(found)
    before = expected_seconds(study, found)
    assert before.keys() == found.upstream.keys()
    assert min(before.values()) > start
    keys = list(study.checkpoints)
    log(
        root,
        [
            {"stage": "probe", "arguments": (keys[0],), "seconds": 100.0},
            # Found its probes done already, failed, or of another study: says nothing of a whole run.
            {"stage": "probe", "arguments": (keys[0],), "seconds": 1.0},
            {"stage": "probe", "arguments": (keys[0],), "seconds": 900.0, "outcome": "failed"},
            {"stage": "probe", "arguments": (keys[0],), "seconds": 900.0, "study": "pocket"},
            {"stage": "probe", "arguments": ("gone",), "seconds": 900.0},
            {"stage": "overlap", "arguments": (), "seconds": 33.0},
        ],
    )
    after = expected_seconds(study, found)
    assert after[f"probe@{keys[0]}"] == pytest.approx(start + 100)
    assert after["overlap"] == pytest.approx(start + 33)
    # By the model its probes take as long.
    said = before[f"probe@{keys[1]}"] - start, before[f"probe@{keys[0]}"] - start
    assert after[f"probe@{keys[1]}"] == pytest.approx(start + 100 * said[0] / said[1])
    rest = [stage for stage in found.upstream if kind(stage) not in ("probe", "overlap")]
    assert {stage: after[stage] for stage in rest} == {stage: before[stage] for stage in rest}


def test_without_a_gpu_its_stages_take_longer(graph: Pipeline, paper: Study) -> None:
    with_gpu, without = (expected_seconds(paper, graph, cores=16, gpu=gpu) for gpu in (True, False))
    assert without["finetune_xnli@1b7-100k"] > 50 * with_gpu["finetune_xnli@1b7-100k"]
    assert without["probe@1b7-100k"] == with_gpu["probe@1b7-100k"]


def test_true_seconds_are_right_on_average() -> None:
    expected = {f"probe@{number}": Load(10.0, stored=7.0) for number in range(50)}
    generator = np.random.default_rng(0)
    draws = [drawn(expected, generator) for _ in range(400)]
    assert all(load.stored == 7.0 for draw in draws for load in draw.values())
    means = [np.mean([load.seconds for load in draw.values()]) for draw in draws]
    assert np.mean(means) == pytest.approx(10, rel=0.1)
    # What the kind has in common is most of it.
    assert np.std(np.log(means)) == pytest.approx(0.5, rel=0.15)


def printed_table(root: Path, arguments: list[str]) -> list[str]:
    """The table that the command prints. A process of its own: types that are checked at every call make it fifty times
    as slow."""
    command = [sys.executable, "-m", "polyprobe.ops.cluster.simulate", *arguments]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    assert " ".join(["python -m polyprobe.ops.cluster.simulate", *arguments]) in page
    assert "\n".join(lines) in page
    return lines


@pytest.mark.parametrize("arguments", [["paper", "--until-flat"], ["paper", "--one-gpu-in", "4"]])
def test_the_papers_study_is_within_a_tenth_of_a_good_schedule(root: Path, arguments: list[str]) -> None:
    header, _, *lines = [line.strip("| ").split(" | ") for line in printed_table(root, arguments)]
    found = [dict(zip(header, line, strict=True)) for line in lines]
    assert [int(each["workers"]) for each in found] == list(WORKERS)
    for each in found:
        assert float(each["simulated / offline"]) <= 1.1
        assert float(each["lower bound, h"]) <= float(each["offline, h"]) <= float(each["simulated, h"]) + 0.01
    # One worker never waits, so that no schedule can differ.
    assert found[0]["simulated, h"] == found[0]["offline, h"] == found[0]["lower bound, h"]
    assert float(found[-1]["simulated, h"]) < float(found[0]["simulated, h"]) / 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["pythia", "--until-flat", "--draws", "3"], ["hundred-languages", "--until-flat"]]
)
def test_the_tables_of_larger_studies_are_on_the_page(root: Path, arguments: list[str]) -> None:
    assert len(printed_table(root, arguments)) > 5


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["tiny", "studies/tiny.yaml", "--workers", "2", "1", "--draws", "1", "--cores", "2", "--flops", "1e12"])
    printed = capsys.readouterr().out
    assert "1e+12 operations per second and GPU, 2 cores a worker" in printed
    assert printed.count("study tiny: 2 checkpoints, 2 languages, 20 stages") == 2
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith(("| 1 ", "| 2 "))]
    assert [row[0] for row in rows] == ["| 1", "| 2"] * 2
    assert rows[:2] == rows[2:]


def test_more_workers_are_tried_until_they_gain_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    main(["tiny", "--workers", "1", "--draws", "1", "--until-flat"])
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][2:]
    workers = [int(line[0].removeprefix("| ")) for line in lines]
    assert workers == [4**power for power in range(len(workers))]
    assert len(workers) >= 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "error: studies/nobody.yaml: no such file"),
        (["tiny", "--workers", "0"], "error: --workers, --one-gpu-in, --draws: expected numbers from 1"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main(arguments)


def test_a_stage_that_has_the_network_to_itself_takes_what_is_said() -> None:
    load = Load(10.0, downloaded=30.0, fetched=4.0, stored=6.0)
    assert unhindered(load, Rates(flops=1.0, cores=1, hub=3.0, store=2.0, link=2.5)) == 10 + 30 / 2.5 + 10 / 2
