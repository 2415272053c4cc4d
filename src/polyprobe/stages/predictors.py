"""Compares overlap with other predictors of transfer."""

from polyprobe.stage import run_stage
from polyprobe.study import Study


def predictors(study: Study) -> None:
    """Write `plots/predictors.csv`."""
    import pandas as pd

    from polyprobe import analysis
    from polyprobe.artefacts import correlation, manifest, probes, scores, similarity
    from polyprobe.artefacts import predictors as table
    from polyprobe.choices.categories import correlated_categories
    from polyprobe.choices.layers import correlated_layers
    from polyprobe.running.files import existing

    manifests = [found for key in study.checkpoints if not (found := manifest.read(manifest.path(key))).dropped]
    files = {similarity.TABLE.at(checkpoint=found.checkpoint): found.checkpoint for found in manifests}
    alike = [similarity.TABLE.read(file).assign(checkpoint=files[file]) for file in existing(list(files))]
    points = analysis.predictor_points(
        correlation.POINTS.read(),
        scores.PLOT.read(),
        probes.PLOT.read(),
        pd.concat([pd.DataFrame(columns=[*similarity.TABLE.schema.names, "checkpoint"]), *alike], ignore_index=True),
        source_language=study.source_language,
        layers={found.checkpoint: correlated_layers(study, found.layers) for found in manifests},
        categories=correlated_categories(study),
    )
    cells = correlation.TABLE.read()
    table.TABLE.write(analysis.predictor_table(points, cells, resamples=study.correlate.resamples, seed=study.seed))


if __name__ == "__main__":
    run_stage(predictors)
