"""A study whose checkpoints are on a hub on this machine."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from polyprobe.artefacts import manifest
from polyprobe.artefacts.manifest import Manifest
from support import ROOT, sections
from support.loopback_hub import Models
from support.stage_here import run_stage_here


@dataclass
class HubStudy:
    """A study in a folder whose checkpoints are on the hub."""

    path: Path
    models: Models

    def write(
        self, checkpoints: dict[str, dict[str, Any]], known: list[str] | None = None, tokenizer: str | None = None
    ) -> None:
        values = YAML(typ="safe").load((ROOT / "studies" / "pocket.yaml").read_text())
        own = None if tokenizer is None else {"repository": tokenizer, "revision": "main"}
        usual = {"model": "m", "weights": "studies/hub", "step": 5}
        values["models"] = {"m": {"repository": "a/b", "tokenizer": own, "tokens_per_step": 1024}}
        values["checkpoints"] = {key: sections.checkpoint(**(usual | entry)) for key, entry in checkpoints.items()}
        values["duplicates"] = {
            "policy": "drop_both" if known else "fail",
            "known": [known] if known else [],
            "tolerated_share": 0.1,
        }
        (self.path / "params.yaml").write_text(json.dumps(values))

    def run(self, stage: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a stage, with the hub's settings."""
        return run_stage_here(
            self.path,
            stage,
            *arguments,
            environment={"HF_ENDPOINT": self.models.url, "HF_HOME": str(self.path / "home"), "NO_PROXY": "127.0.0.1"}
            | environment,
        )

    def resolve(self, key: str, **environment: str) -> Manifest:
        done = self.run("resolve", key, **environment)
        assert done.returncode == 0, done.stderr
        return manifest.read(self.path / "data" / "checkpoints" / f"{key}.json")

    def refused(self, key: str, **environment: str) -> str:
        """The one line of an error; nothing is written."""
        done = self.run("resolve", key, **environment)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert not (self.path / "data").exists()
        return done.stderr.splitlines()[-1]

    def locked(self) -> dict[str, str]:
        lines = (self.path / "downloads.lock").read_text().splitlines()[1:]
        return {name: digest for digest, name in (line.split("  ") for line in lines)}
