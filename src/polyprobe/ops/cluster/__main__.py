"""The pipeline on several workers: `python -m polyprobe.ops.cluster repro [STAGE ...] --cluster local -n 4`.

Every stage runs on a Dask worker, in a git worktree (or clone) of its own, at the commit that is checked out here. What
is up to date is not run, and what the run-cache holds is restored. At the end this workspace is as after a plain
`dvc repro`. Logs: `.scratch/cluster/TIME/STAGE.log`.
"""

import argparse
import signal
import sys
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError

_INTERRUPTED: Final = 130


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m polyprobe.ops.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_repro(commands.add_parser("repro", help="bring stages up to date on several workers"))
    arguments = parser.parse_args()
    # So that a supervisor's request to end cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        sys.exit(_repro(arguments))
    except BadInputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: what has finished is kept, and the same command goes on from there", file=sys.stderr)
        sys.exit(_INTERRUPTED)


def _repro(arguments: argparse.Namespace) -> int:
    from polyprobe.ops.cluster.repro import Wishes, repro
    from polyprobe.ops.cluster.workers import Jobs, check_counts

    jobs = Jobs(
        cores=arguments.cores,
        memory=arguments.memory,
        walltime=arguments.walltime,
        queue=arguments.queue,
        account=arguments.account,
        directives=tuple(arguments.job_option),
        gpu_directives=tuple(arguments.gpu_job_option),
        prologue=tuple(arguments.prologue),
    )
    if arguments.cluster:
        check_counts(arguments.workers, arguments.gpu_workers, arguments.cluster, jobs.gpu_directives)
    wishes = Wishes(
        cluster=arguments.cluster,
        scheduler=arguments.scheduler,
        count=arguments.workers,
        gpus=arguments.gpu_workers,
        jobs=jobs,
        worktrees=arguments.worktrees,
        carried=tuple(arguments.carry),
        clones=arguments.remote is not None,
        remote=arguments.remote or None,
        clone_from=arguments.clone_from,
        retries=arguments.retries,
    )
    return repro(arguments.targets, wishes)


def _add_repro(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="*", metavar="STAGE", help="as dvc repro takes them; everything if none")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--scheduler", metavar="ADDRESS", help="join the workers of this Dask scheduler")
    where.add_argument("--cluster", choices=["local", "slurm", "sge", "pbs"], help="start workers: here, or as jobs")
    parser.add_argument("-n", "--workers", type=int, default=2, metavar="N", help="workers to start (2)")
    parser.add_argument(
        "--gpu-workers", type=int, default=0, metavar="M", help="how many of them get a GPU, one each (0)"
    )
    parser.add_argument(
        "--retries", type=int, default=3, help="times that a stage is run again when its worker dies (3)"
    )
    folders = parser.add_argument_group("the workers' folders")
    folders.add_argument(
        "--worktrees", type=Path, metavar="FOLDER", help="where to make them (.scratch/cluster/worktrees)"
    )
    folders.add_argument(
        "--carry", action="append", default=[], metavar="PATH", help="an ignored input to take along; may be repeated"
    )
    folders.add_argument(
        "--remote", nargs="?", const="", metavar="NAME", help="clones, not worktrees: no file system is shared, and "
        "outputs go through this DVC remote (the default one)"
    )  # fmt: skip
    folders.add_argument("--clone-from", metavar="URL", help="the git repository to clone (the remote origin)")
    jobs = parser.add_argument_group("a batch system's jobs; what is not given, Dask's jobqueue.yaml says")
    jobs.add_argument("--cores", type=int, help="of a job")
    jobs.add_argument("--memory", help="of a job: 32GB")
    jobs.add_argument("--walltime", help="of a job: 12:00:00")
    jobs.add_argument("--queue", help="the partition or queue")
    jobs.add_argument("--account", help="the account or project")
    jobs.add_argument(
        "--job-option", action="append", default=[], metavar="OPTION", help="one more line of a job's head; may be "
        "repeated"
    )  # fmt: skip
    jobs.add_argument(
        "--gpu-job-option", action="append", default=[], metavar="OPTION", help="one more for jobs with a GPU: "
        "--gpu-job-option=--gres=gpu:1"
    )  # fmt: skip
    jobs.add_argument(
        "--prologue", action="append", default=[], metavar="COMMAND", help="run before a job's worker; may be repeated"
    )


if __name__ == "__main__":
    main()
