"""UD's features as UniMorph tags and attributes, as McCarthy et al. (2018) and the paper map them."""

from polyprobe.treebanks.unimorph.mapping import Analysis, analyse, attributes, combine, to_unimorph

__all__ = ["Analysis", "analyse", "attributes", "combine", "to_unimorph"]
