"""What each family of probes finds at one checkpoint: `python -m polyprobe.ops.probes [--output PAGE.md]`.

Reads words and embeddings of the study in force, fits every family to the same words of each language, and prints a
Markdown table: test mutual information of the neurons found, how far seeds agree, time. With `--output` the table goes
into a page that has the lines `<!-- polyprobe.ops.probes -->` and `<!-- end -->`, between them.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args, get_type_hints

from polyprobe.artefacts import embeddings, manifest, words
from polyprobe.choices.categories import study_categories
from polyprobe.choices.layers import resolve_layers
from polyprobe.choices.sizes import largest_size
from polyprobe.running.errors import BadInputError
from polyprobe.running.fanout import fan_out
from polyprobe.running.files import new_file
from polyprobe.running.knobs import knobs
from polyprobe.running.seeds import derive_seed
from polyprobe.study import PARAMS, Study, load_study

if TYPE_CHECKING:
    from polyprobe.probes import Dataset

OPENING: Final = "<!-- polyprobe.ops.probes -->"
CLOSING: Final = "<!-- end -->"

SIZES: Final = (10, 50)
"""Numbers of neurons whose mutual information is shown, beside all."""

SMALL_SETS: Final = {"retrained": 10}
"""Families that are fitted anew for each set, and how many neurons they pick here."""


@dataclass(frozen=True)
class Request:
    """What is compared."""

    checkpoint: str
    layer: int
    category: str
    languages: tuple[str, ...]
    families: tuple[str, ...]
    seeds: int


@dataclass(frozen=True)
class Finding:
    """One family with one estimator on one language, averaged over seeds."""

    name: str
    language: str
    normalised: dict[str, float]
    """Test mutual information by number of neurons, as a share of the label entropy."""
    bits: dict[str, float]
    deviation: dict[str, float]
    """Standard deviation over seeds of the normalised information."""
    shared: float | None
    """Neurons that two seeds share among the first k (the largest of `overlap.k`), averaged over pairs."""
    fit_seconds: float
    select_seconds: float


def variants(family: str) -> dict[str, dict[str, str]]:
    """The settings of each estimator of a family by a name for it; one entry for a family that has none."""
    from polyprobe.probes import FAMILIES

    estimators = get_args(get_type_hints(FAMILIES[family].settings).get("estimator"))
    return {f"{family}, {name}": {"estimator": name} for name in estimators} or {family: {}}


def compare(study: Study, request: Request) -> list[Finding]:
    """Fits every family to each language.

    Raises:
        BadInputError: a language has no two values of the category, or extract has not been run.
    """
    found = fan_out(
        partial(_of_language, study, request), request.languages, workers=knobs().workers, description="probes"
    )
    return [finding for findings in found for finding in findings]


def _of_language(study: Study, request: Request, code: str) -> list[Finding]:
    dataset = _dataset(study, request, code)
    seeds = [
        derive_seed(study.seed, request.checkpoint, request.layer, code, request.category, index, "none")
        for index in range(request.seeds)
    ]
    return [
        _finding(study, dataset, seeds, family, name, code, settings)
        for family in request.families
        for name, settings in variants(family).items()
    ]


def _dataset(study: Study, request: Request, code: str) -> "Dataset":
    import pandas as pd

    from polyprobe.probes import Dataset, inputs_of

    array, rows = embeddings.read(embeddings.path(embeddings.FOLDER / request.checkpoint, request.layer, code))
    frame = words.read(words.path(code), ["split", request.category])
    values = words.surviving_values(frame[request.category], frame["split"], study.words.min_label_count)
    if len(values) < 2:
        raise BadInputError(f"{words.path(code)}: fewer than two values of {request.category} to be told apart")
    frame = frame.iloc[rows]
    inputs = inputs_of(array, frame["split"], study.probe.standardise, knobs().torch_device())
    labels = pd.Index(values).get_indexer(pd.Index(frame[request.category].astype("object")))
    return Dataset.of(inputs, labels, frame["split"])


def _finding(
    study: Study,
    dataset: "Dataset",
    seeds: Sequence[int],
    family: str,
    name: str,
    code: str,
    given: dict[str, str],
) -> Finding:
    import torch

    from polyprobe.probes import FAMILIES, fit_side_by_side

    known = {field.name for field in fields(FAMILIES[family].settings)}
    settings = {key: value for key, value in study.probe.model_dump().items() if key in known} | given
    neurons = dataset.train[0].shape[1]
    picked = min(neurons, SMALL_SETS.get(family, max(*SIZES, largest_size(study))))
    start = time.perf_counter()
    probes = fit_side_by_side(family, dataset.train[0], [dataset.train[1]] * len(seeds), dataset.dev, seeds, **settings)
    fitted = time.perf_counter()
    selections = [probe.select(*dataset.dev, picked) for probe in probes]
    selected = time.perf_counter()
    normalised: dict[str, list[float]] = {}
    bits: dict[str, list[float]] = {}
    for probe, selection in zip(probes, selections, strict=True):
        scores = {
            str(size): probe.score_prefixes(selection.neurons[:size], *dataset.test) for size in SIZES if size <= picked
        }
        if family not in SMALL_SETS:
            scores["all"] = probe.score_prefixes(torch.arange(neurons), *dataset.test)
        for size, score in scores.items():
            normalised.setdefault(size, []).append(float(score.mutual_information[-1]))
            bits.setdefault(size, []).append(float(score.bits[-1]))
    top = [set(selection.neurons[: largest_size(study)].tolist()) for selection in selections]
    shared = [len(one & other) for one, other in combinations(top, 2)]
    return Finding(
        name=name,
        language=code,
        normalised={size: statistics.fmean(values) for size, values in normalised.items()},
        bits={size: statistics.fmean(values) for size, values in bits.items()},
        deviation={size: statistics.stdev(values) for size, values in normalised.items() if len(values) > 1},
        shared=statistics.fmean(shared) if shared and picked >= largest_size(study) else None,
        fit_seconds=(fitted - start) / len(seeds),
        select_seconds=(selected - fitted) / len(seeds),
    )


def markdown(study: Study, request: Request, findings: Sequence[Finding], command: str) -> str:
    """The table and a line on what it shows."""
    shown = [str(size) for size in SIZES] + ["all"]
    largest = str(SIZES[-1])
    header = [
        "family",
        *(f"MI, {size} neurons" for size in shown),
        f"seeds, {largest}",
        f"against the first, {largest}",
    ]
    header += [f"shared of {largest_size(study)}", "fit, s", "select, s"]
    lines = [header, ["---"] * len(header)]
    by_name: dict[str, list[Finding]] = {}
    for finding in findings:
        by_name.setdefault(finding.name, []).append(finding)
    first = next(iter(by_name.values()))
    for name, group in by_name.items():
        line = [name]
        for size in shown:
            numbers = [finding.normalised[size] for finding in group if size in finding.normalised]
            in_bits = [finding.bits[size] for finding in group if size in finding.bits]
            line.append(f"{_mean_and_error(numbers)} ({statistics.fmean(in_bits):.2f})" if numbers else "–")
        deviations = [finding.deviation[largest] for finding in group if largest in finding.deviation]
        line.append(f"{statistics.fmean(deviations):.3f}" if deviations else "–")
        both = zip(group, first, strict=True)
        differences = [
            one.normalised[largest] - other.normalised[largest] for one, other in both if largest in one.normalised
        ]
        line.append(_mean_and_error(differences, "+") if differences and group is not first else "–")
        shared = [finding.shared for finding in group if finding.shared is not None]
        line.append(_mean_and_error(shared, digits=1) if shared else "–")
        for seconds in ("fit_seconds", "select_seconds"):
            line.append(f"{statistics.median(getattr(finding, seconds) for finding in group):.2f}")
        lines.append(line)
    return "\n".join([_head(study, request, command), "", *(f"| {' | '.join(line)} |" for line in lines)])


def _head(study: Study, request: Request, command: str) -> str:
    small = "; ".join(f"`{family}` picks {size}" for family, size in SMALL_SETS.items() if family in request.families)
    return (
        f"Made by `{command}` in the study `{study.study}`: checkpoint {request.checkpoint}, layer {request.layer}, "
        f"{request.category}, languages {' '.join(request.languages)}, {request.seeds} seeds. MI: test mutual "
        f"information as a share of the label entropy, mean over languages ± standard error (mean in bits); seeds: its "
        f"standard deviation over seeds; against the first: difference to the first line, paired by language; shared: "
        f"neurons that two seeds share among the first {largest_size(study)}; seconds per probe, median over "
        f"languages, fitted side by side on one thread, {max(SIZES)} neurons picked"
        + (f" ({small})" if small else "")
        + "."
    )


def _mean_and_error(values: Sequence[float], sign: str = "", digits: int = 3) -> str:
    mean = f"{statistics.fmean(values):{sign}.{digits}f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {statistics.stdev(values) / len(values) ** 0.5:.{digits}f}"


def parts_of(page: Path) -> tuple[str, str]:
    """What stands before and after the table: up to the first marker line, and from the second one on.

    Raises:
        BadInputError: the page or its markers are missing.
    """
    before, opening, rest = (page.read_text(encoding="utf-8") if page.exists() else "").partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not opening or not closing:
        raise BadInputError(f"{page}: expected a page with the lines {OPENING} and {CLOSING}")
    return before + opening, closing + after


def _request(study: Study, options: argparse.Namespace) -> Request:
    from polyprobe.artefacts.dimensions import dimension_name
    from polyprobe.probes import FAMILIES

    checkpoint = options.checkpoint or max(study.checkpoints, key=lambda key: study.checkpoints[key].step)
    study.checkpoint(checkpoint)
    available = manifest.read(manifest.path(checkpoint)).layers
    layer = resolve_layers(
        [options.layer or study.layers[-1]], available, f"{PARAMS}: layers of checkpoint {checkpoint}"
    )[0]
    try:
        category = dimension_name(options.category) if options.category else study_categories(study)[0]
    except KeyError:
        raise BadInputError(f"--category: unknown category {options.category!r}") from None
    # The study's own family first: the others are compared with it.
    families = options.families or [study.probe.family, *(name for name in FAMILIES if name != study.probe.family)]
    for given, known, what in (
        (families, list(FAMILIES), "family"),
        (options.languages or [], study.languages, "language"),
    ):
        for name in given:
            if name not in known:
                raise BadInputError(f"unknown {what} {name!r}, expected one of {', '.join(known)}")
    languages = options.languages or [*_languages_with(study, category)]
    if not languages:
        raise BadInputError(f"{words.FOLDER}: no language has two values of {category} to be told apart")
    if options.seeds < 1:
        raise BadInputError(f"--seeds: expected at least 1, got {options.seeds}")
    return Request(checkpoint, layer, category, tuple(languages), tuple(families), options.seeds)


def _languages_with(study: Study, category: str) -> Iterator[str]:
    for code in study.languages:
        frame = words.read(words.path(code), ["split", category])
        if len(words.surviving_values(frame[category], frame["split"], study.words.min_label_count)) > 1:
            yield code


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m polyprobe.ops.probes", description=__doc__)
    parser.add_argument("--checkpoint", help="its key in params.yaml; the last one by default")
    parser.add_argument("--layer", type=int, help="its number; the study's last layer by default")
    parser.add_argument("--category", help="the study's first one by default")
    parser.add_argument("--languages", nargs="+", help="all that have the category by default")
    parser.add_argument("--families", nargs="+", help="all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="a page with the two marker lines; standard output by default")
    options = parser.parse_args(arguments)
    try:
        study = load_study()
        request = _request(study, options)
        parts = parts_of(options.output) if options.output else None
        command = " ".join(["python -m polyprobe.ops.probes", *arguments])
        text = markdown(study, request, compare(study, request), command)
        if parts:
            with new_file(options.output) as temporary:
                temporary.write_text(f"\n{text}\n".join(parts), encoding="utf-8")
        else:
            print(text)
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
