"""All that the package takes from inside DVC: none of it is public, and a version of DVC may move it."""

from dvc.cli import main as run_command
from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.fs import RemoteMissingDepsError, localfs
from dvc.fs.callbacks import TqdmCallback
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.rwlock import SCHEMA as RWLOCK_SCHEMA
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.stage.cache import _get_cache_hash as run_cache_hash
from dvc.utils.serialize import ParseError, dump_yaml, load_yaml, parse_yaml
from dvc_data.hashfile.build import build
from dvc_data.hashfile.hash import file_md5

__all__ = [
    "COMPILED_LOCKFILE_SCHEMA",
    "RWLOCK_SCHEMA",
    "Config",
    "DvcException",
    "ParseError",
    "RemoteMissingDepsError",
    "Repo",
    "TqdmCallback",
    "build",
    "collect_stages",
    "dump_yaml",
    "file_md5",
    "get_active_graph",
    "load_yaml",
    "localfs",
    "lock_repo",
    "parse_yaml",
    "plan_repro",
    "run_cache_hash",
    "run_command",
]
