"""What runs on a Dask worker: one stage at a time, in the worker's own folder."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.cluster.files import read_files, write_files
from polyprobe.ops.cluster.orders import LOST, Order, Outcome
from polyprobe.ops.cluster.strays import PROJECT, STAGE, kill_strays

_KILLED: Final = re.compile(rb"exited with (-9|-15|137|143)\b")
"""By the system, for want of memory or at the end of a job's time; not by the stage's own doing."""


def run_stage(order: Order) -> Outcome:
    """Brings a stage up to date.

    Raises:
        OSError, subprocess.CalledProcessError: the folder cannot be written, or the clone not made.
    """
    started = time.monotonic()
    # A worker that was here before and died may have left its processes; they would write what is written now.
    kill_strays(order.project, order.stage)
    folder = _place(order.folder)
    if order.clone is not None and not folder.exists():
        _clone(order, folder)
    write_files(folder, order.files)
    _write_lock(folder, order)
    log = Path(order.log) if order.log else folder.with_name(f"{folder.name}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as opened:
        process = subprocess.Popen(
            _command(order), cwd=folder, env=_environment(order, folder), stdin=subprocess.PIPE, stdout=opened,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait()
        finally:
            # Whatever the stage may have left in its process group.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin:
                process.stdin.close()
    with log.open("rb") as opened_again:
        opened_again.seek(before)
        printed = opened_again.read()
    if code != 0:
        lost = code < 0 or code == LOST or _KILLED.search(printed) is not None
        return Outcome(LOST if lost else code, True, time.monotonic() - started, None, {}, printed)
    from polyprobe.ops.cluster.records import read_lock

    return Outcome(
        code=0,
        ran=f"Running stage '{order.stage}'".encode() in printed,
        seconds=time.monotonic() - started,
        lock=read_lock(folder)[order.stage],
        files=read_files(folder, order.uncached),
        log=printed if order.log is None else b"",
    )


def stop(project: str, folders: tuple[str, ...] = (), dask_worker: Any = None) -> int:
    """Kills the stages that run for a main workspace on this machine, and removes the clones that were made for it.

    Args:
        project: the main workspace's path.
        folders: the clones.
        dask_worker: the worker, which Dask puts in.

    Returns:
        How many processes there were.
    """
    killed = kill_strays(project)
    for name in folders:
        folder = Path(dask_worker.local_directory if dask_worker else ".") / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)
    return killed


def _place(folder: str) -> Path:
    if Path(folder).is_absolute():
        return Path(folder)
    from distributed import get_worker

    # Dask removes it with the worker.
    return Path(get_worker().local_directory).absolute() / folder


def _command(order: Order) -> list[str]:
    command = [sys.executable, "-m", "polyprobe.ops.cluster.stage_process", order.stage]
    if order.clone is not None:
        command += ["--remote", order.clone.remote]
    if order.stage_lock is not None:
        command += ["--stage-lock", order.stage_lock]
    # The stage's own, too, where a clone could not restore them: DVC does not bring what the cache does not hold.
    own = [order.stage] if order.clone is not None and order.stage in order.lock else []
    return [*command, "--with", *order.upstream, *own]


def _environment(order: Order, folder: Path) -> dict[str, str]:
    given = {**os.environ, PROJECT: order.project, STAGE: order.stage, "DVC_NO_ANALYTICS": "1"}
    given["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", os.defpath)])
    # The commit's code, whatever happens to the main workspace's meanwhile.
    given["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder / "src"), given.get("PYTHONPATH", "")]))
    for name, value in order.environment.items():
        given.pop(name, None)
        if value is not None:
            given[name] = value
    return given


def _write_lock(folder: Path, order: Order) -> None:
    from dvc.utils.serialize import dump_yaml

    from polyprobe.running.files import new_file

    with new_file(folder / "dvc.lock") as temporary:
        dump_yaml(temporary, {"schema": "2.0", "stages": order.lock})


def _clone(order: Order, folder: Path) -> None:
    from polyprobe.ops.cluster.workplaces import configure

    assert order.clone is not None
    folder.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    for command in (
        ["git", "clone", "--quiet", "--no-checkout", "--", order.clone.url, str(folder)],
        ["git", "-C", str(folder), "checkout", "--quiet", "--detach", order.commit],
    ):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise OSError(f"{' '.join(command)}: {done.stderr.strip()}; is {order.commit[:12]} pushed?")
    configure(folder, order.clone.settings)
