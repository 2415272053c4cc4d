"""Coverage of the bootstrap's 95 % interval of r when checkpoints are few: `python benchmarks/interval_coverage.py`.

The simulated studies are those of `polyprobe.analysis.coverage`, which holds the table's second pair of columns for the
report: when they differ, this script says so, and the numbers there are to be replaced. The table is printed and
written to `benchmarks/results/interval_coverage.md`.
"""

import sys
from pathlib import Path

from polyprobe.analysis import coverage
from polyprobe.running.progress import progress

RESULT = Path(__file__).parent / "results" / "interval_coverage.md"
CHECKPOINTS = (3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20)
AGGREGATIONS = ("average", "pairwise")
UNRELATED = 0.0
SEED = 0

SIMULATED = """\
How many of the simulated studies have an interval (bootstrap over checkpoints) that holds the true r, by
`python benchmarks/interval_coverage.py`. A checkpoint has an overlap and a score of its own, normal and correlated
({r}); to both each of {languages} languages adds noise of its own, {noise:.0%} of a point's variance. The true r is
that of infinitely many such checkpoints. {studies} studies each: a number's standard error is about {error:.1%}."""
READING = """\
With as few checkpoints as a study has, the interval holds the true r less often than the 95 % that it promises: it is
too narrow, most of all for pairwise points with a large r. Few checkpoints show little of what others might have been,
and more languages at the same checkpoints do not help. The report prints the last two columns beside the interval."""


def measure(checkpoint_r: float) -> dict[tuple[int, str], float]:
    """Return the coverage per number of checkpoints and aggregation.

    Args:
        checkpoint_r: correlation of the checkpoints' own overlap and score.
    """
    cells = [(count, aggregation) for count in CHECKPOINTS for aggregation in AGGREGATIONS]
    return {
        cell: coverage.simulated_coverage(*cell, studies=coverage.STUDIES, seed=SEED, checkpoint_r=checkpoint_r)
        for cell in progress(cells, description=f"r {checkpoint_r}", unit="size")
    }


def page(found: dict[float, dict[tuple[int, str], float]]) -> str:
    """Return the table with how to read it.

    Args:
        found: by correlation of the checkpoints, what `measure` returns.
    """
    headings = [
        f"{aggregation}, true r {coverage.true_r(aggregation, r):.2f}" for r in found for aggregation in AGGREGATIONS
    ]
    lines = [
        "# Coverage of the 95 % interval of r",
        "",
        SIMULATED.format(
            r=" or ".join(map(str, found)),
            languages=coverage.LANGUAGES,
            noise=coverage.NOISE,
            studies=coverage.STUDIES,
            error=(0.85 * 0.15 / coverage.STUDIES) ** 0.5,
        ),
        "",
        f"| checkpoints | {' | '.join(headings)} |",
        "|" + "---|" * (len(headings) + 1),
    ]
    for count in CHECKPOINTS:
        shares = [found[r][count, aggregation] for r in found for aggregation in AGGREGATIONS]
        lines.append(f"| {count} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    return "\n".join([*lines, "", READING, ""])


def main() -> None:
    """Measure, print and write the table."""
    found = {r: measure(r) for r in (UNRELATED, coverage.CHECKPOINT_R)}
    text = page(found)
    print(text)
    RESULT.write_text(text, encoding="utf-8")
    if found[coverage.CHECKPOINT_R] != coverage.MEASURED:
        print(f"analysis/coverage.py: MEASURED is to be {found[coverage.CHECKPOINT_R]}", file=sys.stderr)


if __name__ == "__main__":
    main()
