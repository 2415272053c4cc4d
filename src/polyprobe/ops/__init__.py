"""What a user does beside the pipeline; `polyprobe.cli` is its table of contents."""
