"""The contracts between stages: one module per kind of file, its schema, its reader and its writer."""
