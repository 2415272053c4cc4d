"""What a page says of what its study lacks: a sentence for each thing, and none where nothing is lacking."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polyprobe.artefacts.manifest import Manifest
from polyprobe.figures import Tables
from polyprobe.report.missing import missing
from polyprobe.study import Study
from support import synthetic_study
from support.synthetic_study import POCKET, Synthetic

MANIFESTS = synthetic_study.manifests(POCKET)
# The last language lacks the last category: five have it.
CORPUS = synthetic_study.corpus_entries(POCKET)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return synthetic_study.complete(tmp_path_factory.mktemp("study"))


def lacking(
    tables: Tables,
    study: Study | None = None,
    manifests: Sequence[Manifest] = MANIFESTS,
    corpus: Sequence[dict[str, Any]] = CORPUS,
) -> list[str]:
    return missing(study or synthetic_study.params(), tables, manifests, corpus)


def changed(section: str, **values: Any) -> Study:
    """The study with other values in a section."""
    study = synthetic_study.params()
    return study.model_copy(update={section: getattr(study, section).model_copy(update=values)})


def without(tables: Tables, **rows: Mapping[str, object]) -> Tables:
    """The tables without the rows that hold a value in a column, per table."""
    return replace(
        tables,
        **{
            name: (table := getattr(tables, name))[~(table[list(where)] == list(where.values())).all(axis=1)]
            for name, where in rows.items()
        },
    )


def test_a_study_that_has_everything_lacks_nothing(tables: Tables) -> None:
    assert lacking(tables) == []


@pytest.mark.parametrize("task", ["xnli", "pos"])
def test_a_task_that_was_not_run(tables: Tables, task: str) -> None:
    cells = [cell for cell in tables.cells if cell["task"] != task]
    found = lacking(replace(without(tables, transfer={"task": task}), cells=cells))
    assert found == [
        f"{task.upper()} was not run: no checkpoint has scores of it. `dvc repro finetune_{task}` runs it."
    ]


def test_a_task_that_was_run_at_some_checkpoints(tables: Tables) -> None:
    found = lacking(without(tables, transfer={"task": "pos", "checkpoint": "step-80"}))
    assert found == ["POS was not run at step-80. `dvc repro finetune_pos@step-80` runs it."]
    dropped = [replace(entry, dropped=entry.checkpoint == "step-80") for entry in MANIFESTS]
    [sentence] = lacking(without(tables, transfer={"task": "pos", "checkpoint": "step-80"}), manifests=dropped)
    assert sentence.startswith("step-80 is dropped")


def test_languages_without_scores(tables: Tables) -> None:
    study = synthetic_study.params(replace(POCKET, task_languages={"xnli": ("qaa", "qab", "qac", "qad")}))
    assert lacking(tables, study) == ["XNLI has no scores of qae and qaf: transfer.xnli.languages leaves them out."]
    found = lacking(without(tables, transfer={"task": "xnli", "language": "qaf"}))
    assert found == ["XNLI has no scores of qaf, though transfer.xnli.languages names it."]


def test_one_checkpoint_only(tmp_path: Path) -> None:
    single = Synthetic(steps={"pocket": (400,)})
    found = missing(
        synthetic_study.params(single),
        synthetic_study.complete(tmp_path, single),
        synthetic_study.manifests(single),
        CORPUS,
    )
    assert found[0].startswith("pocket: step-400 is its only checkpoint, so there is no trend over training")
    assert not any("average points" in sentence for sentence in found)


def test_two_checkpoints_are_too_few_for_average_points(tmp_path: Path) -> None:
    two = Synthetic(steps={"pocket": (30, 400)})
    found = missing(
        synthetic_study.params(two), synthetic_study.complete(tmp_path, two), synthetic_study.manifests(two), CORPUS
    )
    assert [sentence for sentence in found if "points" in sentence] == [
        f"pocket, {task}, average points: no correlation, fewer than three points." for task in ("XNLI", "POS")
    ]


def test_checkpoints_that_are_dropped(tables: Tables) -> None:
    same = MANIFESTS[1].weights_sha256
    both = [
        replace(entry, weights_sha256=same, dropped=True) if entry.step in (30, 180) else entry for entry in MANIFESTS
    ]
    study = synthetic_study.params(duplicates={"policy": "drop_both", "known": [], "tolerated_share": 0.1})
    assert lacking(tables, study, both) == [
        "step-30 and step-180 hold the same weights: step-30 and step-180 are dropped as duplicates "
        "(duplicates.policy: drop_both)."
    ]
    first_kept = [replace(entry, dropped=entry.step == 180) for entry in both]
    study = synthetic_study.params(duplicates={"policy": "keep_first", "known": [], "tolerated_share": 0.1})
    assert lacking(tables, study, first_kept) == [
        "step-30 and step-180 hold the same weights: step-180 is dropped as a duplicate "
        "(duplicates.policy: keep_first)."
    ]
    none_left = [replace(entry, weights_sha256=same, dropped=True) for entry in MANIFESTS]
    assert "pocket: every checkpoint is dropped" in lacking(tables, study, none_left)[1]


def probed_in(category: str, codes: Sequence[str]) -> list[dict[str, Any]]:
    """The corpus with a category in these languages only."""
    return [
        entry
        | {"probed": entry["language"] in codes, "reason": None if entry["language"] in codes else "too few words"}
        if entry["category"] == category
        else entry
        for entry in CORPUS
    ]


def test_a_category_that_fewer_than_three_languages_have(tables: Tables) -> None:
    assert lacking(tables, corpus=probed_in("Number", ("qab", "qae", "qaf"))) == []
    assert lacking(tables, corpus=probed_in("Number", ("qab", "qae"))) == [
        "Number: one pair of languages has it (qab and qae), too few for an interval."
    ]
    assert lacking(tables, corpus=probed_in("Number", ("qab",))) == [
        "Number: qab alone has it, so there is no pair of languages to compare "
        "(qaa, qac, qad, qae, qaf: too few words)."
    ]
    nowhere = [
        entry for entry in probed_in("Number", ()) if (entry["language"], entry["category"]) != ("qad", "Number")
    ]
    assert lacking(tables, corpus=nowhere) == [
        "Number: no language has it, so there is no pair of languages to compare "
        "(qaa, qab, qac, qae, qaf: too few words; qad: no word has it)."
    ]


def test_a_language_without_any_category(tables: Tables) -> None:
    corpus = [entry | {"probed": False, "reason": "too few words"} if entry["language"] == "qac" else entry
              for entry in CORPUS]  # fmt: skip
    assert lacking(tables, corpus=corpus) == [
        "qac: none of the study's categories can be probed in it, so it is in no pair "
        "(POS: too few words; Number: too few words; Gender: too few words)."
    ]


def test_no_overlap_at_all(tables: Tables) -> None:
    found = lacking(replace(tables, **{name: getattr(tables, name)[:0] for name in ("pairs", "means", "layers")}))
    assert found == ["There is no overlap: no category is probed in two languages at any checkpoint."]


def test_no_null_no_ceiling_and_no_layer_scan(tables: Tables) -> None:
    means = tables.means[tables.means["control"] == "none"]
    [sentence] = lacking(replace(tables, means=means), changed("probe", controls=["none"]))
    assert sentence.startswith("Overlap has no null of probes on shuffled labels: probe.controls leaves them out.")
    assert ": the tables lack it." in lacking(replace(tables, means=means))[0]

    means = tables.means.assign(ceiling=float("nan"))
    assert lacking(replace(tables, means=means), changed("probe", seeds=1)) == [
        "Overlap has no noise ceiling, which takes two seeds of each probe (probe.seeds is 1)."
    ]

    layers = tables.layers[tables.layers["studied"]]
    [sentence] = lacking(replace(tables, layers=layers))
    assert sentence.startswith("pocket: no layer scan, so its layers cannot be ranked.")


def test_transfer_at_chance(tmp_path: Path) -> None:
    found = lacking(synthetic_study.complete(tmp_path, Synthetic(transfer_works=False)))
    assert [sentence.partition(".")[0] for sentence in found] == [
        "pocket, XNLI: transfer is at chance",
        "pocket, POS: transfer is at chance",
    ]


def test_points_that_no_correlation_can_be_had_of(tables: Tables) -> None:
    cells = [
        cell | {"r": None, "note": "the overlap does not vary"} if (cell["task"], cell["aggregation"], cell["category"])
        == ("pos", "pairwise", None) else cell
        for cell in tables.cells
    ]  # fmt: skip
    assert lacking(replace(tables, cells=cells)) == [
        "pocket, POS, pairwise points: no correlation, the overlap does not vary."
    ]
    assert lacking(replace(tables, cells=[])) == [
        f"pocket, {task}, {points} points: no correlation, no point has both an overlap and a score."
        for task in ("XNLI", "POS")
        for points in ("average", "pairwise")
    ]


def test_no_parallel_sentences(tables: Tables) -> None:
    [sentence] = lacking(tables, changed("parallel", folders={}))
    assert sentence.startswith("There are no parallel sentences (section parallel of the parameters)")
    sides = synthetic_study.params().parallel.folders
    some = {code: folder for code, folder in sides.items() if code not in ("qad", "qaf")}
    assert lacking(tables, changed("parallel", folders=some)) == [
        "There are no parallel sentences of qad and qaf: points of similarity leave them out."
    ]
    found = lacking(without(tables, predictors={"predictor": "similarity"}))
    assert found == [
        "The similarity of parallel sentences is not among the predictors of transfer: the tables lack it."
    ]


def test_a_study_that_has_nothing_is_no_error(tables: Tables) -> None:
    names = ("pairs", "means", "sizes", "layers", "heatmap", "neurons", "categories", "transfer", "points",
             "predictors", "drops")  # fmt: skip
    empty = replace(tables, cells=[], **{name: getattr(tables, name)[:0] for name in names})
    found = lacking(empty, corpus=[])
    assert len(found) == 3 + 6 + 1 + 2
    assert lacking(empty, manifests=[], corpus=[]) == found
