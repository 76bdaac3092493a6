"""An untrusted text: read from an ordinary file alone, and only up to a size it may have."""

import stat
from pathlib import Path
from typing import Any


def read_text(path: Any, most_bytes: int) -> str:
    """The UTF-8 text of a file.

    A pipe would be waited for without end and a device read without end, so neither is opened; nor is a longer file.
    Raises: OSError; ValueError with the reason where it is no ordinary file, has more bytes, or is not UTF-8.
    """
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not an ordinary file")
    if found.st_size > most_bytes:
        raise ValueError("it has %d bytes, more than the %d allowed" % (found.st_size, most_bytes))
    return Path(path).read_bytes().decode("utf-8")
