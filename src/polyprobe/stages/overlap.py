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
    means = tables.join([tables.means(found.pairs)], plots.MEANS.schema.names)
    means_of_study = means[means["studied"].astype(bool)]
    sizes = tables.join([tables.means(found.pairs_by_smaller_k), means_of_study], plots.SIZES.schema.names)
    converged = [key for key, entry in study.checkpoints.items() if entry.converged]
    last = tables.last_checkpoints(found.pairs, converged)
    pairs_of_last = found.pairs[found.pairs["checkpoint"].isin(last)]
    heatmap = tables.join([tables.heatmap(pairs_of_last)], plots.HEATMAP.schema.names)
    with new_folder(plots.FOLDER) as folder:
        plots.PAIRS.write(found.pairs, folder / plots.PAIRS.path.name)
        plots.MEANS.write(means, folder / plots.MEANS.path.name)
        plots.SIZES.write(sizes.sort_values("k", kind="stable"), folder / plots.SIZES.path.name)
        plots.LAYERS.write(means[means["checkpoint"].isin(last)], folder / plots.LAYERS.path.name)
        plots.HEATMAP.write(heatmap, folder / plots.HEATMAP.path.name)
        plots.CATEGORIES.write(found.pairs_of_categories, folder / plots.CATEGORIES.path.name)
        plots.NEURONS.write(found.shared_neurons, folder / plots.NEURONS.path.name)
        probes.PLOT.write(found.informativeness)


def _of_checkpoint(study: Study, about: manifest.Manifest) -> OverlapTables:
    found = probes.TABLE.read(probes.TABLE.at(checkpoint=about.checkpoint))
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
