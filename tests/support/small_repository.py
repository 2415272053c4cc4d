"""A real repository with the real dvc whose stages only write a few bytes, under the names of the study `tiny`.

For what is between DVC and the doctor, and not between DVC and our stages.
"""

import shutil
from pathlib import Path

from support import ROOT
from support.tiny_project import Project

STAGES = """\
stages:
  convert_unimorph:
    cmd: python make.py data/parallel.parquet
    deps: [make.py]
    params: [words]
    outs: [data/parallel.parquet]
  extract:
    foreach: [step-0, step-20]
    do:
      cmd: python make.py data/embeddings/${item}/one.safetensors data/embeddings/${item}/two.safetensors
      deps: [make.py, data/parallel.parquet]
      outs: ["data/embeddings/${item}"]
  probe:
    foreach: [step-0, step-20]
    do:
      cmd: python make.py data/probes/${item}.parquet
      deps: [make.py, "data/embeddings/${item}"]
      params: [probe]
      outs: ["data/probes/${item}.parquet"]
  overlap:
    cmd: python make.py metrics/summary.json
    deps: [make.py, data/probes]
    params: [overlap]
    outs: [metrics/summary.json: {cache: false}]
"""
MAKE = """\
import random, sys
from pathlib import Path
for name in sys.argv[1:]:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(random.Random(name).randbytes(3000) if name.startswith("data") else b"{}")
"""


def make_small_repository(folder: Path) -> Project:
    """Makes the repository, runs its stages and commits."""
    project = Project(folder)
    (folder / ".dvc/plots").mkdir(parents=True)
    for name in (".gitignore", ".dvc/.gitignore", ".dvc/config"):
        shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(ROOT / "studies", folder / "studies")
    shutil.copy2(folder / "studies/tiny.yaml", folder / "params.yaml")
    (folder / ".dvc/plots/offline.html").write_text("a page", encoding="utf-8")
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    (folder / "make.py").write_text(MAKE, encoding="utf-8")
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.run("dvc", "config", "--local", "cache.type", "copy")
    project.commit("start")
    project.repro()
    project.commit("run")
    return project
