"""What runs again after a change, and what does not: the real dvc on the study `tiny`."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from support.tiny_project import Project, entry, stages_run

pytestmark = pytest.mark.pipeline

AGGREGATES = {"overlap", "correlate", "predictors", "report"}
CHECKPOINTS = ("step-0", "step-20")


def each(*stages: str) -> set[str]:
    return {f"{stage}@{checkpoint}" for stage in stages for checkpoint in CHECKPOINTS}


def test_nothing_runs_twice(finished: Project) -> None:
    output = finished.dvc("repro")
    assert stages_run(output) == set()
    assert "up to date" in output
    assert "up to date" in finished.dvc("status")
    assert finished.run("git", "status", "--porcelain").stdout == ""


def test_another_k_runs_the_aggregates_only(project: Project) -> None:
    before = (project.path / "plots/overlap/pairs.csv").read_bytes()
    assert stages_run(project.dvc("exp", "run", "-S", "overlap.k=4")) == AGGREGATES
    assert (project.path / "plots/overlap/pairs.csv").read_bytes() != before


@pytest.mark.slow
def test_other_layers_train_nothing_and_going_back_restores(project: Project) -> None:
    ran = stages_run(project.dvc("exp", "run", "-S", "layers=[3]"))
    assert ran == each("extract", "probe") | AGGREGATES
    # The same parameters as a named study: everything comes back from the run-cache.
    project.run("git", "checkout", "--force", "--quiet", "HEAD")
    text = (project.path / "studies/tiny.yaml").read_text(encoding="utf-8")
    other = re.sub(r"^layers: \[2\]$", "layers: [3]", text, flags=re.MULTILINE)
    assert other != text
    (project.path / "studies/other.yaml").write_text(other, encoding="utf-8")
    project.run("polyprobe", "study", "use", "other")
    assert project.repro() <= AGGREGATES
    project.run("polyprobe", "study", "use", "tiny")
    assert project.repro() <= AGGREGATES
    assert project.run("git", "status", "--porcelain", "--untracked-files=no").stdout == ""


@pytest.mark.slow
def test_a_new_checkpoint_runs_its_own_stages_and_the_aggregates(project: Project, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "step-21"
    shutil.copytree(project.path / "data/pretrained/pocket/step-20", folder)
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor * 1.01 for name, tensor in tensors.items()}, weights, {"format": "pt"})
    training = folder / "training.json"
    training.write_text('{"step": 21, "tokens_seen": 21504}', encoding="utf-8")
    # Outside the repository, by a link.
    (project.path / "mine").symlink_to(folder)
    project.replace("params.yaml", "\nduplicates:", f"  another: {entry('mine', 21)}\n\nduplicates:")
    own = {f"{stage}@another" for stage in ("resolve", "extract", "probe", "finetune_xnli", "finetune_pos")}
    assert project.repro() == own | {"verify_checkpoints"} | AGGREGATES
    manifest = json.loads((project.path / "data/verified/another.json").read_text(encoding="utf-8"))
    assert manifest["folder"] == "mine"
    # What lies there is watched; what is not part of the manifest ends at `resolve`.
    training.write_text('{"step": 21,  "tokens_seen": 21504}', encoding="utf-8")
    assert project.repro() == {"resolve@another"}
    # A machine's path is no part of what is known of a checkpoint.
    project.replace("params.yaml", "weights: mine,", f"weights: {folder},")
    project.repro("resolve@another")
    assert str(tmp_path) not in (project.path / "data/checkpoints/another.json").read_text(encoding="utf-8")


def test_a_duplicate_checkpoint_stops_the_study(project: Project) -> None:
    project.replace(
        "params.yaml",
        "\nduplicates:",
        f"  again: {entry('data/pretrained/pocket/step-20', 20)}\n\nduplicates:",
    )
    before = (project.path / "metrics/checkpoints.json").read_bytes()
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "again" in done.stdout
    assert "step-20" in done.stdout
    assert "Traceback" not in done.stdout
    assert stages_run(done.stdout) == {"resolve@again", "verify_checkpoints"}
    assert not (project.path / "data/embeddings/again").exists()
    assert (
        not (project.path / "metrics/checkpoints.json").exists()
        or (project.path / "metrics/checkpoints.json").read_bytes() == before
    )


def _touch_code(project: Project, package: str) -> None:
    file = sorted((project.path / "src/polyprobe" / package).rglob("*.py"))[0]
    file.write_text(file.read_text(encoding="utf-8") + "\n# A change.\n", encoding="utf-8")


def test_a_change_in_probes_probes_again(project: Project) -> None:
    _touch_code(project, "probes")
    # The tables come out as before, so that nothing after `probe` needs to run.
    assert project.repro() == each("probe")


def test_a_change_in_transfer_fine_tunes_again(project: Project) -> None:
    _touch_code(project, "transfer")
    assert project.stale() == {"fetch_transfer"} | each("finetune_xnli", "finetune_pos")


def test_what_follows_is_what_depends(finished: Project) -> None:
    def after(stage: str) -> set[str]:
        graph = re.findall(r'"([^"]+)" -> "([^"]+)"', finished.dvc("dag", "--dot"))
        reached: set[str] = set()
        frontier = {stage}
        while frontier:
            frontier = {end for start, end in graph if start in frontier} - reached
            reached |= frontier
        return reached

    assert after("probe@step-0") == AGGREGATES
    assert after("finetune_pos@step-0") == {"correlate", "predictors", "report"}
    assert after("overlap") == {"correlate", "predictors", "report"}


@pytest.mark.slow
def test_predictors_and_report_need_no_embeddings(project: Project, tmp_path: Path) -> None:
    project.dvc("push")
    project.run("git", "tag", "--annotate", "report@v0.1.0", "--message", "a page")
    project.dvc("artifacts", "get", str(project.path), "report", "--out", "page")
    assert (project.path / "page/index.html").exists()
    clone = Project(tmp_path / "theirs")
    project.run("git", "clone", "--quiet", str(project.path), str(clone.path))
    clone.dvc("pull", "predictors", "report")
    assert (clone.path / "data/report/index.html").exists()
    # What they read, to run them again.
    read = [f"data/similarity/{checkpoint}.parquet" for checkpoint in CHECKPOINTS]
    clone.dvc("pull", "data/verified", *read)
    assert not (clone.path / "data/embeddings").exists()
    files = [file for file in (project.path / "data/embeddings").rglob("*") if file.is_file()]
    digests = {hashlib.md5(file.read_bytes()).hexdigest() for file in files}
    cached = {file.parent.name + file.name for file in (clone.path / ".dvc/cache/files").rglob("*") if file.is_file()}
    assert digests
    assert not digests & cached
    for stage in ("predictors", "report"):
        clone.run("python", "-m", f"polyprobe.stages.{stage}")
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert clone.dvc("status", "predictors", "report") == "Data and pipelines are up to date.\n"


@pytest.mark.slow
def test_a_study_that_is_put_in_force_takes_away_what_another_one_made(project: Project) -> None:
    text = (project.path / "studies/tiny.yaml").read_text(encoding="utf-8")
    kept, gone = project.path / "data/probes/step-0.parquet", project.path / "data/probes/step-20.parquet"
    other = re.sub(r"  step-20: .*\n.*\n", "", text)
    assert other != text
    (project.path / "studies/other.yaml").write_text(other, encoding="utf-8")
    project.run("polyprobe", "study", "use", "other")
    assert kept.exists()
    assert not gone.exists()
    assert (project.path / "plots/overlap/means.csv").exists()
    project.repro()
    project.run("polyprobe", "study", "use", "tiny")
    assert project.repro() <= AGGREGATES | {"verify_checkpoints"}
    assert gone.exists()
    assert project.run("git", "status", "--porcelain", "--untracked-files=no").stdout == ""


def test_metrics_are_one_readable_row(finished: Project) -> None:
    shown = json.loads(finished.dvc("metrics", "show", "--json"))
    files = shown[""]["data"]
    assert list(files) == ["metrics/summary.json"]
    assert 0 < len(files["metrics/summary.json"]["data"]) < 10


def test_every_plot_is_drawn_offline(project: Project) -> None:
    project.dvc("plots", "show", "--out", "drawn")
    page = (project.path / "drawn/index.html").read_text(encoding="utf-8")
    assert "https://cdn" not in page
    for source in ("overlap/means.csv", "overlap/layers.csv", "overlap/heatmap.csv", "transfer.csv",
                   "overlap_vs_transfer.csv", "loss.tsv"):  # fmt: skip
        assert source.split("/")[-1].split(".")[0] in page.lower(), source


def test_the_notebook_interface_reads_every_table(finished: Project) -> None:
    from polyprobe import load_results

    tables = load_results(finished.path)
    measured = "words corpus probes similarity scores confusion label_scores".split()
    overlaps = "overlap overlap_means overlap_sizes shared_neurons category_overlap informativeness".split()
    summed_up = "transfer correlation predictors drops points".split()
    assert set(tables) == {*measured, *overlaps, *summed_up}
    # Of two languages there are no neurons that three share.
    assert {name for name, table in tables.items() if table.empty} == {"shared_neurons"}


def test_a_stage_runs_the_code_of_its_own_folder(project: Project, tmp_path: Path) -> None:
    """DVC hashes that code; in an experiment's folder python would find the workspace's, edited since."""
    experiment = tmp_path / "experiment"
    project.run("git", "worktree", "add", "--quiet", str(experiment))
    for folder, said in ((project.path, "edited since"), (experiment, "of the experiment")):
        module = folder / "src/polyprobe/stages/fetch_ud.py"
        module.write_text(module.read_text(encoding="utf-8") + f"    print({said!r})\n", encoding="utf-8")
    command = ("python", "-m", "polyprobe.stages.fetch_ud")
    assert project.run(*command).stdout == "edited since\n"
    assert project.run("env", "-C", str(experiment), *command).stdout == "of the experiment\n"
