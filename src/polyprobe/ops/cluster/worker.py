"""What runs on a Dask worker: one stage at a time, in the worker's own folder."""

import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, Final

from distributed import get_worker

from polyprobe.ops.cluster.assignments import LOST, Assignment, Outcome
from polyprobe.ops.cluster.leftover_processes import kill_leftovers
from polyprobe.ops.cluster.records import read_lock, write_lock
from polyprobe.ops.cluster.uncached_outputs import read_outputs, write_outputs
from polyprobe.ops.cluster.worker_folders import configure, git
from polyprobe.running.errors import BadInputError

_KILLED: Final = re.compile(rb"exited with (-9|-15|137|143)\b")
"""By the system, for want of memory or at the end of a job's time; not by the stage's own doing."""


def run_stage(assignment: Assignment) -> Outcome:
    """Bring a stage up to date.

    Raises:
        OSError: the folder cannot be written, or the clone not made.
    """
    # A worker that was here before and died may have left its processes; they would write what is written now.
    kill_leftovers(assignment.project, assignment.stage)
    folder = _folder(assignment)
    write_lock(folder, assignment.lock)
    write_outputs(folder, assignment.files)
    log = Path(assignment.log) if assignment.log else folder.with_name(f"{folder.name}.log")
    code = _run(assignment, folder, log)
    printed = log.read_bytes()
    sent_back = b"" if assignment.log else printed
    if code < 0 or code == LOST or (code != 0 and _KILLED.search(printed)):
        return Outcome(LOST, "its process was killed, or outputs could not be brought", log=sent_back)
    if code != 0:
        return Outcome(code, f"exit code {code}", log=sent_back)
    return Outcome(
        code=0,
        ran=f"Running stage '{assignment.stage}'".encode() in printed,
        lock=read_lock(folder)[assignment.stage],
        files=read_outputs(folder, assignment.uncached),
        log=sent_back,
    )


def stop(project: str, clones: tuple[str, ...] = (), dask_worker: Any = None) -> None:
    """Kill the stages that run for a main workspace on this machine, and remove the clones that were made for it.

    Args:
        project: the main workspace's path.
        clones: their paths.
        dask_worker: the worker, which Dask puts in.
    """
    kill_leftovers(project)
    for clone in clones:
        folder = Path(dask_worker.local_directory) / clone
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)


def _folder(assignment: Assignment) -> Path:
    if assignment.clone_source is None:
        return Path(assignment.folder)
    # Dask removes what is in its own folder with the worker.
    folder = Path(get_worker().local_directory).absolute() / assignment.folder
    if not folder.exists():
        _clone(assignment, folder)
    return folder


def _run(assignment: Assignment, folder: Path, log: Path) -> int:
    """Run the stage's process, kill what it leaves in its group, and return its exit code."""
    command = [sys.executable, "-m", "polyprobe.ops.cluster.stage_process"]
    if assignment.clone_source is not None:
        command += ["--remote", assignment.clone_source.remote]
    if assignment.stage_lock is not None:
        command += ["--stage-lock", assignment.stage_lock]
    command += [assignment.stage, *assignment.inputs]
    environment = _environment(assignment, folder)
    with (
        log.open("wb") as output,
        Popen(
            command, cwd=folder, env=environment, stdin=PIPE, stdout=output, stderr=output, start_new_session=True
        ) as process,
    ):
        try:
            return process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _environment(assignment: Assignment, folder: Path) -> dict[str, str]:
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    # The commit's code, whatever happens to the main workspace's meanwhile.
    packages = [str(folder / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    paths = {"PATH": os.pathsep.join(programs), "PYTHONPATH": os.pathsep.join(packages)}
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", **assignment.environment, **paths}
    return {name: value for name, value in environment.items() if value is not None}


def _clone(assignment: Assignment, folder: Path) -> None:
    source = assignment.clone_source
    assert source is not None
    os.environ["GIT_TERMINAL_PROMPT"] = "0"
    try:
        git("clone", "--quiet", "--no-checkout", "--", source.url, str(folder))
        git("-C", str(folder), "checkout", "--quiet", "--detach", source.commit)
    except BadInputError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OSError(f"{error}; is {source.commit[:12]} pushed?") from None
    configure(folder, source.settings)
