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
    found = [_of_checkpoint(study, key) for key in study.checkpoints]
    schemas = (plots.PAIRS_SCHEMA, plots.NEURONS_SCHEMA, plots.CATEGORIES_SCHEMA, probes.PLOT_SCHEMA)
    columns = [schema.names for schema in schemas]
    pairs, neurons, categories, told = map(tables.join, zip(*found, strict=True), columns)
    means = tables.join([tables.means(pairs)], plots.MEANS_SCHEMA.names)
    heatmap = tables.join([tables.heatmap(pairs)], plots.HEATMAP_SCHEMA.names)
    with new_folder(plots.FOLDER) as folder:
        plots.write_pairs(folder / plots.PAIRS.name, pairs)
        plots.write_means(folder / plots.MEANS.name, means)
        plots.write_means(folder / plots.LAYERS.name, tables.last_checkpoint(means))
        plots.write_heatmap(folder / plots.HEATMAP.name, heatmap)
        plots.write_categories(folder / plots.CATEGORIES.name, categories)
        plots.write_neurons(folder / plots.NEURONS.name, neurons)
        probes.write_plot(probes.PLOT, told)


def _of_checkpoint(study: Study, key: str) -> list[pd.DataFrame]:
    """Pairs of languages, neurons that several share, pairs of categories, and what the probes tell."""
    about, settings = manifest.read(manifest.path(key)), study.overlap
    if about.dropped:
        return [pd.DataFrame()] * 4
    found = probes.read(probes.path(key))
    studied = resolve_layers(study.layers, about.layers, f"{PARAMS}: layers of checkpoint {key}")
    pairs = tables.pairs_of_checkpoint(
        found, study.languages, settings.k, about.width, settings.correction, settings.alpha
    )
    if len(pairs):
        pairs = pairs.assign(
            tokens_seen=about.tokens_seen,
            depth=(pairs["layer"] - 1) / (about.layers - 1),
            studied=pairs["layer"].isin(studied) & pairs["category"].isin(study.categories),
        )
    neurons = tables.neurons_of_checkpoint(found, study.languages, settings.k, about.width, studied, study.categories)
    categories = tables.categories_of_checkpoint(found, settings.k, about.width, studied, study.categories)
    frames = (pairs, neurons, categories, informativeness(found, settings.k))
    return [frame.assign(checkpoint=key, model=about.model, step=about.step) for frame in frames]


if __name__ == "__main__":
    run_stage(overlap)
