"""Studies that nobody has run, to ask what would stop them: the paper's, with more checkpoints or languages."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from polyprobe.languages import languages
from polyprobe.study import HUB, Checkpoint, Model, Study, load_study

PYTHIA: Final = ("70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b")
"""The sizes that the hub has 154 checkpoints of each."""
PYTHIA_STEPS: Final = (0, *(2**power for power in range(10)), *range(1000, 144_000, 1000))
LANGUAGES: Final = 100

_SUBWORDS_PER_STEP: Final = 1024 * 2048


def pythia(paper: Study) -> Study:
    """The paper's study on every checkpoint of Pythia, at the same relative depths."""
    checkpoints = {
        f"{size.replace('.', '_')}-{step}": Checkpoint(
            model=_model(size),
            weights=HUB,
            repository=None,
            revision=f"step{step}",
            step=step,
            tokens_seen=None,
            converged=step == PYTHIA_STEPS[-1],
            layers=[],
            categories=[],
        )
        for size in PYTHIA
        for step in PYTHIA_STEPS
    }
    models = {
        _model(size): Model(repository=f"EleutherAI/pythia-{size}", tokenizer=None, tokens_per_step=_SUBWORDS_PER_STEP)
        for size in PYTHIA
    }
    changes = {"study": "pythia", "models": models, "checkpoints": checkpoints, "layers": [0.5, 0.667]}
    none = paper.duplicates.model_copy(update={"policy": "fail", "known": []})
    return paper.model_copy(update=changes | {"duplicates": none})


def _model(size: str) -> str:
    return f"pythia-{size.replace('.', '_')}"


def hundred_languages(paper: Study) -> Study:
    """The paper's study in its languages and others that UD may have, 100 in all; they are probed and tagged, and XNLI
    stays in those that it has."""
    others = [code for code in languages() if code not in paper.languages and not "qaa" <= code <= "qtz"]
    codes = [*paper.languages, *others][:LANGUAGES]
    folders = {code: paper.treebanks.folders.get(code, [f"UD_{languages()[code].name}"]) for code in codes}
    pos = paper.transfer.pos.model_copy(update={"languages": codes})
    return paper.model_copy(
        update={
            "study": "hundred-languages",
            "languages": codes,
            "treebanks": paper.treebanks.model_copy(update={"folders": folders}),
            "transfer": paper.transfer.model_copy(update={"pos": pos}),
        }
    )


SCENARIOS: Final[dict[str, Callable[[Study], Study]]] = {"pythia": pythia, "hundred-languages": hundred_languages}
"""By name, what makes one from the paper's study."""


def scenario(name: str) -> Study:
    """A study of this name that has no file.

    Raises:
        KeyError: there is none.
        BadInputError: the paper's study is not valid.
    """
    return SCENARIOS[name](load_study(Path("studies/paper.yaml")))
