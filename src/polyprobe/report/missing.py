"""What a study lacks, and why: the sentences that stand on its page in the place of empty figures."""

from collections.abc import Iterator, Sequence

from polyprobe.artefacts._tables import Entry
from polyprobe.artefacts.correlation import AGGREGATIONS
from polyprobe.artefacts.dimensions import short_name
from polyprobe.artefacts.manifest import Manifest
from polyprobe.artefacts.scores import TASKS
from polyprobe.choices.categories import categories_of, study_categories
from polyprobe.choices.languages import target_languages
from polyprobe.figures import Tables
from polyprobe.study import Study


def missing(study: Study, tables: Tables, manifests: Sequence[Manifest], corpus: Sequence[Entry]) -> list[str]:
    """Return one sentence or two for each thing that the study lacks; none for a study that has everything.

    Args:
        study: its parameters.
        tables: its tables, any of which may be without rows.
        manifests: its checkpoints, dropped ones too.
        corpus: `metrics/corpus.json`.
    """
    return [
        *_checkpoints(study, manifests),
        *_categories(study, corpus),
        *_overlap(study, tables, manifests),
        *_transfer(study, tables, manifests),
        *_correlation(tables, manifests),
        *_similarity(study, tables),
    ]


def _checkpoints(study: Study, manifests: Sequence[Manifest]) -> Iterator[str]:
    equal: dict[str, list[str]] = {}
    for found in manifests:
        equal.setdefault(found.weights_sha256, []).append(found.checkpoint)
    for found in manifests:
        names = equal.get(found.weights_sha256, [])
        if found.dropped and names:
            gone = [other.checkpoint for other in manifests if other.dropped and other.checkpoint in names]
            del equal[found.weights_sha256]
            same = f"{_listed(names)} hold the same weights: " if len(names) > 1 else ""
            yield (
                f"{same}{_listed(gone)} {_is(gone)} dropped as {'a duplicate' if len(gone) == 1 else 'duplicates'} "
                f"(duplicates.policy: {study.duplicates.policy})."
            )
    for model, kept in _by_model(manifests).items():
        if not kept:
            yield f"{model}: every checkpoint is dropped as a duplicate, so nothing is known of this model."
        elif len(kept) == 1:
            yield (
                f"{model}: {kept[0].checkpoint} is its only checkpoint, so there is no trend over training and no "
                "correlation over checkpoints; pairwise points compare languages only."
            )


def _categories(study: Study, corpus: Sequence[Entry]) -> Iterator[str]:
    entries = {(entry["language"], entry["category"]): entry for entry in corpus}
    probed = dict.fromkeys(category for key in study.checkpoints for category in categories_of(study, key))
    for category in probed:
        having = [code for code in study.languages if _probed(entries, code, category)]
        if len(having) == 2:
            yield f"{short_name(category)}: one pair of languages has it ({_listed(having)}), too few for an interval."
        if len(having) < 2:
            reasons: dict[str, list[str]] = {}
            for code in study.languages:
                if code not in having:
                    entry = entries.get((code, category))
                    reasons.setdefault(str(entry["reason"]) if entry else "no word has it", []).append(code)
            where = f"{having[0]} alone has it" if having else "no language has it"
            why = "; ".join(f"{', '.join(codes)}: {reason}" for reason, codes in reasons.items())
            yield f"{short_name(category)}: {where}, so there is no pair of languages to compare ({why})."
    own = study_categories(study)
    for code in study.languages:
        if not any(_probed(entries, code, category) for category in own):
            yield (
                f"{code}: none of the study's categories can be probed in it, so it is in no pair "
                f"({'; '.join(_reason(entries, code, category) for category in own)})."
            )


def _probed(entries: dict[tuple[str, str], Entry], code: str, category: str) -> bool:
    return bool(entries.get((code, category), {}).get("probed"))


def _reason(entries: dict[tuple[str, str], Entry], code: str, category: str) -> str:
    entry = entries.get((code, category))
    return f"{short_name(category)}: {entry['reason'] if entry else 'no word has it'}"


def _overlap(study: Study, tables: Tables, manifests: Sequence[Manifest]) -> Iterator[str]:
    proper = tables.means[tables.means["control"] == "none"]
    if proper.empty:
        yield "There is no overlap: no category is probed in two languages at any checkpoint."
        return
    if "shuffled_labels" not in set(tables.means["control"]):
        yield (
            "Overlap has no null of probes on shuffled labels: "
            + ("the tables lack it" if "shuffled_labels" in study.probe.controls else "probe.controls leaves them out")
            + ". Only chance, and the overlap of different categories, stand beside it."
        )
    if proper["ceiling"].isna().all():
        yield (
            "Overlap has no noise ceiling, which takes two seeds of each probe"
            + (f" (probe.seeds is {study.probe.seeds})." if study.probe.seeds < 2 else ": the tables lack it.")
        )
    scan = tables.layers[tables.layers["control"] == "none"]
    for model, kept in _by_model(manifests).items():
        if not kept:
            continue
        of_model = scan[scan["model"] == model]
        if proper[proper["model"] == model].empty:
            yield f"{model}: there is no overlap of its probes."
        elif of_model.groupby("layer")["studied"].any().all():
            yield (
                f"{model}: no layer scan, so its layers cannot be ranked. Its last checkpoint is probed at the study's "
                f"layers only; `layers` of a checkpoint adds others."
            )


def _transfer(study: Study, tables: Tables, manifests: Sequence[Manifest]) -> Iterator[str]:
    kept = [found.checkpoint for found in manifests if not found.dropped]
    for task in TASKS:
        scores = tables.transfer[tables.transfer["task"] == task]
        stage = f"finetune_{task}"
        if scores.empty:
            yield f"{task.upper()} was not run: no checkpoint has scores of it. `dvc repro {stage}` runs it."
            continue
        without = [checkpoint for checkpoint in kept if checkpoint not in set(scores["checkpoint"])]
        if without:
            commands = " ".join(f"{stage}@{checkpoint}" for checkpoint in without)
            yield f"{task.upper()} was not run at {_listed(without)}. `dvc repro {commands}` runs it."
        tested = getattr(study.transfer, task).languages
        if untested := [code for code in target_languages(study) if code not in tested]:
            yield (
                f"{task.upper()} has no scores of {_listed(untested)}: transfer.{task}.languages leaves "
                f"{_them(untested)} out."
            )
        scored = set(scores["language"])
        if lost := [code for code in study.languages if code in tested and code not in scored]:
            yield (
                f"{task.upper()} has no scores of {_listed(lost)}, though transfer.{task}.languages names "
                f"{_them(lost)}."
            )


def _correlation(tables: Tables, manifests: Sequence[Manifest]) -> Iterator[str]:
    cells = {
        (cell["model"], cell["task"], cell["aggregation"]): cell
        for cell in tables.cells
        if cell["category"] is None and cell["layer"] is None
    }
    for model, kept in _by_model(manifests).items():
        for task in TASKS:
            scores = tables.transfer[(tables.transfer["model"] == model) & (tables.transfer["task"] == task)]
            if scores.empty:
                continue
            found = {aggregation: cells.get((model, task, aggregation)) for aggregation in AGGREGATIONS}
            if any(cell is not None and cell["at_chance"] for cell in found.values()):
                yield (
                    f"{model}, {task.upper()}: transfer is at chance. At more than half of the checkpoints the mean "
                    "zero-shot score is not two standard errors above its baseline, so its correlations are withheld."
                )
            for aggregation, cell in found.items():
                where = f"{model}, {task.upper()}, {aggregation} points"
                if aggregation == "average" and len(kept) == 1:
                    continue  # said of the model's only checkpoint
                if cell is None:
                    yield f"{where}: no correlation, no point has both an overlap and a score."
                elif cell["r"] is None and not cell["at_chance"]:
                    yield f"{where}: no correlation, {cell['note']}."


def _similarity(study: Study, tables: Tables) -> Iterator[str]:
    sides = {*study.parallel.folders, *study.parallel.files}
    targets = [code for code in target_languages(study) if code in sides]
    if not targets:
        yield (
            "There are no parallel sentences (section parallel of the parameters), so the similarity of languages is "
            "not among the predictors of transfer."
        )
    elif without := [code for code in target_languages(study) if code not in sides]:
        yield f"There are no parallel sentences of {_listed(without)}: points of similarity leave {_them(without)} out."
    elif len(tables.predictors) and "similarity" not in set(tables.predictors["predictor"]):
        yield "The similarity of parallel sentences is not among the predictors of transfer: the tables lack it."


def _by_model(manifests: Sequence[Manifest]) -> dict[str, list[Manifest]]:
    """Return each model's checkpoints but for those that are dropped."""
    models: dict[str, list[Manifest]] = {}
    for found in manifests:
        models.setdefault(found.model, []).extend([] if found.dropped else [found])
    return models


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
