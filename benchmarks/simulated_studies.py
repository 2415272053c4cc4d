"""Simulated studies with a planted relation, told apart by the analysis: `python benchmarks/simulated_studies.py`.

Each study goes through our own tables: points, correlation table, predictors. The table of how often each statistic
says that overlap and transfer are related is printed and written to `benchmarks/results/simulated_studies.md`.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from polyprobe import analysis
from polyprobe.artefacts.manifest import Manifest
from polyprobe.running.progress import progress

RESULT = Path(__file__).parent / "results" / "simulated_studies.md"
LANGUAGES: Final = ("en", "ar", "es", "fr", "hi", "ur", "vi", "zh")
"""The source language first."""
LAYER, CATEGORY, TASK, METRIC = 13, "Number", "pos", "f1"
LEVEL: Final = 0.05

PLANTED: Final = {
    "none": "none",
    "quality": "through quality, which the source score tells",
    "hidden_quality": "through quality, which the source score tells in part",
    "overlap": "through overlap itself",
}


@dataclass(frozen=True)
class Simulated:
    """Many studies of as many models, as the tables that the analysis reads."""

    manifests: list[Manifest]
    overlap: pd.DataFrame
    transfer: pd.DataFrame
    told: pd.DataFrame


def simulate(planted: str, checkpoints: int, studies: int, seed: int = 0) -> Simulated:
    """Simulate studies of one model each.

    A checkpoint's quality grows over training, with noise. Overlap follows it (but for `none`), with noise that the
    languages of a checkpoint share and noise of their own, and differs in level from language to language. The score
    follows quality, or overlap itself, likewise. Probes tell of quality with noise; the source language's score is the
    quality, in `hidden_quality` with noise as large as the quality's own.

    Args:
        planted: a key of `PLANTED`.
        checkpoints: of each study.
        studies: how many.
        seed: of the simulation.
    """
    generator = np.random.default_rng([seed, checkpoints, list(PLANTED).index(planted)])
    shape = (studies, checkpoints, len(LANGUAGES) - 1)

    def noise(shared: float, own: float, level: float) -> np.ndarray:
        parts = [(shared, (*shape[:2], 1)), (own, shape), (level, (studies, 1, shape[2]))]
        return sum(size * generator.normal(size=extent) for size, extent in parts)

    quality = np.linspace(0, 1, checkpoints)[None, :, None] + 0.2 * generator.normal(size=(*shape[:2], 1))
    overlap = (0.0 if planted == "none" else quality) + noise(0.2, 0.2, 0.2)
    score = (overlap if planted == "overlap" else quality) + noise(0.1, 0.1, 0.2)
    accuracy = quality + noise(0.1, 0.1, 0.1)
    hidden = 0.2 if planted == "hidden_quality" else 0.0
    source = quality[:, :, 0] + hidden * generator.normal(size=shape[:2])

    manifests = [_manifest(study, step) for study in range(studies) for step in range(checkpoints)]
    names = np.array([found.checkpoint for found in manifests])
    pairwise = {"checkpoint": names.repeat(shape[2]), "language": np.tile(LANGUAGES[1:], len(names))}
    scores = pd.concat(
        [
            pd.DataFrame(pairwise | {"score": score.ravel()}),
            pd.DataFrame({"checkpoint": names, "language": LANGUAGES[0], "score": source.ravel()}),
        ],
        ignore_index=True,
    )
    return Simulated(
        manifests,
        pd.DataFrame(pairwise | {"overlap": overlap.ravel(), "corrected": overlap.ravel()})
        .rename(columns={"language": "language_b"})
        .assign(language_a=LANGUAGES[0], layer=LAYER, category=CATEGORY),
        scores.assign(task=TASK, metric=METRIC, majority=-9.0, untrained=-9.0, standard_error=0.0),
        pd.DataFrame(pairwise | {"test_accuracy": accuracy.ravel()}).assign(
            layer=LAYER, category=CATEGORY, control="none"
        ),
    )


def _manifest(study: int, step: int) -> Manifest:
    return Manifest(
        checkpoint=f"{study}-{step}", model=str(study), repository=None, commit=None, folder=None, weights_sha256="",
        config_sha256="", tokenizer_sha256="", parameters=0, layers=25, width=1024, dtype="float32", step=step,
        tokens_seen=None,
        converged=False,
    )  # fmt: skip


def analysed(simulated: Simulated, resamples: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Analyse the studies with our own tables.

    Args:
        simulated: the studies.
        resamples: of the bootstraps and permutations.

    Returns:
        The total's cells of the correlation table, and overlap's rows of the predictors, of each study.
    """
    layers = {found.checkpoint: [LAYER] for found in simulated.manifests}
    points = analysis.points(
        simulated.overlap,
        simulated.transfer,
        simulated.manifests,
        source_language=LANGUAGES[0],
        pairs="with_source",
        include_converged={(TASK, name): True for name in ("average", "pairwise")},
    )
    cells = analysis.correlation_table(
        [analysis.Part(None, None, points)],
        simulated.transfer,
        simulated.manifests,
        layers=layers,
        source_language=LANGUAGES[0],
        resamples=resamples,
        seed=0,
    )
    predicted = analysis.predictor_points(
        points,
        simulated.transfer,
        simulated.told,
        pd.DataFrame(columns=["checkpoint", "language", "layer", "cosine", "mismatched"]),
        source_language=LANGUAGES[0],
        layers=layers,
        categories=[CATEGORY],
    )
    table = analysis.predictor_table(predicted, cells, resamples=resamples, seed=0)
    return pd.DataFrame([cell for cell in cells if cell["task"] == TASK]), table[table["predictor"] == "overlap"]


@dataclass(frozen=True)
class Told:
    """What the analysis says of many studies; shares of them that say yes, None where a statistic cannot be had."""

    r: float
    """Mean over studies."""
    plain: float
    permutation: float
    mixed: float | None
    partial: float
    """Mean over studies of r given the other predictors."""
    given_others: float | None
    """The interval of overlap given the other predictors lies above or below 0."""


def told(planted: str, checkpoints: int, studies: int, resamples: int = 1000) -> dict[str, Told]:
    """Return what is said of pairwise points and of averages.

    Args:
        planted: a key of `PLANTED`.
        checkpoints: of each study.
        studies: how many.
        resamples: of the bootstraps and permutations.

    Returns:
        By aggregation, means and shares over the studies.
    """
    cells, predictors = analysed(simulate(planted, checkpoints, studies), resamples)
    found = {}
    for aggregation in ("average", "pairwise"):
        of_cells = cells[cells["aggregation"] == aggregation]
        of_predictors = predictors[predictors["aggregation"] == aggregation]
        low, high = (of_predictors[name].astype(float) for name in ("low", "high"))
        mixed = of_cells["mixed_p"].astype(float)
        found[aggregation] = Told(
            r=float(of_cells["r"].mean()),
            plain=float((of_cells["p"] < LEVEL).mean()),
            permutation=float((of_cells["permutation_p"] < LEVEL).mean()),
            mixed=float((mixed < LEVEL).mean()) if mixed.notna().any() else None,
            partial=float(of_predictors["partial"].astype(float).mean()),
            given_others=float(((low > 0) | (high < 0)).mean()) if low.notna().any() else None,
        )
    return found


def rows(sizes: list[int], studies: int) -> Iterator[str]:
    """Yield the lines of the table.

    Args:
        sizes: numbers of checkpoints.
        studies: how many for each line.
    """
    columns = ["relation planted", "checkpoints", "points", "mean r", "plain p < .05", "mixed model's p < .05",
               "permutation p < .05", "mean r given the others", "its interval excludes 0"]  # fmt: skip
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    cases = [(planted, size) for planted in PLANTED for size in sizes]
    for planted, size in progress(cases, description="simulated", unit="case"):
        for aggregation, one in told(planted, size, studies).items():
            mixed, given = ("–" if share is None else f"{share:.0%}" for share in (one.mixed, one.given_others))
            yield (
                f"| {PLANTED[planted]} | {size} | {aggregation} | {one.r:.2f} | {one.plain:.0%} | {mixed} "
                f"| {one.permutation:.0%} | {one.partial:.2f} | {given} |"
            )


READING: Final = """\
How to read it. Where nothing is planted, a test at the level of 5 % should say yes in about 5 % of the studies. The
permutation of checkpoints and the interval given the other predictors do; the plain p of pairwise points does not, nor
does the mixed model, because both take the points of one checkpoint for independent. Where overlap and score both
follow the model's quality, r is large and every test of r says yes, rightly: they are related, but not through overlap.
Only what overlap adds to the other predictors (probe accuracy and the source language's score) tells this case from the
last one, in which transfer follows overlap itself.

Two limits. What the source language's score does not tell of a model's quality counts for overlap: in the third case
overlap keeps an r that is not its own, and its interval excludes 0 too often once there are many checkpoints. An
interval above 0 says that overlap knows more of transfer than the other predictors do, not that it causes transfer. And
few checkpoints limit what can be said: with six, averages are six points, and their interval given two predictors
cannot be had at all (–: most resamples have too few different points). Six checkpoints do tell the cases apart by
pairwise points, where the relation is as strong as it is here."""


def main() -> None:
    """Simulate, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--checkpoints", type=int, nargs="+", default=[6, 20])
    chosen = parser.parse_args()
    lines = [
        "# Simulated studies",
        "",
        f"{chosen.studies} studies for each line, made up by `python benchmarks/simulated_studies.py` with a planted",
        f"relation of overlap and transfer ({len(LANGUAGES) - 1} target languages, all of the analysis' own code): how",
        "often each statistic says yes.",
        "",
        *rows(chosen.checkpoints, chosen.studies),
        "",
        READING,
        "",
    ]
    print("\n".join(lines))
    RESULT.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
