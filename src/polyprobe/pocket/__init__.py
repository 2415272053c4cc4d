"""Mini-languages with a known grammar: treebanks, a parallel set and transfer tasks, generated from one seed."""

from polyprobe.pocket.tasks import write_tasks
from polyprobe.pocket.treebanks import write_treebanks
from polyprobe.pocket.typology import TYPOLOGIES, typology_distance

__all__ = ["TYPOLOGIES", "typology_distance", "write_tasks", "write_treebanks"]
