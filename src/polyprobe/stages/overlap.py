"""How many neurons the probes of two languages share, per checkpoint, layer and category, against chance."""

import pandas as pd

from polyprobe.alignment import tables
from polyprobe.alignment.informativeness import informativeness
from polyprobe.alignment.tables import OverlapTables
from polyprobe.artefacts import manifest, probes
from polyprobe.artefacts import overlap as plots
from polyprobe.choices.categories import study_categories
from polyprobe.choices.layers import study_layers
from polyprobe.choices.sizes import largest_size, set_sizes
from polyprobe.running.files import new_folder
from polyprobe.stage import run_stage
from polyprobe.study import Study


def overlap(study: Study) -> None:
    """Compare the languages of every checkpoint that was not dropped, and write the tables that are plotted."""
    manifests = [manifest.read(manifest.path(key)) for key in study.checkpoints]
    found = tables.of_all_checkpoints([_of_checkpoint(study, about) for about in manifests if not about.dropped])
    means = tables.join([tables.means(found.pairs)], plots.MEANS_SCHEMA.names)
    means_of_study = means[means["studied"].astype(bool)]
    sizes = tables.join([tables.means(found.pairs_by_smaller_k), means_of_study], plots.SIZES_SCHEMA.names)
    converged = [key for key, entry in study.checkpoints.items() if entry.converged]
    last = tables.last_checkpoints(found.pairs, converged)
    pairs_of_last = found.pairs[found.pairs["checkpoint"].isin(last)]
    heatmap = tables.join([tables.heatmap(pairs_of_last)], plots.HEATMAP_SCHEMA.names)
    with new_folder(plots.FOLDER) as folder:
        plots.write_pairs(folder / plots.PAIRS.name, found.pairs)
        plots.write_means(folder / plots.MEANS.name, means)
        plots.write_sizes(folder / plots.SIZES.name, sizes.sort_values("k", kind="stable"))
        plots.write_means(folder / plots.LAYERS.name, means[means["checkpoint"].isin(last)])
        plots.write_heatmap(folder / plots.HEATMAP.name, heatmap)
        plots.write_categories(folder / plots.CATEGORIES.name, found.pairs_of_categories)
        plots.write_neurons(folder / plots.NEURONS.name, found.shared_neurons)
        probes.write_plot(probes.PLOT, found.informativeness)


def _of_checkpoint(study: Study, about: manifest.Manifest) -> OverlapTables:
    found = probes.read(probes.path(about.checkpoint))
    layers = study_layers(study, about.checkpoint, about.layers)
    categories = study_categories(study)
    of_study = found[found["layer"].isin(layers) & found["category"].isin(categories)]
    k, smaller = largest_size(study), set_sizes(study)[:-1]

    def pairs(rows: pd.DataFrame, sizes: list[int]) -> pd.DataFrame:
        table = tables.pairs_of_checkpoint(
            rows, study.languages, sizes, about.width, study.overlap.correction, study.overlap.alpha
        )
        return tables.add_depth(table, about.tokens_seen, about.layers, layers, categories)

    def named(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(checkpoint=about.checkpoint, model=about.model, step=about.step)

    return OverlapTables(
        pairs=named(pairs(found, [k])),
        pairs_by_smaller_k=named(pairs(of_study, smaller)),
        shared_neurons=named(tables.neurons_of_checkpoint(found, study.languages, k, about.width, layers, categories)),
        pairs_of_categories=named(tables.categories_of_checkpoint(found, k, about.width, layers, categories)),
        informativeness=named(informativeness(found, k)),
    )


if __name__ == "__main__":
    run_stage(overlap)
