"""Untrusted files at a paper's entry points: weights to predict with, and a run's folder to resume from.

None of them may run code or write outside the output folder; each must give a one-sentence error and exit code 1.
"""

import io
import os
import pickle
import shutil
import tarfile
import zipfile

import numpy as np
import pytest

from contracts.faults import FAULTS, note
from contracts.interruption import run_folder

_TORCH_MAGIC, _TORCH_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # the first two values of PyTorch's older format
_CHECKPOINTS = (".pth", ".npz", ".hdf5")
_SHORT = ("PyTorch's older format", "PyTorch's format", "an .npz of objects")


class Evil:
    """Unpickling it creates a folder."""

    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


def _zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _tarred(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def _array(value):
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


def hostile_contents(place):
    """By name: bytes that would create the folder `place`, write next to it, or exhaust memory, if trusted."""
    evil = pickle.dumps(Evil(place), 2)
    numbers = [pickle.dumps(value, 2) for value in (_TORCH_MAGIC, _TORCH_PROTOCOL, {"little_endian": True})]
    objects = _array(np.array([Evil(place)], dtype=object))
    outside = "../" + os.path.basename(str(place))
    return {
        "a pickle": evil,
        "PyTorch's older format": b"".join(numbers) + evil + pickle.dumps([], 2),
        "PyTorch's oldest format": _tarred(
            dict.fromkeys(("sys_info", "pickle", "storages", "tensors", outside), evil)
        ),
        "PyTorch's format": _zipped({"archive/data.pkl": evil, "archive/version": b"3\n"}),
        "an .npz of objects": _zipped({name + ".npy": objects for name in ("plain", "a0", "train", "val", "test")}),
        "an .npz that leads elsewhere": _zipped({outside + ".npy": _array(np.ones(3)), str(place) + ".npy": b""}),
        "an .npz of zeros": _zipped({"plain.npy": _array(np.zeros(1 << 23)), "a0.npy": b"\x93NUMPY" + bytes(1 << 26)}),
        "nothing": b"",
        "a web page": b"<html>404</html>",
    }  # fmt: skip


def _kinds(contents):
    """The cases of a test; without HSI_FAULTS fewer, because a network may take seconds before it reads its weights."""
    return sorted(contents) if FAULTS else _SHORT


def _refused(paper, capsys, words, named, place):
    assert paper.main(words) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ") and message.isprintable() and len(message) < 2000
    assert str(named) in message
    assert sorted(path.name for path in place.parent.iterdir()) in ([], ["weights"])


class UntrustedFiles:
    """Hostile files in place of weights and in a run's folder; for the fixture `paper`."""

    @pytest.fixture
    def hostile(self, tmp_path):
        """(contents by name, path that must not come into existence) in a separate folder."""
        folder = tmp_path / "hostile"
        folder.mkdir()
        return hostile_contents(folder / "owned"), folder / "owned"

    def test_no_file_of_weights_runs_code_or_is_half_believed(self, paper, hostile, tmp_path, capsys):
        contents, place = hostile
        path = place.parent / "weights"
        words = ["predict", "synthetic", "--device", "cpu", "--out", str(tmp_path / "out"), "--weights", str(path)]
        for override in paper.lean:
            words += ["--set", override]
        kinds = _kinds(contents)
        for kind in kinds:
            path.write_bytes(contents[kind])
            _refused(paper, capsys, words, path, place)
        assert not list((tmp_path / "out").rglob("prediction.npy"))
        note("hostile files of weights", paper.slug, len(kinds), "one sentence; no code ran")

    @pytest.mark.slow
    def test_no_run_is_resumed_or_audited_on_files_of_a_stranger(self, paper, hostile, finished, tmp_path, capsys):
        contents, place = hostile
        copy = tmp_path / "out"
        shutil.copytree(str(finished.out), str(copy))
        words, folder = [*finished.words, "--out", str(copy)], run_folder(paper, copy)
        prediction = folder / "prediction.npy"
        header = b"v\0{'descr': '|u1', 'fortran_order': False, 'shape': (999999, 999999)}"
        forged = b"\x93NUMPY\x01\x00" + header.ljust(120)
        for content in (_array(np.array([Evil(place)], dtype=object)), forged, b""):
            prediction.write_bytes(content)
            _refused(paper, capsys, ["audit"] + words, prediction, place)

        (folder / "run.json").unlink()
        checkpoints = [path for path in folder.rglob("*") if path.suffix in _CHECKPOINTS and path.name != "split.npz"]
        assert checkpoints
        kinds = _kinds(contents)
        for kind in kinds:
            for path in checkpoints:
                path.write_bytes(contents[kind])
            _refused(paper, capsys, ["reproduce"] + words, folder, place)
        assert not (folder / "run.json").exists()
        note("hostile files in a run's folder", paper.slug, 3 + len(kinds), "one sentence; no code ran")
