"""Where and when a study's stages ran: what a copy of its page says beside what the page itself says.

The page in `data/report` is the same on every machine, so it cannot say it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyprobe.report.listings import MISSING, Listing
from polyprobe.running.errors import BadInputError
from polyprobe.running.run_log import Key, Run
from polyprobe.study import Study

PIPELINE: Final = Path("dvc.yaml")
MARK: Final = "<!-- this run -->"
"""The line of the page that gives way to it."""

_TABLES: Final = """\
{% from "listing.html" import table %}
{% for listing in listings %}
{{ table(listing) }}
{% endfor %}"""
_SHOWN: Final = 12
"""Hexadecimal digits of a commit."""


@dataclass(frozen=True)
class _Machine:
    """What code ran where."""

    commit: str | None
    changed: bool | None
    platform: str
    processor: str
    cores: int
    python: str


def pipeline(study: Study, file: Path = PIPELINE) -> list[Key]:
    """Return every stage of the pipeline with its arguments, in the order of its file.

    Args:
        study: whose keys the stages run over.
        file: dvc.yaml.

    Raises:
        BadInputError: there is no such file.
    """
    from ruamel.yaml import YAML

    if not file.exists():
        raise BadInputError(f"{file}: no such file, expected the pipeline; is this the study's folder?")
    keys: list[Key] = []
    for name, stage in YAML(typ="safe").load(file.read_text(encoding="utf-8"))["stages"].items():
        if "foreach" in stage:
            keys += [(name, (key,)) for key in getattr(study, stage["foreach"].strip("${} "))]
        else:
            keys.append((name, ()))
    return keys


def this_run(last: Mapping[Key, Run], stages: Sequence[Key], *, parameters: str, made: str) -> list[Listing]:
    """List the code and machines of the stages' last runs, and the stages.

    Args:
        last: each stage's last run.
        stages: the pipeline's, in their order.
        parameters: the digest of the study's parameters as they stand.
        made: a sentence about the copy itself.

    Returns:
        The listing of code and machines, left out where no stage has run here, and that of the stages.
    """
    runs = [last[key] for key in stages if key in last]
    machines: dict[_Machine, list[Run]] = {}
    for run in runs:
        machines.setdefault(_machine(run), []).append(run)
    places = {machine: str(position) for position, machine in enumerate(machines, 1)}
    listing = Listing(
        "Stages of this run",
        ["stage", "of", "outcome", "seconds", "memory at most (MiB)", "ended (UTC)", "code and machine"],
        [_stage(key, last.get(key), parameters, places) for key in stages],
        f"{made} Restored: taken from DVC's cache or its remote; this folder's log has no run of it. Other parameters: "
        "the study's were others when the stage last ran here; since then it was restored, or had no need to run.",
    )
    return [*([_machine_listing(machines)] if machines else []), listing]


def stamp(page: str, listings: Sequence[Listing]) -> str:
    """Return the page with the listings in the place of its line `MARK`.

    Args:
        page: the page's HTML.
        listings: what to show there, in this order.

    Raises:
        BadInputError: the page does not have that line once.
    """
    import jinja2

    lines = page.split("\n")
    places = [position for position, line in enumerate(lines) if line.strip() == MARK]
    if len(places) != 1:
        raise BadInputError(f"the report has {len(places)} lines `{MARK}`, expected one; run `dvc repro report` first")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("polyprobe.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    lines[places[0]] = environment.from_string(_TABLES).render(listings=listings)
    return "\n".join(lines)


def commit_text(commit: str | None, changed: bool | None) -> str:
    """Return a commit in short, and whether the code was another than that.

    Args:
        commit: its hash; None without git.
        changed: whether the code differed from it; None without git.
    """
    if commit is None:
        return "no git"
    return f"{commit[:_SHOWN]} with changes" if changed else commit[:_SHOWN]


def _machine(run: Run) -> _Machine:
    return _Machine(run.commit, run.changed, run.platform, run.processor, run.cores, run.python)


def _machine_listing(machines: Mapping[_Machine, Sequence[Run]]) -> Listing:
    return Listing(
        "Code and machines of this run",
        ["", "commit", "processor", "cores", "GPU", "system", "Python", "torch", "stages", "seconds together"],
        [
            [
                str(position),
                commit_text(machine.commit, machine.changed),
                machine.processor,
                str(machine.cores),
                _named(run.gpu for run in runs),
                machine.platform,
                machine.python,
                _named(run.torch for run in runs),
                str(len(runs)),
                f"{sum(run.seconds for run in runs):,.1f}",
            ]
            for position, (machine, runs) in enumerate(machines.items(), 1)
        ],
        "With changes: the working tree differed from the commit, outputs left out. GPU and torch: those that some "
        "stage computed with.",
    )


def _named(names: Any) -> str:
    return ", ".join(dict.fromkeys(name for name in names if name is not None)) or MISSING


def _stage(key: Key, run: Run | None, parameters: str, places: Mapping[_Machine, str]) -> list[str]:
    stage, arguments = key
    of = " ".join(arguments)
    if run is None:
        return [stage, of, "restored, not run here", *[MISSING] * 4]
    return [
        stage,
        of,
        run.outcome if run.parameters == parameters else f"{run.outcome}, other parameters",
        f"{run.seconds:,.1f}",
        f"{run.memory / 2**20:,.0f}",
        run.finished.removesuffix("+00:00").replace("T", " "),
        places[_machine(run)],
    ]
