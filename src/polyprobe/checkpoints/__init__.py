"""Checkpoints: what they are (resolve, hash, compare) and the hidden states of their words.

Functions are imported from the modules: `duplicates` and `similarity` need no torch and no transformers.
"""
