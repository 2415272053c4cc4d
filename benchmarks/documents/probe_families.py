"""What each family of probes finds at one checkpoint: `python benchmarks/documents/probe_families.py`.

Reads words and embeddings of the study in force, fits every family to the same words of each language, and prints a
Markdown table: test mutual information of the neurons found, how far seeds agree, time. With `--output PAGE.md` the
table goes into a page that has the lines `<!-- probe_families -->` and `<!-- end -->`, between them.
"""

import argparse
import shlex
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import pandas as pd
import torch

from polyprobe.artefacts import embeddings, manifest, words
from polyprobe.artefacts.dimensions import dimension_name
from polyprobe.choices.categories import study_categories
from polyprobe.choices.layers import resolve_layers
from polyprobe.choices.sizes import largest_size
from polyprobe.ops.markdown import markdown_table
from polyprobe.probes import FAMILIES, Dataset, fit_side_by_side, inputs_of
from polyprobe.running.errors import BadInputError
from polyprobe.running.fanout import fan_out
from polyprobe.running.files import new_file
from polyprobe.running.knobs import knobs
from polyprobe.running.seeds import derive_seed
from polyprobe.study import PARAMS, Study, load_study

OPENING: Final = "<!-- probe_families -->"
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
class Variant:
    """A family with one of its estimators."""

    family: str
    estimator: str | None = None
    """None for a family that has none."""

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.family}, {self.estimator}" if self.estimator else self.family

    def settings(self, study: Study) -> dict[str, Any]:
        """Return the study's settings of the probe that the family has."""
        known = {field.name for field in fields(FAMILIES[self.family].settings)}
        settings = {key: value for key, value in study.probe.model_dump().items() if key in known}
        return settings | ({"estimator": self.estimator} if self.estimator else {})


@dataclass(frozen=True)
class Finding:
    """One variant on one language."""

    name: str
    language: str
    normalised: dict[str, list[float]]
    """Test mutual information as a share of the label entropy, by number of neurons and seed."""
    bits: dict[str, list[float]]
    """The same in bits."""
    shared: float | None
    """Neurons that two seeds share among the first k (the largest of `overlap.k`), averaged over pairs."""
    fit_seconds: float
    """Per probe."""
    select_seconds: float
    """Per probe."""


def variants(family: str) -> list[Variant]:
    """Return a variant for each estimator of a family; one for a family that has none.

    Args:
        family: its name.
    """
    estimators = get_args(get_type_hints(FAMILIES[family].settings).get("estimator"))
    return [Variant(family, estimator) for estimator in estimators] or [Variant(family)]


def compare(study: Study, request: Request) -> list[Finding]:
    """Fit every family to each language, and return what was found.

    Args:
        study: the study in force.
        request: what is compared.

    Returns:
        A finding per language and variant, language by language.

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
        _finding(study, dataset, seeds, variant, code) for family in request.families for variant in variants(family)
    ]


def _dataset(study: Study, request: Request, code: str) -> Dataset:
    array, rows = embeddings.read(embeddings.path(embeddings.FOLDER / request.checkpoint, request.layer, code))
    frame, values = _labelled_words(study, request.category, code)
    if len(values) < 2:
        raise BadInputError(
            f"{words.TABLE.at(language=code)}: fewer than two values of {request.category} to be told apart"
        )
    frame = frame.iloc[rows]
    inputs = inputs_of(array, frame["split"], study.probe.standardise, knobs().torch_device())
    labels = pd.Index(values).get_indexer(pd.Index(frame[request.category].astype("object")))
    return Dataset.of(inputs, labels, frame["split"])


def _labelled_words(study: Study, category: str, code: str) -> tuple[pd.DataFrame, list[str]]:
    """Return a language's words with their split and value, and the values that survive."""
    frame = words.TABLE.read(words.TABLE.at(language=code), ["split", category])
    return frame, words.surviving_values(frame[category], frame["split"], study.words.min_label_count)


def _finding(study: Study, dataset: Dataset, seeds: Sequence[int], variant: Variant, code: str) -> Finding:
    neurons = dataset.train[0].shape[1]
    picked = min(neurons, SMALL_SETS.get(variant.family, max(*SIZES, largest_size(study))))
    targets = [dataset.train[1]] * len(seeds)
    start = time.perf_counter()
    probes = fit_side_by_side(variant.family, dataset.train[0], targets, dataset.dev, seeds, **variant.settings(study))
    fitted = time.perf_counter()
    selections = [probe.select(*dataset.dev, picked).neurons for probe in probes]
    selected = time.perf_counter()
    normalised: dict[str, list[float]] = {}
    bits: dict[str, list[float]] = {}
    for probe, selection in zip(probes, selections, strict=True):
        sets = {str(size): selection[:size] for size in SIZES if size <= picked}
        if variant.family not in SMALL_SETS:
            sets["all"] = torch.arange(neurons)
        for size, members in sets.items():
            score = probe.score_prefixes(members, *dataset.test)
            normalised.setdefault(size, []).append(float(score.mutual_information[-1]))
            bits.setdefault(size, []).append(float(score.bits[-1]))
    return Finding(
        name=variant.name,
        language=code,
        normalised=normalised,
        bits=bits,
        shared=_shared([selection[: largest_size(study)] for selection in selections], largest_size(study)),
        fit_seconds=(fitted - start) / len(seeds),
        select_seconds=(selected - fitted) / len(seeds),
    )


def _shared(selections: Sequence[torch.Tensor], size: int) -> float | None:
    """Return how many neurons two selections share on average; None for one selection, or for smaller ones."""
    sets = [set(selection.tolist()) for selection in selections if len(selection) == size]
    shared = [len(one & other) for one, other in combinations(sets, 2)]
    return statistics.fmean(shared) if shared else None


def markdown(study: Study, request: Request, findings: Sequence[Finding], command: str) -> str:
    """Return a paragraph on what was done, and the table: a row per variant.

    Args:
        study: the study in force.
        request: what was compared.
        findings: what was found.
        command: what made the page.
    """
    by_name: dict[str, list[Finding]] = {}
    for finding in findings:
        by_name.setdefault(finding.name, []).append(finding)
    first = next(iter(by_name.values()))
    largest = SIZES[-1]
    header = [
        "family",
        *(f"MI, {size} neurons" for size in (*SIZES, "all")),
        f"seeds, {largest}",
        f"against the first, {largest}",
        f"shared of {largest_size(study)}",
        "fit, s",
        "select, s",
    ]
    rows = [
        [
            name,
            *(_information(group, str(size)) for size in (*SIZES, "all")),
            _deviation_over_seeds(group, str(largest)),
            None if group is first else _difference(group, first, str(largest)),
            _mean_and_error([finding.shared for finding in group if finding.shared is not None], digits=1),
            f"{statistics.median(finding.fit_seconds for finding in group):.2f}",
            f"{statistics.median(finding.select_seconds for finding in group):.2f}",
        ]
        for name, group in by_name.items()
    ]
    return f"{_introduction(study, request, command)}\n\n{markdown_table(header, rows)}"


def _information(group: Sequence[Finding], size: str) -> str | None:
    of_size = [finding for finding in group if size in finding.normalised]
    if not of_size:
        return None
    bits = statistics.fmean(statistics.fmean(finding.bits[size]) for finding in of_size)
    return f"{_mean_and_error([statistics.fmean(finding.normalised[size]) for finding in of_size])} ({bits:.2f})"


def _deviation_over_seeds(group: Sequence[Finding], size: str) -> str | None:
    of_languages = [finding.normalised.get(size, []) for finding in group]
    deviations = [statistics.stdev(of_seeds) for of_seeds in of_languages if len(of_seeds) > 1]
    return f"{statistics.fmean(deviations):.3f}" if deviations else None


def _difference(group: Sequence[Finding], first: Sequence[Finding], size: str) -> str | None:
    differences = [
        statistics.fmean(one.normalised[size]) - statistics.fmean(other.normalised[size])
        for one, other in zip(group, first, strict=True)
        if size in one.normalised
    ]
    return _mean_and_error(differences, "+")


def _mean_and_error(values: Sequence[float], sign: str = "", digits: int = 3) -> str | None:
    if not values:
        return None
    mean = f"{statistics.fmean(values):{sign}.{digits}f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {statistics.stdev(values) / len(values) ** 0.5:.{digits}f}"


def _introduction(study: Study, request: Request, command: str) -> str:
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


def text_around_table(page: Path) -> tuple[str, str]:
    """Return what stands before and after the table: up to the first marker line, and from the second one on.

    Args:
        page: a Markdown file.

    Raises:
        BadInputError: the page or its markers are missing.
    """
    before, opening, rest = (page.read_text(encoding="utf-8") if page.exists() else "").partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not opening or not closing:
        raise BadInputError(f"{page}: expected a page with the lines {OPENING} and {CLOSING}")
    return before + opening, closing + after


def request_of(study: Study, options: argparse.Namespace) -> Request:
    """Return what the options ask for.

    Args:
        study: the study in force.
        options: of the command line.

    Raises:
        BadInputError: one of them names what the study does not have, no language has two values of the category, or
            there is no seed.
    """
    checkpoint = options.checkpoint or max(study.checkpoints, key=lambda key: study.checkpoints[key].step)
    study.checkpoint(checkpoint)
    available = manifest.read(manifest.path(checkpoint)).layers
    where = f"{PARAMS}: layers of checkpoint {checkpoint}"
    (layer,) = resolve_layers([options.layer or study.layers[-1]], available, where)
    category = _category(study, options.category)
    # The study's own family first: the others are compared with it.
    families = options.families or [study.probe.family, *(name for name in FAMILIES if name != study.probe.family)]
    _check_names("family", families, list(FAMILIES))
    _check_names("language", options.languages or [], study.languages)
    languages = options.languages or list(_languages_with(study, category))
    if not languages:
        raise BadInputError(f"{words.TABLE.path.parent}: no language has two values of {category} to be told apart")
    if options.seeds < 1:
        raise BadInputError(f"--seeds: expected at least 1, got {options.seeds}")
    return Request(checkpoint, layer, category, tuple(languages), tuple(families), options.seeds)


def _category(study: Study, given: str | None) -> str:
    if given is None:
        return study_categories(study)[0]
    try:
        return dimension_name(given)
    except KeyError:
        raise BadInputError(f"--category: unknown category {given!r}") from None


def _check_names(kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise BadInputError(f"unknown {kind} {name!r}, expected one of {', '.join(known)}")


def _languages_with(study: Study, category: str) -> Iterator[str]:
    for code in study.languages:
        _, values = _labelled_words(study, category, code)
        if len(values) > 1:
            yield code


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or put it into a page.

    Raises:
        SystemExit: study, options or page are wrong, or extract has not been run.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__)
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
        request = request_of(study, options)
        around = text_around_table(options.output) if options.output else None
        command = f"python benchmarks/documents/probe_families.py {shlex.join(arguments)}".rstrip()
        text = markdown(study, request, compare(study, request), command)
        if around:
            with new_file(options.output) as temporary:
                temporary.write_text(f"\n{text}\n".join(around), encoding="utf-8")
        else:
            print(text)
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
