"""The contracts between stages: one module per kind of file, its path and its columns."""
