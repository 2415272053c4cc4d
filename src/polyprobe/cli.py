"""The command `polyprobe`: what a user does beside `dvc`, one table of contents.

Each command imports what it needs when it is called, so that `polyprobe --help` is there at once.
"""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from polyprobe.running.errors import BadInputError

app: Final = typer.Typer(
    name="polyprobe",
    help="Reproducible experiments on how language models align languages. Stages are run by `dvc repro`; the commands "
    "here do what is beside it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_study: Final = typer.Typer(help="Which study is in force: params.yaml is a copy of its file.", no_args_is_help=True)
_report: Final = typer.Typer(help="The study's report, with where and when it was run.", no_args_is_help=True)
app.add_typer(_study, name="study")
app.add_typer(_report, name="report")


def main() -> None:
    """Run the command line. One readable line and exit code 1 for bad input."""
    try:
        app()
    except BadInputError as error:
        sys.exit(f"error: {error}")


@app.callback(invoke_without_command=True, epilog="Example: polyprobe study list")
def polyprobe(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"polyprobe {installed('polyprobe')}")
        raise typer.Exit


@_study.command("list", epilog="Example: polyprobe study list")
def list_studies() -> None:
    """Name the studies; a star marks the one in force."""
    from polyprobe.ops.study import in_force, studies

    current = in_force()
    for name in studies():
        print(f"{'*' if name == current else ' '} {name}")


@_study.command("show", epilog="Example: polyprobe study show")
def show_study() -> None:
    """Name the study in force."""
    from polyprobe.ops.study import in_force
    from polyprobe.study import PARAMS

    print(in_force() or f"{PARAMS} equals no study's file")


@_study.command("use", epilog="Example: polyprobe study use local && dvc repro")
def use_study(name: Annotated[str, typer.Argument(help="A file of studies/, without its ending.")]) -> None:
    """Put a study in force: params.yaml becomes its file, and outputs that it lacks are taken away."""
    from polyprobe.ops.study import STUDIES, use
    from polyprobe.study import PARAMS

    use(name)
    print(f"{PARAMS} is now {STUDIES}/{name}.yaml; `dvc repro` runs or restores it")


@_report.command("open", epilog="Example: polyprobe report open")
def open_report() -> None:
    """Write a copy of the report into the scratch folder, and show it in a browser where there is one."""
    import webbrowser

    from polyprobe.report.copy import COPY, write
    from polyprobe.running.scratch import scratch_root

    file = scratch_root() / COPY
    write(file)
    print(file.resolve())
    webbrowser.open(file.resolve().as_uri())


@_report.command("write", epilog="Example: polyprobe report write to-a-colleague.html")
def write_report(file: Annotated[Path, typer.Argument(help="The page to write.")]) -> None:
    """Write a copy of the report to a file."""
    from polyprobe.report.copy import write

    write(file)
    print(file.resolve())


@app.command(epilog="Example: polyprobe cost paper")
def cost(
    study: Annotated[
        str | None, typer.Argument(help="A study of studies/, or a params file; without it, the one in force.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Floating-point operations that the GPU does per second.", min=1.0)
    ] = None,
) -> None:
    """Say what a study will cost before it is run: words, operations, hours, bytes, per stage."""
    from polyprobe.ops.cost import say_cost

    say_cost(study, rate)


@app.command(epilog="Example: polyprobe scores pos step-2000")
def scores(
    task: Annotated[str, typer.Argument(help="xnli or pos.")],
    checkpoint: Annotated[str, typer.Argument(help="A key of `checkpoints` in params.yaml.")],
) -> None:
    """Print the zero-shot scores of a fine-tuned checkpoint, per language, beside their baselines."""
    from polyprobe.ops.scores import say_scores

    say_scores(task, checkpoint)


@app.command(epilog="Example: polyprobe pocket 7")
def pocket(seed: Annotated[int, typer.Argument(help="Of the mini-languages.", min=0)] = 0) -> None:
    """Describe the mini-languages of the default study: grammars, example sentences, inference."""
    from polyprobe.pocket.description import describe

    print(describe(seed), end="")


@app.command(epilog="Example: polyprobe stage probe step-400")
def stage(
    name: Annotated[str, typer.Argument(help="As in dvc.yaml.")],
    key: Annotated[str | None, typer.Argument(help="Such as a checkpoint, for a stage that is there per key.")] = None,
) -> None:
    """Run one stage as `dvc repro` would, without asking whether it is up to date."""
    from polyprobe.ops.one_stage import run

    run(name, key)


@app.command(epilog="Example: polyprobe doctor --fix")
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Fix what is safe to fix, and say what was done.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every object of the study, however large it is.")] = False,
) -> None:
    """Say what is wrong with the environment or the repository, and what to do.

    One line per check: ok, warning or fault. A fault keeps the study from running or makes its results wrong; the exit
    code is 1 where there is one. Nothing is changed without --fix.
    """
    from polyprobe.ops.doctor.commands import run

    run(fix=fix, deep=deep)


@app.command(epilog="Example: polyprobe offline-plots")
def offline_plots() -> None:
    """Write the page in which `dvc plots show` draws without a network."""
    from polyprobe.ops.offline_plots import PAGE, write_offline_page

    print(f"{PAGE}: {'written' if write_offline_page() else 'is there and current'}")
