"""Fuzz target: an archive of arrays of any bytes is a split or a checkpoint of the documented kind, or is refused."""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Iterator

import numpy as np
from refusal import value_or_refusal

from shared_data.files.npz import read_npy
from shared_data.runs import npz_checkpoint
from shared_data.splits.draws import Split, load_split, save_split

_SPLIT = Split(np.array([5, 1, 9]), np.array([2]), np.array([0, 3, 7]))
_STATE = {"epoch": 3, "weights": [np.ones((2, 3), np.float32), np.array(0.5)]}


def seeds() -> Iterator[bytes]:
    """A split, a checkpoint, and the arrays of a split without any archive."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.npz"
        for write, value in ((save_split, _SPLIT), (npz_checkpoint.write, _STATE)):
            write(path, value)
            yield path.read_bytes()
    for part in _SPLIT:
        file = io.BytesIO()
        np.save(file, part)
        yield file.getvalue()


def try_one(content: bytes, folder: Path) -> None:
    """Read the bytes as an archive, and as each array of one: a mutation inside of an archive breaks its checksums."""
    archive, array = folder / "file.npz", folder / "file.npy"
    archive.write_bytes(content)
    array.write_bytes(content)
    _try_archive(archive)
    with zipfile.ZipFile(str(archive), "w") as writer:
        for name in (*Split._fields, "plain"):
            writer.writestr(name + ".npy", content)
    _try_archive(archive)
    try:
        assert read_npy(array, (3,)).shape == (3,)
    except ValueError as error:
        assert str(error).isprintable()


def _try_archive(path: Path) -> None:
    split = value_or_refusal(load_split, path)
    for part in split or ():
        assert part.dtype == np.int64 and part.ndim == 1 and (part >= 0).all()
    state = value_or_refusal(npz_checkpoint.read, path)
    assert state is None or isinstance(state, dict)
