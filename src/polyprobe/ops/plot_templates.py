"""Write `.dvc/plots/*.json`, the templates of `dvc plots`, from the figures' interactive charts."""

import json
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

FOLDER: Final = Path(".dvc/plots")


def write_templates(folder: Path = FOLDER) -> list[Path]:
    """Write the template of each figure that has one, and take away any other; the same bytes each time.

    Args:
        folder: where to.

    Returns:
        The files.

    Raises:
        BadInputError: the folder is not that of a DVC repository.
    """
    if not folder.parent.is_dir():
        raise BadInputError(f"{folder.parent}: no such folder, expected the root of a DVC repository")
    from polyprobe.figures import FIGURES
    from polyprobe.figures.templates import filled_by_dvc

    folder.mkdir(exist_ok=True)
    figures = [figure for figure in FIGURES if hasattr(figure, "template")]
    files = [folder / f"{figure.NAME}.json" for figure in figures]
    for file in set(folder.glob("*.json")) - set(files):
        file.unlink()
    for figure, file in zip(figures, files, strict=True):
        with new_file(file) as temporary:
            text = json.dumps(filled_by_dvc(figure), indent=2, sort_keys=True, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    return files
