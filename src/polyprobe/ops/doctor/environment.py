"""The python that runs the stages, and the one of its packages that has to fit the GPU."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polyprobe
from polyprobe.ops.doctor.findings import Finding, fault, ok

_ACTIVATE: Final = "put the environment's folder first: `export PATH=$PWD/.venv/bin:$PATH`, or use `make repro`"


def check(deep: bool) -> Iterator[Finding]:
    """Look at the first python on PATH, by which DVC runs each stage, and at its bitsandbytes."""
    python = shutil.which("python")
    if python is None:
        yield fault("python of the stages", "there is no `python` on PATH", _ACTIVATE)
    else:
        yield _python(python)
        yield _bitsandbytes(python)


def _python(python: str) -> Finding:
    """Check that it runs this polyprobe, and that this is the one of the folder."""
    subject, here, source = "python of the stages", Path(polyprobe.__file__).resolve().parent, Path("src/polyprobe")
    find = "import importlib.util as u; print(u.find_spec('polyprobe').origin)"
    found = subprocess.run([python, "-c", find], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        return fault(subject, f"{python} does not have polyprobe", _ACTIVATE)
    theirs = Path(found.stdout.strip()).resolve().parent
    if theirs != here:
        return fault(subject, f"{python} has polyprobe from {theirs}, this is the one in {here}", _ACTIVATE)
    if source.is_dir() and here != source.resolve():
        message = f"polyprobe is installed from {here}, not from this folder: a change of src/ here would not be run"
        return fault(subject, message, "`make install` here")
    return ok(subject, f"{python} has polyprobe from {here}")


def _bitsandbytes(python: str) -> Finding:
    """Run its own diagnosis: its native library has to fit torch and the GPU."""
    done = subprocess.run([python, "-m", "bitsandbytes"], capture_output=True, check=False)
    if done.returncode != 0:
        message = "it does not work here, and fine-tuning needs it"
        return fault("bitsandbytes", message, "`python -m bitsandbytes` says why; `make install`")
    return ok("bitsandbytes", "its own diagnosis finds nothing wrong")
