"""Files that are either complete or absent: write beside the target under a temporary name, then rename."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, Iterator


@contextlib.contextmanager
def atomic_path(path: Any) -> Iterator[str]:
    """Yield a temporary path in the target's folder; on success it is flushed to disk and renamed to `path`.

    When the block raises, the temporary file is removed and an existing `path` is left as it was. The temporary
    name keeps the target's extension, because numpy and matplotlib choose the format by it.

    Raises: OSError when the folder cannot be written.
    """
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix="." + path.stem + ".", suffix=path.suffix, dir=str(path.parent))
    os.close(descriptor)
    try:
        yield temporary
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


def write_text(path: Any, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
