"""Locks on open files, by the operating system: it releases them when their file is closed or their process ends, even
by SIGKILL. Standard library only, because the first thing that runs on a fresh machine needs them.

Linux and macOS lock the whole file with flock. Windows has no flock; there one byte is locked, far behind the content,
because other processes cannot read what is locked. Only Linux is tested.
"""

import os
import sys
import time
from typing import Any

if sys.platform == "win32":
    import msvcrt

    _PLACE = 2**30  # of the locked byte
    _PAUSE_S = 0.1

    def try_lock(file: Any) -> bool:
        """Lock an open file without waiting; False where it is locked already, by this process or another one."""
        os.lseek(file.fileno(), _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def lock(file: Any) -> None:
        """Lock an open file; wait for whoever has it."""
        while not try_lock(file):
            time.sleep(_PAUSE_S)

    def is_locked(path: Any) -> bool:
        """Whether a file is locked; False where there is none."""
        try:
            with open(str(path), "rb+") as file:
                return not try_lock(file)  # closing releases it
        except OSError:
            return False

else:
    import fcntl

    def try_lock(file: Any) -> bool:
        """Lock an open file without waiting; False where it is locked already, by this process or another one.

        Raises: OSError on a file system without locks.
        """
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(file: Any) -> None:
        """Lock an open file; wait for whoever has it. Raises: OSError on a file system without locks."""
        fcntl.flock(file, fcntl.LOCK_EX)

    def is_locked(path: Any) -> bool:
        """Whether a file is locked; False where there is none."""
        try:
            with open(str(path)) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # several processes may ask at once
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
