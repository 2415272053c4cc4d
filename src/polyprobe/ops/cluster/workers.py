"""Dask workers: on this machine, as a batch system's jobs, or those of a scheduler that is there already."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from polyprobe.running.errors import BadInputError, one_line

GPU: Final = "GPU"
"""The Dask resource that workers with a GPU offer."""
QUEUES: Final = {"slurm": "SLURMCluster", "sge": "SGECluster", "pbs": "PBSCluster"}
"""Batch systems → their classes in dask_jobqueue."""
INHERITED: Final = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "MALLOC_TRIM_THRESHOLD_",
    "PYTHONHASHSEED",
    "CUBLAS_WORKSPACE_CONFIG",
    "POLYPROBE_THREADS",
    "POLYPROBE_WORKERS",
    "POLYPROBE_DEVICE",
    "POLYPROBE_BATCH_TOKENS",
    "POLYPROBE_MIRROR",
)
"""Variables that a stage finds as a plain `dvc repro` in the main workspace would: Dask sets some for its workers, and
threads change the last bits of what is trained."""
_QUIET: Final = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""No pages, and at no port that others may have."""


@dataclass(frozen=True)
class Worker:
    """A Dask worker's process, from its start to its end."""

    key: str
    """Of this process only: one that is started in a dead one's place has another."""
    address: str
    name: str
    gpu: bool


@dataclass(frozen=True)
class Jobs:
    """What each job of a batch system asks for. What is None, Dask's `jobqueue.yaml` says."""

    cores: int | None = None
    memory: str | None = None
    walltime: str | None = None
    queue: str | None = None
    account: str | None = None
    directives: tuple[str, ...] = ()
    """More lines for the head of the job's script, without the batch system's prefix."""
    gpu_directives: tuple[str, ...] = ()
    """For jobs with a GPU only."""
    prologue: tuple[str, ...] = ()
    """Commands for the script, before the worker's."""


@dataclass
class Crew:
    """The workers of one run."""

    client: Any
    """Dask's."""
    environments: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Variables for stages on a worker, by its name."""
    replenish: Any = None
    """Asks for the jobs again that have ended; None where Dask or somebody else sees to it."""

    def living(self) -> dict[str, Worker]:
        """The workers that are there, by their keys.

        Raises:
            BadInputError: the scheduler is gone.
        """
        try:
            told = self.client.sync(self.client.scheduler.identity, n_workers=-1)["workers"]
        except (OSError, TimeoutError) as error:
            raise BadInputError(f"the Dask scheduler does not answer any more: {error}") from None
        found = {}
        for address, about in told.items():
            if about.get("status", "running") in ("running", "paused"):
                key = f"{address} {about.get('id')}"
                resources = about.get("resources") or {}
                found[key] = Worker(key, address, str(about.get("name")), bool(resources.get(GPU)))
        return dict(sorted(found.items()))


def inherited(environment: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """INHERITED as they are here; None for one that is not set."""
    return {name: environment.get(name) for name in INHERITED}


@contextmanager
def local(count: int, gpus: int, folder: Path) -> Iterator[Crew]:
    """Workers on this machine, which die with this process.

    Args:
        count: how many.
        gpus: how many of them get a GPU, each its own. The others get none.
        folder: for Dask's own files.
    """
    from distributed import Client, Nanny, Scheduler, Security, SpecCluster

    from polyprobe.running.knobs import knobs

    machine = knobs()
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = given.split(",") if given else [str(number) for number in range(gpus)]
    if gpus > len(devices):
        raise BadInputError(f"--gpu-workers: {gpus} asked for, but CUDA_VISIBLE_DEVICES names {given}")
    shared: dict[str, str | None] = {
        **inherited(),
        # As in a plain `dvc repro` here, or training would round differently.
        "POLYPROBE_THREADS": str(machine.threads),
        # What this never changes is any result.
        "POLYPROBE_WORKERS": str(max(1, machine.workers // count)),
    }
    if count > 1:
        # Threads that wait for each other by turning in circles would take the other workers' cores.
        shared["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "passive")
    environments = {
        str(number): {**shared, "CUDA_VISIBLE_DEVICES": devices[number] if number < gpus else ""}
        if gpus
        else dict(shared)
        for number in range(count)
    }
    # Whoever may connect to a worker may run code: only processes that hold this run's keys, not this machine's users.
    security = Security.temporary()
    common = {"host": "127.0.0.1", "protocol": "tls://", "security": security, **_QUIET}
    workers = {
        number: {
            "cls": Nanny,
            "options": {
                **common,
                "nthreads": 1,
                "memory_limit": 0,
                "local_directory": str(folder.absolute()),
                "resources": {GPU: 1} if number < gpus else {},
                "silence_logs": "CRITICAL",
            },
        }
        for number in range(count)
    }
    scheduler = {"cls": Scheduler, "options": {**common, "port": 0}}
    with (
        SpecCluster(scheduler=scheduler, workers=workers, security=security, silence_logs="CRITICAL") as cluster,
        Client(cluster) as client,
    ):
        yield Crew(client, environments)


@contextmanager
def joined(address: str) -> Iterator[Crew]:
    """The workers of a Dask scheduler. Its TLS keys, where it asks for such, are those of Dask's configuration.

    Args:
        address: such as `tls://login:8786`.

    Raises:
        BadInputError: nobody answers there.
    """
    from distributed import Client

    try:
        client = Client(address, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInputError(f"--scheduler {address}: {error or 'nobody answers'}") from None
    with client:
        yield Crew(client, {"": inherited()})


@contextmanager
def queued(kind: str, count: int, gpus: int, jobs: Jobs, folder: Path) -> Iterator[Crew]:
    """Workers that are jobs of a batch system; a job that ends before its time is submitted again.

    Args:
        kind: one of QUEUES.
        count: jobs, one worker each.
        gpus: how many of them ask for a GPU.
        jobs: what they ask for.
        folder: on the shared file system, for the jobs' own logs and keys.
    """
    from distributed import Client

    with job_cluster(kind, jobs, folder, gpu=False) as cluster:
        plain = cluster.new_spec
        with_gpu = {**plain, "options": {**plain["options"], **_options(kind, jobs, folder, gpu=True)}}

        def replenish() -> None:
            specifications = list(cluster.worker_spec.values())
            for specification, wanted in ((with_gpu, gpus), (plain, count - gpus)):
                missing = wanted - sum(there is specification for there in specifications)
                if missing > 0:
                    cluster.new_spec = specification
                    cluster.scale(len(cluster.worker_spec) + missing)

        replenish()
        with Client(cluster) as client:
            yield Crew(client, {"": inherited()}, replenish)


def job_cluster(kind: str, jobs: Jobs, folder: Path, *, gpu: bool) -> Any:
    """A cluster of dask_jobqueue without jobs.

    Args:
        kind: one of QUEUES.
        jobs: what its jobs ask for.
        folder: on the shared file system.
        gpu: whether they ask for a GPU.

    Raises:
        BadInputError: neither Dask's configuration nor `jobs` says enough.
    """
    import dask
    import dask_jobqueue
    from distributed import Security

    for name, given in (("cores", jobs.cores), ("memory", jobs.memory)):
        if given is None and dask.config.get(f"jobqueue.{kind}.{name}", None) is None:
            raise BadInputError(f"--cluster {kind}: expected --{name} of a job, or jobqueue.{kind}.{name} for Dask")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        return getattr(dask_jobqueue, QUEUES[kind])(
            security=Security.temporary(),
            protocol="tls://",
            shared_temp_directory=str(folder.absolute()),
            scheduler_options=_QUIET,
            **_options(kind, jobs, folder, gpu=gpu),
        )
    except ValueError as error:
        raise BadInputError(f"--cluster {kind}: {one_line(error)}") from None


def _options(kind: str, jobs: Jobs, folder: Path, *, gpu: bool) -> dict[str, Any]:
    import dask

    def configured(name: str) -> list[str]:
        return list(dask.config.get(f"jobqueue.{kind}.{name}", None) or [])

    account = "project" if kind == "sge" else "account"
    asked = {
        "cores": jobs.cores,
        "memory": jobs.memory,
        "walltime": jobs.walltime,
        "queue": jobs.queue,
        account: jobs.account,
    }
    extra = configured("worker-extra-args") + (["--resources", f"{GPU}=1"] if gpu else [])
    return {
        **{name: value for name, value in asked.items() if value is not None},
        "processes": 1,
        "log_directory": str(folder.absolute()),
        "job_extra_directives": [
            *configured("job-extra-directives"),
            *jobs.directives,
            *(jobs.gpu_directives if gpu else ()),
        ],
        "job_script_prologue": [*configured("job-script-prologue"), *jobs.prologue],
        "worker_extra_args": extra,
    }


def check_counts(count: int, gpus: int, kind: str, jobs: Sequence[str]) -> None:
    """Raises where more GPUs than workers are asked for, or jobs would not ask for theirs.

    Args:
        count: workers.
        gpus: those with a GPU.
        kind: `local` or one of QUEUES.
        jobs: directives of jobs with a GPU.

    Raises:
        BadInputError: see above.
    """
    if count < 1:
        raise BadInputError(f"-n: expected at least 1 worker, got {count}")
    if not 0 <= gpus <= count:
        raise BadInputError(f"--gpu-workers: expected 0 to {count}, the number of workers, got {gpus}")
    if gpus and kind in QUEUES and not jobs:
        raise BadInputError("--gpu-workers: expected --gpu-job-option, how a job asks for a GPU here: --gres=gpu:1")
