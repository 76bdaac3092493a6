"""One run, one directory: results/<paper>/<experiment>/<protocol>/seed-<n>/, held by one process at a time.

The directory is the state of the run: settings.json holds its settings, checkpoints let it resume, and run.json,
written last, marks it as finished. A lock of the operating system excludes a second process; it is released when its
holder ends, even by SIGKILL.
"""

import contextlib
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from shared_data.errors import RunDirectoryError
from shared_data.files.atomic import remove_leftovers, write_text
from shared_data.files.locks import is_locked, try_lock
from shared_data.files.plain import read_text
from shared_data.records.record import read_record, write_record

_LOCK, _SETTINGS, _RECORD = ".lock", "settings.json", "run.json"
_CIRCUMSTANCES = "circumstances.json"  # one entry per start whose circumstances differ from the start before
_LARGEST_SETTINGS = 10**6  # bytes


def _differences(old: Any, new: Any, place: str = "") -> Iterator[Tuple[str, Any, Any]]:
    """Leaves in which two nested settings differ: (dotted place, old value, new value)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(set(old) | set(new)):
            yield from _differences(old.get(key), new.get(key), "%s.%s" % (place, key) if place else key)
    elif old != new:
        yield place, old, new


class InUseError(RunDirectoryError):
    """Another process holds a run directory."""


def take_lock(path: Path) -> Any:
    """Make a run directory and hold it until the returned file is closed, or its process ends.

    Raises: RunDirectoryError where it cannot be written; InUseError, which is one, where another process holds it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        # no symbolic link, whose target would be truncated (Windows lacks the flag); unbuffered, so that closing does
        # not repeat a write that a full disk refused
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(str(path / _LOCK), flags, 0o666)
        lock = os.fdopen(descriptor, "ab+", buffering=0)
        try:
            _hold(lock, path)
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise RunDirectoryError(
            "%s cannot be written (%s); choose another folder with OUT= or --out." % (path, error.strerror)
        ) from error
    return lock


def _hold(lock: Any, path: Path) -> None:
    """Lock the file and write into it who holds it."""
    if not try_lock(lock):
        lock.seek(0)
        holder = lock.read().decode("utf-8", "replace").strip() or "another process"
        raise InUseError(
            "%s is in use by %s; wait for it, or give this run another folder with OUT= or --out." % (path, holder)
        )
    lock.truncate(0)
    lock.write(("process %d on %s\n" % (os.getpid(), socket.gethostname())).encode("utf-8"))


def is_held(path: Path) -> bool:
    """Whether a process holds a run directory. Asking has no effect on that process or the directory."""
    return is_locked(path / _LOCK)


@contextlib.contextmanager
def writing(path: Path, remedy: str = "") -> Iterator[None]:
    """Turn an OSError of the block into a RunDirectoryError that names the run directory, and then what to do."""
    try:
        yield
    except OSError as error:
        raise RunDirectoryError("%s cannot be written: %s.%s" % (path, error.strerror or error, remedy)) from error


def empty(path: Path) -> None:
    """Delete what a folder of runs holds, while no other process holds it.

    Raises: RunDirectoryError where it cannot be written, or another process holds it.
    """
    with take_lock(path), writing(path):
        _delete_content(path)


def withdraw_record(path: Path) -> None:
    """Delete the record that marks a run as finished, where there is one, while no other process holds its directory.

    Raises: RunDirectoryError where it cannot be written, or another process holds it.
    """
    if not (path / _RECORD).exists():
        return
    with take_lock(path), writing(path):
        (path / _RECORD).unlink()


def _delete_content(path: Path) -> None:
    for entry in path.iterdir():
        if entry.name == _LOCK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(str(entry))
        else:
            entry.unlink()


class RunDirectory:
    """Context manager that creates, locks and checks a run directory.

    settings: everything that decides the run's result (resolved configuration, hashes of the data), JSON values.
    force: forget what the directory holds and start over (at `begin`).
    Raises RunDirectoryError where the folder cannot be written, another process holds it, or it holds a run with
    other settings.
    """

    def __init__(self, path: Any, settings: Dict[str, Any], force: bool = False) -> None:
        self.path = Path(path)
        self.settings = json.loads(json.dumps(settings))
        self.force = force
        self._lock: Optional[Any] = None

    def __enter__(self) -> "RunDirectory":
        lock = take_lock(self.path)
        try:
            if not self.force:
                self._check_settings()
        except BaseException:
            lock.close()
            raise
        self._lock = lock
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._lock is not None  # taken on entering
        self._lock.close()  # closing releases the lock

    def begin(self, circumstances: Optional[Dict[str, Any]] = None) -> None:
        """Write the run's settings into the directory; `force` deletes the directory's old content only now.

        Call it after all input has been checked.
        circumstances: `environment` and `revision` of this process, JSON values; those of the starts before are kept.
        """
        if self.force:
            self._write(lambda: _delete_content(self.path))
        self._write(lambda: remove_leftovers(self.path))
        text = json.dumps(self.settings, indent=1, sort_keys=True) + "\n"
        self._write(lambda: write_text(self.path / _SETTINGS, text))
        if circumstances is not None:
            self._note(json.loads(json.dumps(circumstances)))

    def circumstances(self) -> List[Dict[str, Any]]:
        """The circumstances of the run's starts, in order, each different from the one before.

        Raises: RunDirectoryError where the file that says so cannot be read.
        """
        path = self.path / _CIRCUMSTANCES
        known = self._read_json(path) if path.exists() else []
        if not isinstance(known, list):
            raise RunDirectoryError("%s is damaged (expected a list); start over with FORCE=1 or --force." % path)
        return known

    def _note(self, circumstances: Dict[str, Any]) -> None:
        known = self.circumstances()
        if known[-1:] != [circumstances]:
            text = json.dumps(known + [circumstances], indent=1, sort_keys=True) + "\n"
            self._write(lambda: write_text(self.path / _CIRCUMSTANCES, text))

    @staticmethod
    def _read_json(path: Path) -> Any:
        try:
            return json.loads(read_text(path, _LARGEST_SETTINGS))
        except (OSError, ValueError, RecursionError) as error:
            raise RunDirectoryError(
                "%s cannot be read (%s); start over with FORCE=1 or --force." % (path, error)
            ) from error

    def _check_settings(self) -> None:
        self.circumstances()  # an unreadable one must fail now, not after hours of training
        stored = self.path / _SETTINGS
        if not stored.exists():
            return
        old = self._read_json(stored)
        changes = [
            "%s was %s and is now %s" % (place or "all", json.dumps(before), json.dumps(now))
            for place, before, now in _differences(old, self.settings)
        ]
        if changes:
            raise RunDirectoryError(
                "%s holds a run with other settings: %s. Choose another folder with OUT= or --out, or start over with "
                "FORCE=1 or --force." % (self.path, ", ".join(changes))
            )

    def _write(self, action: Any) -> None:
        with writing(self.path):
            action()

    def record(self) -> Optional[Dict[str, Any]]:
        """The record of a finished run; None of an unfinished one, and of one that `force` is to replace."""
        path = self.path / _RECORD
        return read_record(path) if path.exists() and not self.force else None

    def finish(self, record: Dict[str, Any]) -> None:
        """Write run.json, which marks the run as finished."""
        self._write(lambda: write_record(self.path / _RECORD, record))
