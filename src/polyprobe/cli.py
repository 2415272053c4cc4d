"""The command `polyprobe`: what a user does beside `dvc`, one table of contents.

Each command imports what it needs when it is called, so that `polyprobe --help` is there at once.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from polyprobe.ops.cluster.commands import app as cluster
from polyprobe.ops.remote.commands import app as remote
from polyprobe.running.errors import BadInputError

app: Final = typer.Typer(
    name="polyprobe",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_study: Final = typer.Typer(help="List, show and choose the study in force.", no_args_is_help=True)
_report: Final = typer.Typer(help="Show the report, or write it to a file.", no_args_is_help=True)
app.add_typer(_study, name="study")
app.add_typer(_report, name="report")
app.add_typer(cluster, name="cluster")
app.add_typer(remote, name="remote")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit: with 0, with 1 and one readable line for bad input, with 2 for wrong usage.

    Args:
        arguments: of the command; None for those that the process was given.
    """
    try:
        app(arguments)
    except BadInputError as error:
        sys.exit(f"error: {error}")


@app.callback(invoke_without_command=True, epilog="Example: polyprobe study list")
def polyprobe(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Reproducible experiments on how language models align languages.

    Stages are run by `dvc repro`; the commands here do what is beside it.
    """
    if version:
        from polyprobe import __version__

        print(f"polyprobe {__version__}")
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
    """Put a study in force.

    params.yaml becomes its file, and outputs that it lacks are taken away; `dvc repro` restores or runs the others.
    """
    from polyprobe.ops.study import STUDIES, use
    from polyprobe.study import PARAMS

    use(name)
    print(f"{PARAMS} is now {STUDIES}/{name}.yaml; `dvc repro` runs or restores it")


@_report.command("open", epilog="Example: polyprobe report open")
def open_report() -> None:
    """Show the report in a browser.

    A copy of it is written into the scratch folder, which the browser shows, where there is one.
    """
    import webbrowser

    from polyprobe.ops.report_copy import COPY, write
    from polyprobe.running.scratch import scratch_root

    file = scratch_root() / COPY
    write(file)
    print(file.resolve())
    webbrowser.open(file.resolve().as_uri())


@_report.command("write", epilog="Example: polyprobe report write to-a-colleague.html")
def write_report(file: Annotated[Path, typer.Argument(help="The page to write.")]) -> None:
    """Write a copy of the report to a file."""
    from polyprobe.ops.report_copy import write

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
    """Say what a study will cost.

    Per stage, before it is run: words, operations, hours of a GPU and of a core, bytes on disk and on the remote.
    """
    from polyprobe.ops.cost import say_cost

    say_cost(study, rate)


@app.command(epilog="Example: polyprobe scores pos step-2000")
def scores(
    task: Annotated[str, typer.Argument(help="xnli or pos.")],
    checkpoint: Annotated[str, typer.Argument(help="A key of `checkpoints` in params.yaml.")],
) -> None:
    """Print a checkpoint's zero-shot scores.

    Per language: the score with its interval beside two baselines, what is predicted most, and how much of the test's
    text is made of sub-words that fine-tuning has seen.
    """
    from polyprobe.ops.scores import say_scores

    say_scores(task, checkpoint)


@app.command(epilog="Example: polyprobe pocket 7")
def pocket(seed: Annotated[int, typer.Argument(help="Of the mini-languages.", min=0)] = 0) -> None:
    """Describe the mini-languages.

    Those of the default study: their grammars, example sentences, examples of inference.
    """
    from polyprobe.pocket.description import describe

    print(describe(seed), end="")


@app.command(epilog="Example: polyprobe stage probe step-400")
def stage(
    name: Annotated[str, typer.Argument(help="As in dvc.yaml.")],
    key: Annotated[str | None, typer.Argument(help="Such as a checkpoint, for a stage that is there per key.")] = None,
) -> None:
    """Run one stage by hand.

    It runs as under `dvc repro`, up to date or not; `dvc commit` then keeps what it wrote.
    """
    from polyprobe.ops.one_stage import run

    run(name, key)


@app.command(epilog="Example: polyprobe doctor --fix")
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Fix what is safe to fix, and say what was done.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every object of the study, however large it is.")] = False,
) -> None:
    """Say what is wrong here, and what to do.

    In the environment and in the repository, a line per check: ok, warning or fault. A fault keeps the study from
    running or makes its results wrong; the exit code is 1 where there is one. Nothing is changed without --fix.
    """
    from polyprobe.ops.doctor.commands import run

    run(fix=fix, deep=deep)


@app.command(epilog="Example: polyprobe offline-plots")
def offline_plots() -> None:
    """Let `dvc plots show` draw offline.

    Writes the page that it draws in, which carries all that it needs from the network else.
    """
    from polyprobe.ops.offline_plots import PAGE, write_offline_page

    print(f"{PAGE}: {'written' if write_offline_page() else 'is there and current'}")


@app.command(epilog="Example: polyprobe plot-templates")
def plot_templates() -> None:
    """Write the templates of `dvc plots`.

    They are the charts of the report's page with DVC's anchors: after a change of a chart, run this and commit them.
    """
    from polyprobe.ops.plot_templates import write_templates

    for file in write_templates():
        print(file)
