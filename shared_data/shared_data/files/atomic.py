"""Files that are either complete or absent: write beside the target under a temporary name, then rename."""

import contextlib
import errno
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Iterator

# errors by which a disk refuses a write
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_PROBE_BYTES = 1 << 16
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.\w+")  # mkstemp's eight letters before the extension


@contextlib.contextmanager
def atomic_path(path: Any) -> Iterator[str]:
    """Yield a temporary path in the target's folder; on success it is flushed to disk and renamed to `path`.

    When the block raises, the temporary file is removed and an existing `path` is left as it was. The temporary
    name keeps the target's extension, because numpy and matplotlib choose the format by it.

    Raises: OSError naming the path if the disk refused the write.
    """
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix="." + path.stem + ".", suffix=path.suffix, dir=str(path.parent))
    os.close(descriptor)
    try:
        try:
            yield temporary
        except Exception as error:
            _check_disk(temporary, path, error)
            raise
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        # mkstemp makes files private; results are meant to be read by others as umask allows
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, str(path))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _check_disk(temporary: str, path: Path, error: Exception) -> None:
    """Raise OSError if the disk caused `error`; otherwise return.

    PyTorch, HDF5, numpy and Pillow report a full disk in different ways, as RuntimeError or as OSError without errno,
    so a trial write to the temporary file decides.
    """
    number = getattr(error, "errno", None)
    if number not in REFUSALS:
        number = None
        try:
            with open(temporary, "ab") as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as refusal:
            number = refusal.errno
    if number is not None:
        raise OSError(number, os.strerror(number), str(path)) from error


def remove_leftovers(folder: Any) -> None:
    """Remove temporary files that killed processes left in a folder and below; no other process may write there
    meanwhile."""
    for path in Path(folder).rglob(".*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink()


def write_text(path: Any, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
