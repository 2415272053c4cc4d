"""Dask workers: on this machine, or those of a scheduler that is there already."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from distributed import Client, LocalCluster, Security

from polyprobe.running.errors import BadInputError
from polyprobe.running.knobs import knobs

GPU: Final = "GPU"
"""The Dask resource that workers with a GPU offer."""
INHERITED: Final = (
    "OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS NUMEXPR_NUM_THREADS MALLOC_TRIM_THRESHOLD_ PYTHONHASHSEED "
    "CUBLAS_WORKSPACE_CONFIG POLYPROBE_THREADS POLYPROBE_WORKERS POLYPROBE_DEVICE POLYPROBE_BATCH_TOKENS "
    "POLYPROBE_MIRROR"
).split()
"""Variables that a stage finds as a plain `dvc repro` in the main workspace would: Dask sets some for its workers, and
threads change the last bits of what is trained."""


@dataclass(frozen=True)
class Worker:
    """A Dask worker's process, from its start to its end."""

    key: str
    """Of this process only: one that is started in a dead one's place has another."""
    address: str
    name: str
    gpu: bool


@dataclass
class Workers:
    """The workers of one run."""

    client: Any
    """Dask's."""
    environments: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Variables for stages on a worker, by its name; the others get `inherited`."""
    gpu_names: frozenset[str] = frozenset()
    """Names of workers with a GPU that do not offer it as a resource."""
    submit_missing: Callable[[], None] = lambda: None
    """Asks for the jobs again that have ended."""

    def living(self) -> dict[str, Worker]:
        """Return the workers that are there, by their keys.

        Raises:
            BadInputError: the scheduler is gone.
        """
        try:
            known = self.client.sync(self.client.scheduler.identity, n_workers=-1)["workers"]
        except (OSError, TimeoutError) as error:
            raise BadInputError(f"the Dask scheduler does not answer any more: {error}") from None
        found = {}
        for address, about in sorted(known.items()):
            if about.get("status", "running") in ("running", "paused"):
                name, key = str(about.get("name")), f"{address} {about.get('id')}"
                gpu = name in self.gpu_names or bool((about.get("resources") or {}).get(GPU))
                found[key] = Worker(key, address, name, gpu)
        return found


def inherited() -> dict[str, str | None]:
    """Return INHERITED as they are here; None for one that is not set."""
    return {name: os.environ.get(name) for name in INHERITED}


@contextmanager
def local(count: int, gpus: int, folder: Path) -> Iterator[Workers]:
    """Start workers on this machine, which die with this process.

    Args:
        count: how many.
        gpus: how many of them get a GPU, each its own. The others get none.
        folder: for Dask's own files.

    Raises:
        BadInputError: CUDA_VISIBLE_DEVICES names fewer GPUs.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = given.split(",") if given else [str(number) for number in range(gpus)]
    if gpus > len(devices):
        raise BadInputError(f"--gpu-workers: {gpus} asked for, but CUDA_VISIBLE_DEVICES names {given}")
    environments = {str(number): _beside_others(count) for number in range(count)}
    for number in range(count if gpus else 0):
        environments[str(number)]["CUDA_VISIBLE_DEVICES"] = devices[number] if number < gpus else ""
    # Whoever may connect to a worker may run code: only processes that hold this run's keys, not this machine's users.
    security = Security.temporary()
    try:
        with (
            LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                memory_limit=0,
                host="127.0.0.1",
                security=security,
                dashboard_address=None,
                local_directory=str(folder.absolute()),
                silence_logs="CRITICAL",
            ) as cluster,
            Client(cluster) as client,
        ):
            yield Workers(client, environments, frozenset(str(number) for number in range(gpus)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _beside_others(count: int) -> dict[str, str | None]:
    """Return the variables of one of several workers on a machine."""
    # As many threads as in a plain `dvc repro` here, or training would round differently; processes change no result.
    threads, processes = str(knobs().threads), str(max(1, knobs().workers // count))
    environment = inherited() | {"POLYPROBE_THREADS": threads, "POLYPROBE_WORKERS": processes}
    if count > 1:
        # Threads that wait for each other by turning in circles would take the other workers' cores.
        environment["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "passive")
    return environment


@contextmanager
def joined(address: str) -> Iterator[Workers]:
    """Join the workers of a Dask scheduler. Its TLS keys, where it asks for such, are those of Dask's configuration.

    Args:
        address: such as `tls://login:8786`.

    Raises:
        BadInputError: nobody answers there.
    """
    try:
        client = Client(address, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInputError(f"--scheduler {address}: {error or 'nobody answers'}") from None
    with client:
        yield Workers(client)
