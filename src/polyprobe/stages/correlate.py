"""Correlates overlap of neurons with zero-shot transfer."""

from typing import TYPE_CHECKING

from polyprobe.stage import run_stage
from polyprobe.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from polyprobe.artefacts.manifest import Manifest


def correlate(study: Study) -> None:
    """Write the transfer table, the points, the correlation table (Table 1), the drops and the study's summary."""
    from polyprobe import analysis
    from polyprobe.artefacts import correlation, drops, manifest, overlap, scores
    from polyprobe.choices.categories import correlated_categories
    from polyprobe.choices.languages import target_languages
    from polyprobe.choices.layers import correlated_layers

    settings, source = study.correlate, study.source_language
    manifests = [manifest.read(manifest.path(key)) for key in study.checkpoints]
    kept = [about for about in manifests if not about.dropped]
    layers = {about.checkpoint: correlated_layers(study, about.layers) for about in kept}
    categories = correlated_categories(study)
    transfer = analysis.transfer_table(_scores(kept), [source, *target_languages(study)])
    pairs = analysis.choose_overlap(overlap.PAIRS.read(), kept, layers, categories, _probed(study, kept))
    parts = analysis.points_of_parts(
        pairs,
        transfer,
        kept,
        layers=layers,
        categories=categories,
        source_language=source,
        pairs=settings.pairs,
        include_converged=_include_converged(study),
    )
    cells = analysis.correlation_table(
        parts,
        transfer,
        manifests,
        layers=layers,
        source_language=source,
        resamples=settings.resamples,
        seed=study.seed,
    )
    changes = analysis.drop_table(pairs, transfer, kept, source_language=source, pairs=settings.pairs)
    summary = analysis.summary(overlap.MEANS.read(), transfer, cells, kept, source_language=source)
    scores.PLOT.write(transfer)
    correlation.POINTS.write(parts[0].points)
    correlation.TABLE.write(cells)
    drops.TABLE.write(changes)
    correlation.SUMMARY.write(summary)


def _scores(manifests: "Sequence[Manifest]") -> "Iterator[tuple[Manifest, str, pd.DataFrame]]":
    """Yield the checkpoint, the task and the scores of each table of scores that is there."""
    from polyprobe.artefacts import scores
    from polyprobe.running.files import existing

    files = {
        scores.TABLE.at(task=task, checkpoint=about.checkpoint): (about, task)
        for task in scores.TASKS
        for about in manifests
    }
    for file in existing(list(files)):
        about, task = files[file]
        yield about, task, scores.TABLE.read(file)


def _probed(study: Study, manifests: "Sequence[Manifest]") -> dict[str, set[tuple[str, int]]]:
    """Return, by the checkpoints' keys, the categories and layers that are probed."""
    from polyprobe.choices.categories import categories_of
    from polyprobe.choices.layers import layers_of

    return {
        about.checkpoint: {
            (category, layer)
            for category in categories_of(study, about.checkpoint)
            for layer in layers_of(study, about.checkpoint, about.layers)
        }
        for about in manifests
    }


def _include_converged(study: Study) -> dict[tuple[str, str], bool]:
    """Return, by task and aggregation, whether the converged model is one of the points."""
    return {
        (task, aggregation): included
        for task, aggregations in study.correlate.include_converged
        for aggregation, included in aggregations
    }


if __name__ == "__main__":
    run_stage(correlate)
