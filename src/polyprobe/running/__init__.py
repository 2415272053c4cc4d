"""What every long stage needs once: errors, whole-or-nothing writes, scratch folders, progress, fan-out, knobs."""

from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.fanout import fan_out
from polyprobe.running.files import new_file, new_folder, prune, space_for, write_json
from polyprobe.running.knobs import Knobs, knobs
from polyprobe.running.progress import progress
from polyprobe.running.remembered import remembered
from polyprobe.running.scratch import scratch_folder
from polyprobe.running.seeds import derive_seed
from polyprobe.running.threads import use_threads

__all__ = [
    "BadInputError",
    "Knobs",
    "derive_seed",
    "fan_out",
    "knobs",
    "new_file",
    "new_folder",
    "one_line",
    "progress",
    "prune",
    "remembered",
    "scratch_folder",
    "space_for",
    "use_threads",
    "write_json",
]
