"""What every long stage needs once: errors, whole-or-nothing writes, scratch folders, progress, fan-out, knobs."""
