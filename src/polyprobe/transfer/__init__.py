"""Zero-shot cross-lingual transfer: task data, QLoRA fine-tuning on the source language, evaluation on all languages.

`transfer.fetching` brings the data, `transfer.fine_tuning` does the rest; they are imported by their own names, so that
fetching needs no model library.
"""

import logging

from polyprobe.transfer.examples import Encoded, Example
from polyprobe.transfer.tasks import TASKS, TransferTask

__all__ = ["TASKS", "Encoded", "Example", "TransferTask"]

# On some CPUs bitsandbytes recommends, when it is imported, an optional package: no news to users of a study.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(
    lambda record: "gemm_4bit_forward" not in record.getMessage()
)
