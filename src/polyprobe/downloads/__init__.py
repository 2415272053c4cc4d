"""Files from elsewhere: fetched once, resumed where they were cut off, and never used before their hash is checked."""

from polyprobe.downloads.archives import check_archive, extract
from polyprobe.downloads.git_hash import git_hash
from polyprobe.downloads.http import download, read_url
from polyprobe.downloads.hub import dataset_file

__all__ = ["check_archive", "dataset_file", "download", "extract", "git_hash", "read_url"]
