"""Draws the figures and writes the HTML page: `python -m polyprobe.stages.report`."""

from polyprobe.stage import run_stage
from polyprobe.study import Study


def report(study: Study) -> None:
    """Writes `data/report/`."""
    from polyprobe.artefacts import corpus, correlation, manifest
    from polyprobe.figures import read_tables
    from polyprobe.report import provenance, write_report
    from polyprobe.report.page import FOLDER
    from polyprobe.running.knobs import knobs

    write_report(
        FOLDER,
        read_tables(study.languages, study.source_language),
        study=study,
        manifests=[manifest.read(manifest.path(key)) for key in study.checkpoints],
        corpus=corpus.read(),
        summary=correlation.read_summary(),
        treebanks=provenance.read_treebanks(),
        task_data=provenance.read_task_data(),
        workers=knobs().workers,
    )


if __name__ == "__main__":
    run_stage(report)
