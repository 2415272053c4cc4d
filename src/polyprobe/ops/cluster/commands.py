"""`polyprobe cluster`: the pipeline on several workers."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

app: Final = typer.Typer(help="Run the pipeline on several workers.", no_args_is_help=True)

_INTERRUPTED: Final = 130
_EXTRA: Final = ("dask", "dask_jobqueue", "distributed")
"""The packages that only this command needs."""


@app.command(epilog="Example: polyprobe cluster repro --cluster local -n 2")
def repro(
    context: typer.Context,
    stages: Annotated[list[str] | None, typer.Argument(help="As `dvc repro` takes them; everything if none.")] = None,
    cluster: Annotated[
        Literal["local", "slurm", "sge", "pbs"] | None, typer.Option(help="Start workers: here, or as jobs.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Join the workers of the Dask scheduler at this address.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", "-n", help="Workers to start.")] = 2,
    gpu_workers: Annotated[int, typer.Option(help="How many of them get a GPU, one each.")] = 0,
    retries: Annotated[int, typer.Option(help="Times that a stage is run again when its worker dies.")] = 3,
    worktrees: Annotated[Path | None, typer.Option(help="Folder for the workers' worktrees or clones.")] = None,
    carry: Annotated[list[str] | None, typer.Option(help="An ignored input to take along; may be repeated.")] = None,
    remote: Annotated[
        str | None, typer.Option(help="No file system is shared: clones, and outputs go through this DVC remote.")
    ] = None,
    clone_from: Annotated[str | None, typer.Option(help="The git repository to clone; else the remote origin.")] = None,
    cores: Annotated[int | None, typer.Option(help="Of a job; what is not given, Dask's jobqueue.yaml says.")] = None,
    memory: Annotated[str | None, typer.Option(help="Of a job: 32GB")] = None,
    walltime: Annotated[str | None, typer.Option(help="Of a job: 12:00:00")] = None,
    queue: Annotated[str | None, typer.Option(help="The partition or queue of a job.")] = None,
    account: Annotated[str | None, typer.Option(help="The account or project of a job.")] = None,
    job_option: Annotated[list[str] | None, typer.Option(help="A line of a job's head; may be repeated.")] = None,
    gpu_job_option: Annotated[
        list[str] | None, typer.Option(help="The same for jobs with a GPU: --gpu-job-option=--gres=gpu:1")
    ] = None,
    prologue: Annotated[list[str] | None, typer.Option(help="Command before a job's worker; may be repeated.")] = None,
) -> None:
    """Bring stages up to date on several workers.

    Each works in a git worktree (or clone) of its own, at the commit that is checked out here. What is up to date is
    not run, and what the run-cache holds is restored. At the end this workspace is as after a plain `dvc repro`. Logs:
    .scratch/cluster/TIME/STAGE.log
    """
    import signal
    import sys

    from polyprobe.running.errors import BadInputError

    # So that a supervisor's request to end cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Settings has the options' names.
    options = {name: value for name, value in context.params.items() if name != "stages" and value is not None}
    try:
        from polyprobe.ops.cluster.repro import repro as bring_up_to_date
        from polyprobe.ops.cluster.settings import Settings

        code = bring_up_to_date(stages or [], Settings(**options))
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in _EXTRA:
            raise
        message = f'{package} is not installed, which several workers need: pip install "polyprobe[cluster]"'
        raise BadInputError(message) from None
    except KeyboardInterrupt:
        print("interrupted: what has finished is kept, and the same command goes on from there", file=sys.stderr)
        code = _INTERRUPTED
    raise typer.Exit(code)
