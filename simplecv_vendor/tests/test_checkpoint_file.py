"""Checkpoint files: complete or absent, safe to read, and resumable after damage."""

import collections
import json
import os
import pickle
import random

import numpy as np
import pytest
import torch
from tiny import assert_same_weights, make_launcher, make_loader, weights

from simplecv.core import checkpoint as checkpoint_module
from simplecv.core import checkpoint_file, restricted_pickle
from simplecv.core.checkpoint_file import load_model_state_dict_from_ckpt, read_checkpoint, to_plain
from simplecv.core.random_state import get_random_state, set_random_state
from simplecv.errors import CheckpointError

SIX_STEPS = {"num_iters": 6, "save_ckpt_interval_step": 2, "log_interval_step": 100}


def trained(folder, **config):
    launcher = make_launcher(folder)
    launcher.train_by_config(make_loader(), {**SIX_STEPS, **config})
    return launcher


def log_of(folder):
    return "".join(path.read_text() for path in folder.glob("*.log"))


class Attack:
    """Runs a command when it is unpickled the ordinary way."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_reaches_the_disk_before_it_gets_its_name(tmp_path, no_waiting_for_the_disk):
    trained(tmp_path, num_iters=1)
    model, folder, info, again = [name for name in no_waiting_for_the_disk if "tfevents" not in name]
    assert folder == again == str(tmp_path)
    assert "/.model-1." in model and "/.checkpoint_info." in info


def test_what_a_checkpoint_holds(tmp_path):
    launcher = trained(tmp_path)
    assert json.loads((tmp_path / "checkpoint_info.json").read_text()) == {"last": {"step": 6, "name": "model-6.pth"}}
    content = read_checkpoint(tmp_path / "model-6.pth")
    assert sorted(content) == ["global_step", "model", "objects", "opt", "processes"] and content["global_step"] == 6
    assert sorted(content["model"]) == sorted(launcher.model.state_dict())
    assert sorted(content["processes"][0]) == ["loader", "random"]
    assert not list(tmp_path.glob(".*")), "temporary files are left"


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_file_is_refused_and_does_not_run(tmp_path, zipped):
    target, path = tmp_path / "owned", tmp_path / "evil.pth"
    content = {"model": {}, "opt": {}, "global_step": Attack(target)}
    torch.save(content, str(path), _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="holds more than tensors and numbers"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Attack(target)))
    with pytest.raises(CheckpointError):
        load_model_state_dict_from_ckpt(path)
    assert not target.exists()


def test_the_restricted_unpickler_itself(tmp_path):
    """The way of old PyTorch, on every version: the file asks for os.mkdir."""
    path = tmp_path / "evil.pickle"
    path.write_bytes(pickle.dumps([1, Attack(tmp_path / "owned")]))
    with open(str(path), "rb") as file, pytest.raises(pickle.UnpicklingError, match=r"'posix\.mkdir', which is not"):
        restricted_pickle.load(file)
    path.write_bytes(pickle.dumps({"a": collections.OrderedDict(b=[1.5, None, "c"]), "size": torch.float32}))
    with open(str(path), "rb") as file:
        assert restricted_pickle.load(file) == {"a": {"b": [1.5, None, "c"]}, "size": torch.float32}
    assert not (tmp_path / "owned").exists()


def original_style(folder, prefix, lr=0.05):
    """A checkpoint with what the original writes, and the weights in it."""
    source = make_launcher(folder / "source", seed=5)
    source.train_by_config(make_loader(), {"num_iters": 2, "log_interval_step": 100})
    bare = source.model.module.state_dict()
    state = collections.OrderedDict((prefix + name, value) for name, value in bare.items())
    optimizer = source.optimizer.state_dict()
    optimizer["param_groups"][0]["lr"] = lr
    content = collections.OrderedDict(model=state, opt=optimizer, global_step=3)
    torch.save(content, str(folder / "model-3.pth"))
    (folder / "checkpoint_info.json").write_text('{"last": {"step": 3, "name": "model-3.pth"}}')
    return weights(source)


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize("lr", [0.05, np.float64(0.05)])
def test_what_the_original_writes_is_resumed(tmp_path, prefix, lr):
    expected = original_style(tmp_path, prefix, lr)
    launcher = make_launcher(tmp_path)
    assert launcher.init() is True
    assert_same_weights(weights(launcher), expected)
    assert (launcher.checkpoint.global_step, launcher.lr) == (3, 0.05)
    assert "they start anew, so the run is not the same bit for bit" in log_of(tmp_path)
    launcher.train_by_config(make_loader(), {"num_iters": 4, "log_interval_step": 100})
    assert (tmp_path / "model-4.pth").exists()


def test_nothing_to_resume(tmp_path):
    assert make_launcher(tmp_path).init() is False


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 99])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, damage):
    trained(tmp_path)
    newest = tmp_path / "model-6.pth"
    newest.write_bytes(damage(newest.read_bytes()))
    launcher = make_launcher(tmp_path, seed=9)
    launcher.init()
    assert launcher.checkpoint.global_step == 5  # the end of the first epoch
    assert f"{newest} is damaged or holds more than tensors and numbers (" in log_of(tmp_path)
    with pytest.raises(CheckpointError, match="give another file"):
        launcher.checkpoint.load(newest)


def test_when_no_checkpoint_can_be_read_nothing_is_started_silently(tmp_path):
    trained(tmp_path)
    for path in tmp_path.glob("*.pth"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"None of the checkpoints in .* can be read .*resume_from_last to False"):
        make_launcher(tmp_path).train_by_config(make_loader(), SIX_STEPS)
    launcher = make_launcher(tmp_path)
    launcher.train_by_config(make_loader(), {**SIX_STEPS, "resume_from_last": False})
    assert launcher.checkpoint.global_step == 6


def test_a_crash_between_the_two_files_leaves_the_older_checkpoint_valid(tmp_path, monkeypatch):
    launcher = trained(tmp_path)

    def crash(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_module, "write_json", crash)
    with pytest.raises(KeyboardInterrupt):
        launcher.train_by_config(make_loader(), {**SIX_STEPS, "num_iters": 8})
    assert (tmp_path / "model-8.pth").exists()
    resumed = make_launcher(tmp_path)
    resumed.init()
    assert resumed.checkpoint.global_step == 6


def test_a_crash_while_writing_leaves_no_file(tmp_path, monkeypatch):
    def full(_path):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint_file, "_flush", full)
    with pytest.raises(OSError, match="disk full"):
        trained(tmp_path)
    assert not list(tmp_path.glob("*.pth")) and not list(tmp_path.glob(".*"))
    assert not (tmp_path / "checkpoint_info.json").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"last": {}}', None])
def test_without_a_usable_info_file_the_newest_checkpoint_is_taken(tmp_path, text):
    trained(tmp_path)
    info = tmp_path / "checkpoint_info.json"
    info.unlink() if text is None else info.write_text(text)
    launcher = make_launcher(tmp_path)
    launcher.init()
    assert launcher.checkpoint.global_step == 6


def test_files_of_a_longer_older_run_are_neither_resumed_nor_counted(tmp_path):
    trained(tmp_path, num_iters=12)
    launcher = make_launcher(tmp_path)
    launcher.train_by_config(make_loader(), {**SIX_STEPS, "resume_from_last": False, "keep_ckpt": 1, "num_iters": 4})
    assert {path.name for path in tmp_path.glob("*.pth")} >= {"model-4.pth", "model-12.pth"}
    assert not (tmp_path / "model-2.pth").exists()
    resumed = make_launcher(tmp_path)
    resumed.init()
    assert resumed.checkpoint.global_step == 4


def test_a_checkpoint_of_another_model_is_told(tmp_path):
    path = tmp_path / "model-1.pth"
    torch.save({"model": {"other": torch.ones(1)}, "opt": {}, "global_step": 1}, str(path))
    with pytest.raises(CheckpointError, match=r"model-1\.pth does not fit this model and optimizer: .*layers"):
        make_launcher(tmp_path).init()
    torch.save({"weights": 1}, str(path))
    with pytest.raises(CheckpointError, match="must hold global_step, model, opt"):
        make_launcher(tmp_path).checkpoint.load(path)
    torch.save([1], str(path))
    with pytest.raises(CheckpointError, match="holds a list where a dict of weights was expected"):
        load_model_state_dict_from_ckpt(path)


class Counter:
    def __init__(self):
        self.best, self.history = 0, []

    def state_dict(self):
        return {"best": self.best, "history": self.history}

    def load_state_dict(self, state):
        self.best, self.history = state["best"], list(state["history"])


def count_epochs(launcher, counter):
    def note(self, epoch):
        counter.best = np.float64(epoch)  # becomes a plain number
        counter.history.append(epoch)

    launcher.checkpoint.register("selection", counter)
    launcher.add_epoch_callback(note)


def test_registered_objects_travel_with_the_checkpoint(tmp_path):
    launcher = make_launcher(tmp_path)
    count_epochs(launcher, Counter())
    launcher.train_by_config(make_loader(), {"num_iters": 10, "log_interval_step": 100})
    with pytest.raises(CheckpointError, match="registered for checkpoints under the name 'selection' already"):
        launcher.checkpoint.register("selection", Counter())
    before, after = Counter(), Counter()
    resumed = make_launcher(tmp_path)
    resumed.checkpoint.register("selection", before)
    resumed.init()
    late = make_launcher(tmp_path)
    late.init()
    late.checkpoint.register("selection", after)
    for counter in (before, after):
        assert (counter.best, counter.history) == (2.0, [1, 2])


def test_an_object_that_the_checkpoint_does_not_know_starts_anew(tmp_path):
    trained(tmp_path)
    launcher, counter = make_launcher(tmp_path), Counter()
    launcher.checkpoint.register("selection", counter)
    launcher.init()
    assert counter.best == 0 and "no state for 'selection', which starts anew" in log_of(tmp_path)


def test_a_state_that_could_not_be_read_back_is_refused_when_it_is_written(tmp_path):
    launcher, counter = make_launcher(tmp_path), Counter()
    counter.history = [1, {"x": np.zeros(2)}]
    launcher.checkpoint.register("selection", counter)
    with pytest.raises(CheckpointError, match=r"'objects\.selection\.history\[1\]\.x' is a numpy\.ndarray"):
        launcher.train_by_config(make_loader(), SIX_STEPS)
    assert to_plain({np.int64(1): (np.float32(0.5), b"x")}, "") == {1: (0.5, b"x")}


def test_random_states_survive_a_file(tmp_path):
    random.gauss(0, 1), np.random.randn(3), torch.rand(2)
    path = tmp_path / "state.pth"
    torch.save(get_random_state(), str(path))
    expected = random.gauss(0, 1), random.random(), np.random.randn(3).tolist(), torch.rand(2).tolist()
    set_random_state(read_checkpoint(path))
    assert (random.gauss(0, 1), random.random(), np.random.randn(3).tolist(), torch.rand(2).tolist()) == expected
