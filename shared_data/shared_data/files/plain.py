"""Read an untrusted text from a regular file of limited size."""

import stat
from pathlib import Path
from typing import Any


def read_text(path: Any, most_bytes: int) -> str:
    """The UTF-8 text of a file.

    Pipes and devices are not opened, because reading them might never end; nor are files above the limit.
    Raises: OSError; ValueError with the reason where it is no regular file, is too large, or is not UTF-8.
    """
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not an ordinary file")
    if found.st_size > most_bytes:
        raise ValueError("it has %d bytes, more than the %d allowed" % (found.st_size, most_bytes))
    return Path(path).read_bytes().decode("utf-8")
