"""Dask workers that are jobs of a batch system; dask_jobqueue writes and submits them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import dask_jobqueue
from distributed import Client, Security

from polyprobe.ops.cluster.settings import BATCH_SYSTEMS, Settings
from polyprobe.ops.cluster.workers import GPU, Workers
from polyprobe.running.errors import BadInputError, one_line


@contextmanager
def submitted(settings: Settings, folder: Path) -> Iterator[Workers]:
    """Submit jobs, one worker each; a job that ends before its time is submitted again.

    Args:
        settings: how many, and what they ask for.
        folder: on the shared file system, for the jobs' own logs and keys.

    Raises:
        BadInputError: neither Dask's configuration nor `settings` says enough.
    """
    with job_cluster(settings, folder, gpu=False) as cluster:
        plain = cluster.new_spec
        with_gpu = {**plain, "options": {**plain["options"], **_options(settings, folder, gpu=True)}}
        gpus = settings.gpu_workers

        def submit_missing() -> None:
            there = list(cluster.worker_spec.values())
            for specification, wanted in ((with_gpu, gpus), (plain, settings.workers - gpus)):
                missing = wanted - sum(one is specification for one in there)
                if missing > 0:
                    cluster.new_spec = specification
                    cluster.scale(len(cluster.worker_spec) + missing)

        submit_missing()
        with Client(cluster) as client:
            yield Workers(client, submit_missing=submit_missing)


def job_cluster(settings: Settings, folder: Path, *, gpu: bool) -> Any:
    """Return a cluster of dask_jobqueue without jobs.

    Args:
        settings: what its jobs ask for.
        folder: on the shared file system.
        gpu: whether they ask for a GPU.

    Raises:
        BadInputError: neither Dask's configuration nor `settings` says enough.
    """
    kind = str(settings.cluster)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    cluster, options = getattr(dask_jobqueue, BATCH_SYSTEMS[kind]), _options(settings, folder, gpu=gpu)
    try:
        # A job alone, which says what it lacks: a cluster that finds it out is left unclosed.
        cluster.job_cls(**options)
    except ValueError as error:
        raise BadInputError(f"--cluster {kind}: {one_line(error)}") from None
    return cluster(
        security=Security.temporary(),
        protocol="tls://",
        shared_temp_directory=str(folder.absolute()),
        # No pages, and at no port that others may have.
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        **options,
    )


def _options(settings: Settings, folder: Path, *, gpu: bool) -> dict[str, Any]:
    """Return the arguments of a cluster's class. A list takes the place of the configured one, so it holds that."""
    kind = str(settings.cluster)
    account = "project" if kind == "sge" else "account"
    options = {name: getattr(settings, name) for name in ("cores", "memory", "walltime", "queue")}
    options |= {account: settings.account, "processes": 1, "log_directory": str(folder.absolute())}
    lists = {
        "job_extra_directives": [*settings.job_option, *(settings.gpu_job_option if gpu else ())],
        "job_script_prologue": settings.prologue,
        "worker_extra_args": ["--resources", f"{GPU}=1"] if gpu else [],
    }
    for name, more in lists.items():
        options[name] = [*(dask.config.get(f"jobqueue.{kind}.{name.replace('_', '-')}", None) or ()), *more]
    return {name: value for name, value in options.items() if value is not None}
