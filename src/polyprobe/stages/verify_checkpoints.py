"""Compares the weights of all checkpoints and fails on duplicates, or leaves them out (footnote 3 of the paper)."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from polyprobe.artefacts import manifest
from polyprobe.checkpoints.duplicates import apply_duplicates_policy, described_duplicates, equal_to_previous
from polyprobe.running.files import new_folder, write_json
from polyprobe.stage import run_stage
from polyprobe.study import Study

METRICS = Path("metrics/checkpoints.json")
COLUMNS = (
    "checkpoint model repository commit step tokens_seen weights_sha256 config_sha256 tokenizer_sha256 parameters "
    "layers width dtype zeros dropped"
).split()


def verify_checkpoints(study: Study) -> None:
    """Write `data/verified/` and `metrics/checkpoints.json`."""
    resolved = [manifest.read(manifest.path(key, manifest.FOLDER)) for key in study.checkpoints]
    verified = apply_duplicates_policy(resolved, study.duplicates)
    for line in described_duplicates(resolved, study.duplicates):
        print(f"{line}; duplicates.policy: {study.duplicates.policy}")
    with new_folder(manifest.VERIFIED) as folder:
        for checkpoint in verified:
            manifest.write(manifest.path(checkpoint.checkpoint, folder), replace(checkpoint, tensors={}))
    shares = equal_to_previous(resolved)
    write_json(METRICS, [_row(checkpoint, shares[checkpoint.checkpoint]) for checkpoint in verified])


def _row(checkpoint: manifest.Manifest, share: float | None) -> dict[str, Any]:
    return {name: asdict(checkpoint)[name] for name in COLUMNS} | {"equal_to_previous": share}


if __name__ == "__main__":
    run_stage(verify_checkpoints)
