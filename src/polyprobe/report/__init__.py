"""The study's HTML page with its figures and tables."""

from polyprobe.report.page import write_report

__all__ = ["write_report"]
