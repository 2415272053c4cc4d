"""How many neurons the probes of two languages share, per checkpoint, layer and category, against chance."""

import pandas as pd

from polyprobe.alignment import tables
from polyprobe.alignment.informativeness import informativeness
from polyprobe.artefacts import manifest, probes
from polyprobe.artefacts import overlap as plots
from polyprobe.running import new_folder
from polyprobe.running.stage import run_stage
from polyprobe.study import PARAMS, Study, resolve_layers


def overlap(study: Study) -> None:
    """Compares the languages of every checkpoint that was not dropped."""
    pairs = tables.join([_pairs(study, key) for key in study.checkpoints], plots.PAIRS_SCHEMA.names)
    told = tables.join([_told(study, key) for key in study.checkpoints], probes.PLOT_SCHEMA.names)
    means = tables.join([tables.means(pairs)], plots.MEANS_SCHEMA.names)
    heatmap = tables.join([tables.heatmap(pairs)], plots.HEATMAP_SCHEMA.names)
    with new_folder(plots.FOLDER) as folder:
        plots.write_pairs(folder / plots.PAIRS.name, pairs)
        plots.write_means(folder / plots.MEANS.name, means)
        plots.write_means(folder / plots.LAYERS.name, tables.last_checkpoint(means))
        plots.write_heatmap(folder / plots.HEATMAP.name, heatmap)
        probes.write_plot(probes.PLOT, told)


def _pairs(study: Study, key: str) -> pd.DataFrame:
    about = manifest.read(manifest.path(key))
    if about.dropped:
        return pd.DataFrame()
    settings = study.overlap
    found = probes.read(probes.path(key))
    pairs = tables.pairs_of_checkpoint(
        found, study.languages, settings.k, about.width, settings.correction, settings.alpha
    )
    if pairs.empty:
        return pairs
    studied = resolve_layers(study.layers, about.layers, f"{PARAMS}: layers of checkpoint {key}")
    return pairs.assign(
        checkpoint=key,
        model=about.model,
        step=about.step,
        tokens_seen=about.tokens_seen,
        depth=(pairs["layer"] - 1) / (about.layers - 1),
        studied=pairs["layer"].isin(studied) & pairs["category"].isin(study.categories),
    )


def _told(study: Study, key: str) -> pd.DataFrame:
    about = manifest.read(manifest.path(key))
    if about.dropped:
        return pd.DataFrame()
    told = informativeness(probes.read(probes.path(key)), study.overlap.k)
    return told.assign(checkpoint=key, model=about.model, step=about.step)


if __name__ == "__main__":
    run_stage(overlap)
