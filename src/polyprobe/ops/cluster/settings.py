"""How a run on several workers goes: the options of `polyprobe cluster repro`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError

BATCH_SYSTEMS: Final = {"slurm": "SLURMCluster", "sge": "SGECluster", "pbs": "PBSCluster"}
"""Batch systems → their classes in dask_jobqueue."""


@dataclass(frozen=True)
class Settings:
    """How a run goes. What a batch system's jobs ask for and is None here, Dask's `jobqueue.yaml` says."""

    cluster: str | None = None
    """`local` or one of `BATCH_SYSTEMS`; None to join the scheduler at `scheduler`."""
    scheduler: str | None = None
    workers: int = 2
    gpu_workers: int = 0
    """Workers with a GPU among them."""
    retries: int = 3
    """How often a stage is run again whose worker died."""
    worktrees: Path | None = None
    """The folder for the workers' worktrees or clones."""
    carry: Sequence[str] = ()
    """Ignored inputs to take along, beside `worker_folders.CARRIED`."""
    remote: str | None = None
    """The DVC remote of workers that clone, because they share no file system with this workspace."""
    clone_from: str | None = None
    """The git repository that they clone; None for the remote `origin`."""
    cores: int | None = None
    """Of a job; so are the following."""
    memory: str | None = None
    walltime: str | None = None
    queue: str | None = None
    account: str | None = None
    job_option: Sequence[str] = ()
    """More lines for the head of the script, without the batch system's prefix."""
    gpu_job_option: Sequence[str] = ()
    """The same, for jobs with a GPU only."""
    prologue: Sequence[str] = ()
    """Commands for the script, before the worker's."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            BadInputError: it does, or something to carry is not in this workspace.
        """
        if (self.cluster is None) == (self.scheduler is None):
            raise BadInputError("expected either --cluster, to start workers, or --scheduler, to join those it has")
        if self.workers < 1:
            raise BadInputError(f"-n: expected at least 1 worker, got {self.workers}")
        if not 0 <= self.gpu_workers <= self.workers:
            expected = f"expected 0 to {self.workers}, the number of workers"
            raise BadInputError(f"--gpu-workers: {expected}, got {self.gpu_workers}")
        if self.gpu_workers and self.cluster in BATCH_SYSTEMS and not self.gpu_job_option:
            raise BadInputError("--gpu-workers: expected --gpu-job-option, how a job asks for a GPU: --gres=gpu:1")
        for path in self.carry:
            if Path(path).is_absolute() or ".." in Path(path).parts or not Path(path).exists():
                raise BadInputError(f"--carry {path}: expected a path in this workspace")
