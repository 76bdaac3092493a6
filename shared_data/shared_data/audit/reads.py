"""What a method reads by itself while it trains or predicts: the scene, or the file that holds its labels.

`fit` and `predict` are given all they may use. `load_scene` gives them the altered scene instead of the true one, so
an experiment is not bypassed; every call, and every opening of a file of that name, is noted.
"""

import builtins
import contextlib
import io
import os
import sys
from typing import Any, Callable, Iterator, List, Sequence, Tuple

from shared_data.scenes.loading import LoadedScene, serving

_Watcher = Callable[[Any], None]
_WATCHERS: List[_Watcher] = []  # called with every path that is opened
# where Python has no audit events (before 3.8) these are replaced instead; `pathlib` and numpy use `io.open`
_OPENERS: Tuple[Tuple[Any, str], ...] = ((builtins, "open"), (io, "open"), (os, "open"))
_HOOKED: List[bool] = []  # whether the hook is set; it can never be taken away


@contextlib.contextmanager
def noted_reads(loaded: LoadedScene) -> Iterator[List[str]]:
    """Inside, `load_scene` gives `loaded`; the list grows by what is read."""
    reads: List[str] = []
    truth = loaded.scene.ground_truth
    paths = [file.path for file in loaded.files if truth is not None and file.name == truth.name]
    names = sorted({os.path.basename(path) for path in paths} | ({truth.name} if truth is not None else set()))
    with serving(loaded, lambda: _note(reads, "load_scene")), _watched(names, reads):
        yield reads


def _note(reads: List[str], what: str) -> None:
    if what not in reads:
        reads.append(what)


@contextlib.contextmanager
def _watched(names: Sequence[str], reads: List[str]) -> Iterator[None]:
    """Note what is opened under one of these file names, in any folder."""

    def watch(path: Any) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):
            base = os.path.basename(os.fsdecode(path))
            if base in names:
                _note(reads, base)

    _WATCHERS.append(watch)
    try:
        if _by_audit_events():
            yield
        else:
            with _replaced_openers():
                yield
    finally:
        _WATCHERS.remove(watch)


def _by_audit_events() -> bool:
    if not hasattr(sys, "addaudithook"):
        return False
    if not _HOOKED:
        _HOOKED.append(True)
        sys.addaudithook(lambda event, found: _tell(found[0]) if event == "open" else None)
    return True


def _tell(path: Any) -> None:
    for watcher in tuple(_WATCHERS):
        watcher(path)


@contextlib.contextmanager
def _replaced_openers() -> Iterator[None]:
    originals = [getattr(module, name) for module, name in _OPENERS]

    def watching(original: Callable[..., Any]) -> Callable[..., Any]:
        def opener(file: Any, *further: Any, **named: Any) -> Any:
            _tell(file)
            return original(file, *further, **named)

        return opener

    try:
        for (module, name), original in zip(_OPENERS, originals):
            setattr(module, name, watching(original))
        yield
    finally:
        for (module, name), original in zip(_OPENERS, originals):
            setattr(module, name, original)
