"""Draws the figures and writes the HTML page."""

from polyprobe.stage import run_stage
from polyprobe.study import Study


def report(study: Study) -> None:
    """Write `data/report/`."""
    from polyprobe.artefacts import corpus, correlation, manifest
    from polyprobe.figures import read_tables
    from polyprobe.report import provenance
    from polyprobe.report.page import FOLDER, Records, write_report
    from polyprobe.running.knobs import knobs

    records = Records(
        study=study,
        manifests=[manifest.read(manifest.path(key)) for key in study.checkpoints],
        corpus=corpus.TABLE.read(),
        summary=correlation.SUMMARY.read(),
        treebanks=provenance.TREEBANKS.read(),
        task_data=provenance.read_task_data(),
    )
    write_report(FOLDER, read_tables(study.languages, study.source_language), records, workers=knobs().workers)


if __name__ == "__main__":
    run_stage(report)
