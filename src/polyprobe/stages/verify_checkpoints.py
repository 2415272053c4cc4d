"""Compares the weights of all checkpoints and fails on duplicates, or leaves them out (footnote 3 of the paper)."""

from dataclasses import asdict
from pathlib import Path

from polyprobe.artefacts import manifest
from polyprobe.checkpoints import apply_duplicates_policy, sets_of_equals
from polyprobe.running.files import new_folder, write_json
from polyprobe.stage import run_stage
from polyprobe.study import Study

METRICS = Path("metrics/checkpoints.json")
COLUMNS = (
    "checkpoint", "model", "repository", "commit", "step", "tokens_seen", "weights_sha256", "parameters", "layers",
    "width", "dtype", "dropped",
)  # fmt: skip


def verify_checkpoints(study: Study) -> None:
    """Writes `data/verified/` and `metrics/checkpoints.json`."""
    resolved = [manifest.read(manifest.path(key, manifest.FOLDER)) for key in study.checkpoints]
    verified = apply_duplicates_policy(resolved, study.duplicates.policy, study.duplicates.known)
    for line in sets_of_equals(resolved):
        print(f"{line} hold the same weights; duplicates.policy: {study.duplicates.policy}")
    with new_folder(manifest.VERIFIED) as folder:
        for checkpoint in verified:
            manifest.write(manifest.path(checkpoint.checkpoint, folder), checkpoint)
    write_json(METRICS, [{name: asdict(checkpoint)[name] for name in COLUMNS} for checkpoint in verified])


if __name__ == "__main__":
    run_stage(verify_checkpoints)
