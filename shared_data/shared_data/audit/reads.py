"""What a method reads by itself while it trains or predicts: the scene, or the file that holds its labels.

`fit` and `predict` are given all they may use. `load_scene` gives them the altered scene instead of the true one, so
an experiment is not bypassed; every call, and every opening of a file of that name, is noted.
"""

import builtins
import contextlib
import io
import os
from typing import Any, Callable, Iterator, List, Sequence, Tuple

from shared_data.scenes.loading import LoadedScene, serving

# every one of them opens files for Python's libraries; `pathlib` and numpy use `io.open`
_OPENERS: Tuple[Tuple[Any, str], ...] = ((builtins, "open"), (io, "open"), (os, "open"))


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
    originals = [getattr(module, name) for module, name in _OPENERS]

    def watching(original: Callable[..., Any]) -> Callable[..., Any]:
        def opener(file: Any, *further: Any, **named: Any) -> Any:
            if isinstance(file, (str, bytes, os.PathLike)):
                base = os.path.basename(os.fsdecode(file))
                if base in names:
                    _note(reads, base)
            return original(file, *further, **named)

        return opener

    try:
        for (module, name), original in zip(_OPENERS, originals):
            setattr(module, name, watching(original))
        yield
    finally:
        for (module, name), original in zip(_OPENERS, originals):
            setattr(module, name, original)
