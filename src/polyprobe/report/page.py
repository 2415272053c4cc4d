"""`data/report/`: one HTML page that needs no network, and its figures as SVG and PDF."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from polyprobe.artefacts.manifest import Manifest
from polyprobe.figures import FIGURES, Tables, save
from polyprobe.report.inline_svg import inline_svg
from polyprobe.report.listings import (
    checkpoint_listing,
    corpus_listing,
    correlation_listing,
    neuron_listing,
    overlap_listings,
    predictor_listing,
    selection_listings,
    transfer_listings,
)
from polyprobe.running.files import new_folder

FOLDER: Final = Path("data/report")
TEMPLATE: Final = "page.html"

SUMMARY_NAMES: Final = {
    "overlap_first": "overlap, first checkpoint",
    "overlap_last": "overlap, last checkpoint",
    "overlap_chance": "overlap by chance",
    "overlap_null": "corrected overlap, shuffled labels",
    "ceiling_last": "noise ceiling",
    "xnli_last": "XNLI zero-shot, last checkpoint",
    "pos_last": "POS zero-shot, last checkpoint",
    "xnli_average_r": "r of overlap and XNLI",
    "pos_average_r": "r of overlap and POS",
}


def write_report(
    folder: Path,
    tables: Tables,
    *,
    study: str,
    manifests: Sequence[Manifest],
    corpus: Sequence[dict[str, Any]],
    summary: Mapping[str, float | None],
) -> None:
    """Writes `index.html` and `figures/*.svg`, `figures/*.pdf`, whole or not at all.

    Args:
        folder: where; what is there is replaced.
        tables: the study's tables.
        study: its name.
        manifests: its checkpoints, dropped ones too.
        corpus: `metrics/corpus.json`.
        summary: `metrics/summary.json`.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("polyprobe.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with new_folder(folder) as temporary:
        (temporary / "figures").mkdir()
        page = environment.get_template(TEMPLATE).render(
            study=study,
            languages=tables.languages,
            source_language=tables.source_language,
            summary=[
                (SUMMARY_NAMES.get(name, name), "withheld or none" if value is None else f"{value:.3f}")
                for name, value in summary.items()
            ],
            at_chance=_at_chance(tables),
            figures=_draw_all(tables, temporary / "figures"),
            checkpoints=checkpoint_listing(manifests),
            overlap=overlap_listings(tables),
            neurons=neuron_listing(tables.neurons),
            selection=selection_listings(tables),
            transfer=transfer_listings(tables),
            correlation=correlation_listing(tables.cells, total=True),
            correlation_parts=correlation_listing(tables.cells, total=False),
            predictors=predictor_listing(tables.predictors),
            corpus=corpus_listing(corpus),
        )
        (temporary / "index.html").write_text(page + "\n", encoding="utf-8")


def _draw_all(tables: Tables, folder: Path) -> dict[str, dict[str, str]]:
    drawn = {}
    for figure in FIGURES:
        data = figure.data(tables)
        if data.empty:
            continue
        save(figure.draw(data, tables), folder, figure.NAME)
        svg = (folder / f"{figure.NAME}.svg").read_text(encoding="utf-8")
        title = html.escape(figure.TITLE, quote=True)
        drawn[figure.NAME] = {
            "title": figure.TITLE,
            "reading": figure.READING,
            "svg": inline_svg(svg, figure.NAME, title),
        }
    return drawn


def _at_chance(tables: Tables) -> list[str]:
    """Model and task whose transfer is at chance."""
    return sorted({f"{cell['model']}, {cell['task'].upper()}" for cell in tables.cells if cell["at_chance"]})
