"""Correlates overlap of neurons with zero-shot transfer: `python -m polyprobe.stages.correlate`."""

from polyprobe.running.stage import run_stage
from polyprobe.study import Study


def correlate(study: Study) -> None:
    """Writes the transfer table, the points, the correlation table (Table 1) and the study's summary."""
    from polyprobe import analysis
    from polyprobe.artefacts import correlation, manifest, overlap, scores

    chosen, source = study.correlate, study.source_language
    manifests = [found for key in study.checkpoints if not (found := manifest.read(manifest.path(key))).dropped]
    scored = [
        (found, task, scores.read(scores.folder(task, found.checkpoint) / scores.NAME))
        for task in scores.TASKS
        for found in manifests
    ]
    transfer = analysis.transfer_table(scored, [source, *study.target_languages])
    layers = {found.checkpoint: study.correlated_layers(found.layers) for found in manifests}
    pairs = analysis.choose_overlap(overlap.read_pairs(), manifests, layers, study.correlated_categories)
    parts = analysis.points_of_parts(
        pairs,
        transfer,
        manifests,
        source_language=source,
        pairs=chosen.pairs,
        include_converged={(task, name): value for task, choice in chosen.include_converged for name, value in choice},
    )
    cells = analysis.correlation_table(
        parts,
        transfer,
        source_language=source,
        converged=[found.checkpoint for found in manifests if found.converged],
        resamples=chosen.resamples,
        seed=study.seed,
    )
    summary = analysis.summary(overlap.read_means(), transfer, cells, manifests, source_language=source)
    scores.write_plot(scores.PLOT, transfer)
    correlation.write_points(correlation.POINTS, parts[0].points)
    correlation.write(correlation.PATH, cells)
    correlation.write_summary(correlation.SUMMARY, summary)


if __name__ == "__main__":
    run_stage(correlate)
