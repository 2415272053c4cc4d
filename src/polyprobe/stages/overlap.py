"""How many neurons the probes of two languages share, per checkpoint, layer and category, against chance."""

import pandas as pd

from polyprobe.alignment import tables
from polyprobe.alignment.informativeness import informativeness
from polyprobe.artefacts import manifest, probes
from polyprobe.artefacts import overlap as plots
from polyprobe.choices.categories import study_categories
from polyprobe.choices.layers import study_layers
from polyprobe.choices.sizes import largest_size, set_sizes
from polyprobe.running.files import new_folder
from polyprobe.stage import run_stage
from polyprobe.study import Study


def overlap(study: Study) -> None:
    """Compares the languages of every checkpoint that was not dropped."""
    found = [_of_checkpoint(study, key) for key in study.checkpoints]
    schemas = [plots.PAIRS_SCHEMA] * 2 + [plots.NEURONS_SCHEMA, plots.CATEGORIES_SCHEMA, probes.PLOT_SCHEMA]
    columns = [schema.names for schema in schemas]
    pairs, smaller, neurons, categories, told = map(tables.join, zip(*found, strict=True), columns)
    means = tables.join([tables.means(pairs)], plots.MEANS_SCHEMA.names)
    sizes = tables.join([tables.means(smaller), means[means["studied"].astype(bool)]], plots.SIZES_SCHEMA.names)
    last = tables.last_checkpoints(pairs, [key for key, entry in study.checkpoints.items() if entry.converged])
    heatmap = tables.join([tables.heatmap(pairs[pairs["checkpoint"].isin(last)])], plots.HEATMAP_SCHEMA.names)
    with new_folder(plots.FOLDER) as folder:
        plots.write_pairs(folder / plots.PAIRS.name, pairs)
        plots.write_means(folder / plots.MEANS.name, means)
        plots.write_sizes(folder / plots.SIZES.name, sizes.sort_values("k", kind="stable"))
        plots.write_means(folder / plots.LAYERS.name, means[means["checkpoint"].isin(last)])
        plots.write_heatmap(folder / plots.HEATMAP.name, heatmap)
        plots.write_categories(folder / plots.CATEGORIES.name, categories)
        plots.write_neurons(folder / plots.NEURONS.name, neurons)
        probes.write_plot(probes.PLOT, told)


def _of_checkpoint(study: Study, key: str) -> list[pd.DataFrame]:
    """Pairs of languages, the study's own for every smaller k, neurons that several languages share, pairs of
    categories, and what the probes tell."""
    about, settings = manifest.read(manifest.path(key)), study.overlap
    if about.dropped:
        return [pd.DataFrame()] * 5
    found = probes.read(probes.path(key))
    layers, categories = study_layers(study, key, about.layers), study_categories(study)
    k = largest_size(study)
    own = found[found["layer"].isin(layers) & found["category"].isin(categories)]
    pairs, smaller = (
        tables.pairs_of_checkpoint(rows, study.languages, sizes, about.width, settings.correction, settings.alpha)
        for rows, sizes in ((found, [k]), (own, set_sizes(study)[:-1]))
    )
    frames = (
        *(tables.placed(one, about.tokens_seen, about.layers, layers, categories) for one in (pairs, smaller)),
        tables.neurons_of_checkpoint(found, study.languages, k, about.width, layers, categories),
        tables.categories_of_checkpoint(found, k, about.width, layers, categories),
        informativeness(found, k),
    )
    return [frame.assign(checkpoint=key, model=about.model, step=about.step) for frame in frames]


if __name__ == "__main__":
    run_stage(overlap)
