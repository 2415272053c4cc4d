"""The shared remote: `python -m polyprobe.ops.remote set | check | heal | push | pull` (docs/sharing.md).

It leans on DVC's own remotes and file systems, so that what it tries is what `dvc push` and `dvc pull` will use.
"""

from polyprobe.ops.remote.checking import Checked, check
from polyprobe.ops.remote.healing import heal
from polyprobe.ops.remote.moving import pull, push
from polyprobe.ops.remote.place import Place, RemoteError, open_repository
from polyprobe.ops.remote.setting import set_remote
from polyprobe.ops.remote.trying import try_remote

__all__ = [
    "Checked",
    "Place",
    "RemoteError",
    "check",
    "heal",
    "open_repository",
    "pull",
    "push",
    "set_remote",
    "try_remote",
]
