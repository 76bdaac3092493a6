"""Checkpoints as .npz: what goes in comes out, damage and foreign objects are refused, nothing is half-written."""

import numpy as np
import pytest

from shared_data.errors import CheckpointError
from shared_data.runs import npz_checkpoint

CONTENT = {
    "epoch": 3,
    "loss": [0.1, float("inf"), -2.5],
    "text": "Kohl – né",
    "nothing": None,
    "weights": [np.arange(6, dtype=np.float32).reshape(2, 3), np.float64(0.1), np.array([], np.int64)],
    "by_name": {"conv/W": np.ones((1, 1, 2, 3), np.float32), "step": np.int64(7)},
}


def test_nested_content_comes_back_with_its_types(tmp_path):
    path = tmp_path / "epoch-3.npz"
    npz_checkpoint.write(path, CONTENT)
    found = npz_checkpoint.read(path)
    assert {name: found[name] for name in ("epoch", "loss", "text", "nothing")} == {
        name: CONTENT[name] for name in ("epoch", "loss", "text", "nothing")
    }
    for one, other in zip(found["weights"], CONTENT["weights"]):
        assert np.array_equal(one, other) and one.dtype == other.dtype
    assert np.array_equal(found["by_name"]["conv/W"], CONTENT["by_name"]["conv/W"]) and found["by_name"]["step"] == 7


@pytest.mark.parametrize("damage", [
    lambda content: content[: len(content) // 2],
    lambda content: b"",
    lambda content: b"<html>404</html>",
    lambda content: content[:-40] + bytes(40),
])  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = tmp_path / "epoch-3.npz"
    npz_checkpoint.write(path, CONTENT)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"epoch-3\.npz is damaged"):
        npz_checkpoint.read(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.npz does not exist"):
        npz_checkpoint.read(tmp_path / "none.npz")


class Evil:
    def __reduce__(self):
        return print, ("this must not run",)


@pytest.mark.parametrize("arrays", [
    {"plain": np.array(Evil(), object)},
    {"plain": np.array('{"weights": {"__array__": 0}}'), "a0": np.array([Evil()], object)},
])  # fmt: skip
def test_a_pickle_is_never_loaded(tmp_path, capsys, arrays):
    path = tmp_path / "evil.npz"
    np.savez(str(path), **arrays)
    with pytest.raises(CheckpointError, match="damaged"):
        npz_checkpoint.read(path)
    assert "must not run" not in capsys.readouterr().out


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    def full(file, **_arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "epoch-3.npz"
    npz_checkpoint.write(path, CONTENT)
    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        npz_checkpoint.write(path, {"epoch": 4})
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["epoch-3.npz"]
