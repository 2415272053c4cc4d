"""What a benchmark's figures were measured on."""

import os
import platform
import resource
from pathlib import Path

import torch


def machine() -> str:
    """Return one line on the processor (and GPU), cores, torch's version and threads."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"machine: {processor}, {os.cpu_count()} cores{gpu}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} thread(s)"
    )


def children() -> float:
    """Return the seconds of a core that the processes took which this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
