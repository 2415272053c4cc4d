"""How much languages share: overlap of neurons; for similarity of sentences see `polyprobe.checkpoints.similarity`."""

from polyprobe.alignment.hypergeometric import overlap_test
from polyprobe.alignment.multiplicity import CORRECTIONS, adjusted
from polyprobe.alignment.pairwise import Pair, pairwise_overlap

__all__ = ["CORRECTIONS", "Pair", "adjusted", "overlap_test", "pairwise_overlap"]
