"""The two kinds of languages: the source language, on which models are fine-tuned, and those they transfer to."""

from polyprobe.study import Study


def target_languages(study: Study) -> list[str]:
    """Return the study's languages without the source language."""
    return [code for code in study.languages if code != study.source_language]
