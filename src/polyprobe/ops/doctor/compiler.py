"""A C++ compiler, with which greedy selection is several times as fast."""

import os
import shutil
from collections.abc import Iterator

from polyprobe.ops.doctor.findings import Asked, Finding, ok, warning


def check(asked: Asked) -> Iterator[Finding]:
    """Without one, the same neurons are selected, more slowly."""
    slow = "; without it, probes select the same neurons more slowly"
    given = os.environ.get("CXX", "c++")
    compiler = shutil.which(given) or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        named = f"{given} (CXX), c++, g++ and clang++" if "CXX" in os.environ else "c++, g++ and clang++"
        yield warning("compiler", f"none of {named} is there{slow}", "install g++ (Debian: `apt-get install g++`)")
        return
    from polyprobe.probes._greedy_kernel import library

    if library() is None:
        yield warning(
            "compiler",
            f"{compiler} makes nothing that can be loaded{slow}",
            "install g++ with its standard library (Debian: `apt-get install g++`), or name another in CXX",
        )
    else:
        yield ok("compiler", f"{compiler} compiles the kernel of greedy selection")
