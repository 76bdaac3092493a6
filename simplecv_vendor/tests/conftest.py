"""Settings common to all tests."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the tensors are tiny

import pytest
import torch

from simplecv.core.trainer import Launcher


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Hundreds of tiny checkpoints are written; the list says for which files and folders a flush was asked."""
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    return flushed


@pytest.fixture(autouse=True)
def launchers_are_closed(monkeypatch):
    """Each launcher has the thread of its TensorBoard writer; hundreds of them would slow the tests down."""
    launchers = []
    original = Launcher.__init__

    def remember(self, *args, **kwargs):
        original(self, *args, **kwargs)
        launchers.append(self)

    monkeypatch.setattr(Launcher, "__init__", remember)
    yield
    for launcher in launchers:
        launcher.close()


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
