"""UD's features as UniMorph tags and attributes, as McCarthy et al. (2018) and the paper map them."""

from polyprobe.treebanks.unimorph.base import unmapped_items
from polyprobe.treebanks.unimorph.mapping import Analysis, analyse, attributes, combine, to_unimorph
from polyprobe.treebanks.unimorph.tags import read_tag

__all__ = ["Analysis", "analyse", "attributes", "combine", "read_tag", "to_unimorph", "unmapped_items"]
