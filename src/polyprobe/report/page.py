"""`data/report/`: one self-contained HTML page, and its figures for print as SVG and PDF."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from polyprobe.artefacts.manifest import Manifest
from polyprobe.figures import FIGURES, Tables, draw_all
from polyprobe.figures.style import families
from polyprobe.report import citation, listings
from polyprobe.report.colours import style_sheet, with_variables
from polyprobe.report.explorer import explorer
from polyprobe.report.fonts import font_faces
from polyprobe.report.headline import headline
from polyprobe.report.licences import licence_listing
from polyprobe.report.missing import missing
from polyprobe.report.paper_table import paper_comparison
from polyprobe.report.parameters import parameter_listing
from polyprobe.report.provenance import model_listing, task_data_listing, treebank_listing
from polyprobe.report.vega import vega_script
from polyprobe.running.files import new_folder
from polyprobe.study import Study

FOLDER: Final = Path("data/report")
PAGE: Final = FOLDER / "index.html"
_SECTIONS: Final[tuple[tuple[str, str], ...]] = (
    ("overlap", "Overlap"),
    ("transfer", "Transfer"),
    ("correlation", "Overlap and transfer"),
    ("paper", "Beside the paper"),
    ("run", "What was run"),
    ("corpus", "Corpus"),
    ("cite", "How to cite"),
)
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Records:
    """What the page says beside the study's tables."""

    study: Study
    manifests: Sequence[Manifest]
    """Of the study's checkpoints, dropped ones too."""
    corpus: Sequence[dict[str, Any]]
    """`metrics/corpus.json`."""
    summary: Mapping[str, float | None]
    """`metrics/summary.json`."""
    treebanks: Mapping[str, Sequence[dict[str, Any]]]
    """`metrics/treebanks.json`."""
    task_data: Sequence[dict[str, Any]]
    """`metrics/transfer_data.json`."""


def write_report(folder: Path, tables: Tables, records: Records, *, workers: int = 1) -> None:
    """Write `index.html` and `figures/*.svg`, `figures/*.pdf`, whole or not at all; the same bytes for the same study.

    The page loads nothing: libraries, data, font and the figures for print are in it.

    Args:
        folder: where they go; what is there is replaced.
        tables: the study's tables.
        records: what else the page says.
        workers: processes that draw the figures; no byte depends on their number.
    """
    with new_folder(folder) as temporary:
        (temporary / "figures").mkdir()
        figures = _draw_all(tables, temporary / "figures", workers)
        (temporary / "index.html").write_text(_page(tables, records, figures) + "\n", encoding="utf-8")


def _page(tables: Tables, records: Records, figures: Mapping[str, dict[str, Any]]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("polyprobe.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = _texts_and_listings(tables, records)
    charts = {
        figure.NAME: asdict(figure.chart(figure.data(tables), tables))
        for figure in FIGURES
        if figure.NAME in figures and hasattr(figure, "chart")
    }
    languages_by_family = [code for codes in families(tables.languages).values() for code in codes]
    return environment.get_template("page.html").render(
        **texts,
        figures=figures,
        colours=Markup(style_sheet()),
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        charts=_json(with_variables(charts)),
        pairs=_json(explorer(tables.pairs, languages_by_family)),
        library=_library(),
        script=Markup((_HERE / "page.js").read_text(encoding="utf-8")),
        fonts=Markup(font_faces(_characters(texts))),
    )


def _texts_and_listings(tables: Tables, records: Records) -> dict[str, Any]:
    """Return what the template shows, by its names for it.

    Args:
        tables: the study's tables.
        records: what else the page says.
    """
    study, manifests, task_data = records.study, records.manifests, records.task_data
    paper = paper_comparison(tables.cells, [about.model for about in manifests])
    return {
        "study": study.study,
        "languages": tables.languages,
        "source_language": tables.source_language,
        "sections": [section for section in _SECTIONS if paper or section[0] != "paper"],
        "summary": headline(records.summary, tables),
        "missing": missing(study, tables, manifests, records.corpus),
        "provenance": [
            listings.checkpoint_listing(manifests),
            model_listing(manifests),
            treebank_listing(records.treebanks),
            task_data_listing(task_data, study.transfer.source),
            licence_listing(manifests, records.treebanks, task_data, study.transfer.source),
        ],
        "parameters": parameter_listing(study),
        "overlap": listings.overlap_listings(tables),
        "neurons": listings.neuron_listing(tables.neurons),
        "selection": listings.selection_listings(tables),
        "transfer": listings.transfer_listings(tables),
        "correlation": listings.correlation_listing(tables.cells, total=True),
        "correlation_parts": listings.correlation_listing(tables.cells, total=False),
        "predictors": listings.predictor_listing(tables.predictors),
        "drops": listings.drop_listing(tables.drops),
        "paper": paper,
        "corpus": listings.corpus_listing(records.corpus),
        "citation": citation.TEXT,
    }


def _draw_all(tables: Tables, folder: Path, workers: int) -> dict[str, dict[str, Any]]:
    """Draw each figure that the study has data for, and return what the page shows of it.

    Args:
        tables: the study's tables.
        folder: where the files go; it has to exist.
        workers: processes that draw; no byte depends on their number.

    Returns:
        By the figure's name: title, reading, interactive (whether it has a chart too), and svg and pdf (the files, in
        base 64).
    """
    drawn: dict[str, dict[str, Any]] = {}
    for figure in draw_all(FIGURES, tables, folder, workers=workers):
        files = {
            kind: base64.b64encode((folder / f"{figure.NAME}.{kind}").read_bytes()).decode("ascii")
            for kind in ("svg", "pdf")
        }
        interactive = hasattr(figure, "chart")
        drawn[figure.NAME] = {"title": figure.TITLE, "reading": figure.READING, "interactive": interactive} | files
    return drawn


def _json(value: object) -> Markup:
    """Return JSON that can stand in a script element whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _characters(value: object) -> str:
    """Return every character that contents show."""
    if isinstance(value, Mapping):
        return "".join(map(_characters, value.values()))
    if isinstance(value, list | tuple):
        return "".join(map(_characters, value))
    return _characters(asdict(value)) if is_dataclass(value) and not isinstance(value, type) else str(value)


@cache
def _library() -> Markup:
    return Markup(vega_script())
