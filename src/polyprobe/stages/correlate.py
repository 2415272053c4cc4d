"""Correlates overlap of neurons with zero-shot transfer: `python -m polyprobe.stages.correlate`."""

from itertools import product

from polyprobe.stage import run_stage
from polyprobe.study import Study


def correlate(study: Study) -> None:
    """Writes the transfer table, the points, the correlation table (Table 1), the drops and the study's summary."""
    from polyprobe import analysis
    from polyprobe.artefacts import correlation, drops, manifest, overlap, scores
    from polyprobe.choices.categories import categories_of, correlated_categories
    from polyprobe.choices.languages import target_languages
    from polyprobe.choices.layers import correlated_layers, layers_of

    chosen, source = study.correlate, study.source_language
    everything = [manifest.read(manifest.path(key)) for key in study.checkpoints]
    kept = [found for found in everything if not found.dropped]
    files = {scores.folder(task, found.checkpoint) / scores.NAME: (found, task)
             for task, found in product(scores.TASKS, kept)}  # fmt: skip
    scored = [(*files[file], scores.read(file)) for file in analysis.files_there(list(files))]
    transfer = analysis.transfer_table(scored, [source, *target_languages(study)])
    layers = {found.checkpoint: correlated_layers(study, found.layers) for found in kept}
    categories = correlated_categories(study)
    probed = {found.checkpoint: set(product(categories_of(study, found.checkpoint),
                                            layers_of(study, found.checkpoint, found.layers)))
              for found in kept}  # fmt: skip
    pairs = analysis.choose_overlap(overlap.read_pairs(), kept, layers, categories, probed)
    parts = analysis.points_of_parts(
        pairs,
        transfer,
        kept,
        layers=layers,
        categories=categories,
        source_language=source,
        pairs=chosen.pairs,
        include_converged={(task, name): value for task, choice in chosen.include_converged for name, value in choice},
    )
    cells = analysis.correlation_table(
        parts, transfer, everything, layers=layers, source_language=source, resamples=chosen.resamples, seed=study.seed
    )
    falls = analysis.drop_table(pairs, transfer, kept, source_language=source, pairs=chosen.pairs)
    summary = analysis.summary(overlap.read_means(), transfer, cells, kept, source_language=source)
    scores.write_plot(scores.PLOT, transfer)
    correlation.write_points(correlation.POINTS, parts[0].points)
    correlation.write(correlation.PATH, cells)
    drops.write(drops.PATH, falls)
    correlation.write_summary(correlation.SUMMARY, summary)


if __name__ == "__main__":
    run_stage(correlate)
