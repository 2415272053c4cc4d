"""The pipeline on several machines: its graph, its schedule, and the workers that run it."""
