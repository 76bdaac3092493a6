"""What a loop over epochs calls, with a network that is one number, and the checkpoints."""

import json
import math
import os
import signal

import pytest

from shared_data.errors import CheckpointError
from shared_data.runs.checkpoints import CheckpointFolder, CheckpointFormat
from shared_data.runs.epoch_loop import EpochLoop, HostClock
from shared_data.runs.method import Run
from shared_data.runs.selection import BestStep


def write(path, content):
    path.write_text(json.dumps(content))


def read(path):
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointError("%s is damaged" % path) from error


FORMAT = CheckpointFormat(".json", write, read)


class Stream:
    """Four batches an epoch; the batch is its own number."""

    def __init__(self):
        self.rest = []

    def __len__(self):
        return 4

    def __iter__(self):
        self.rest = self.rest or [1, 2, 3, 4]
        while self.rest:
            yield self.rest.pop(0)

    def state_dict(self):
        return {"rest": self.rest}

    def load_state_dict(self, state):
        self.rest = state["rest"]


class Toy:
    """A training and its state: the weight is what its steps add, each epoch in digits of its own."""

    def __init__(self, epochs=6, num_iters=0, patience=2, accuracies=(0.1, 0.5, 0.2, 0.4, 0.9, 0.9)):
        self.settings = {"epochs": epochs, "num_iters": num_iters}
        self.best, self.accuracies = BestStep(patience), accuracies
        self.weight, self.kept = 0, 0

    def state_dict(self):
        return {"weight": self.weight, "kept": self.kept, "best": self.best.state_dict()}

    def load_state_dict(self, state):
        self.weight, self.kept = state["weight"], state["kept"]
        self.best.load_state_dict(state["best"])

    def train(self, folder, steps=None, stop_in=None, clock=None):
        """Whether it came to its end. stop_in: the step in which SIGTERM comes."""
        folder.mkdir(exist_ok=True)
        with EpochLoop(Run(folder), FORMAT, self.settings, Stream(), self, steps, clock) as self.loop:
            for epoch in self.loop.epochs(lambda: self.best.exhausted):
                for batch in self.loop.minibatches():
                    if self.loop.step_count + 1 == stop_in:
                        os.kill(os.getpid(), signal.SIGTERM)
                    self.weight += 10**epoch * batch
                    self.loop.step(float(batch), 1, 0.5)
                if self.loop.stopped:
                    break
                accuracy = self.accuracies[epoch]
                if self.best.offer(self.loop.step_count, accuracy):
                    self.kept = self.weight
                self.loop.end_epoch({"accuracy": accuracy}, "accuracy %.1f" % accuracy)
        return self.loop.is_over


def test_the_rule_ends_training(tmp_path):
    run = Toy()
    assert run.train(tmp_path)
    assert run.weight == 11110 and run.kept == 110  # after epoch 4, and of epoch 2
    entries = run.loop.history.entries
    assert [entry["step"] for entry in entries] == [4, 8, 12, 16]
    assert entries[1] == {"step": 8, "loss": 2.5, "accuracy": 0.5}
    log = (tmp_path / "log.txt").read_text()
    assert "epoch 2, step 8 of 24: loss 2.5000, accuracy 0.5" in log
    assert list((tmp_path / "checkpoints").glob("events.out.tfevents*"))


@pytest.mark.parametrize("settings, steps, ends", [
    ({"epochs": 2}, None, [4, 8]),
    ({"num_iters": 6}, None, [4, 6]),
    ({}, 6, [4, 6]),
    ({"num_iters": 5}, 6, [4, 5]),
    ({"num_iters": 6}, 5, [4, 5]),
    ({"epochs": 1}, 6, [4]),
])  # fmt: skip
def test_epochs_run_out_and_steps_run_out(tmp_path, settings, steps, ends):
    run = Toy(**settings)
    assert run.train(tmp_path, steps)
    assert run.loop.epoch == len(ends) and run.loop.step_count == run.loop.total_steps == ends[-1]
    assert [entry["step"] for entry in run.loop.history.entries] == ends


@pytest.mark.parametrize("step", range(1, 17))
def test_a_run_stopped_at_any_step_ends_like_an_undisturbed_one(tmp_path, step):
    whole, part = Toy(), Toy()
    assert whole.train(tmp_path / "whole")
    handler = signal.getsignal(signal.SIGTERM)
    assert not part.train(tmp_path / "part", stop_in=step)
    assert part.loop.step_count == step and signal.getsignal(signal.SIGTERM) is handler
    assert "stopped after the current step: received SIGTERM" in (tmp_path / "part/log.txt").read_text()
    part = Toy()
    assert part.train(tmp_path / "part")
    assert ("resumed from" in (tmp_path / "part/log.txt").read_text()) == (step > 4)
    assert part.weight == whole.weight and part.kept == whole.kept
    assert part.loop.history.entries == whole.loop.history.entries


class LateClock(HostClock):
    """Knows the seconds of its steps, which are their numbers, when an epoch ends."""

    def __init__(self):
        self.steps, self.known = 0, 0

    def start(self):
        self.steps += 1

    def stop(self):
        return math.nan

    def read(self):
        known, self.known = self.known, self.steps
        return list(range(known + 1, self.steps + 1))


def test_a_device_may_tell_the_seconds_of_steps_when_the_epoch_ends(tmp_path):
    run = Toy(num_iters=6)
    assert run.train(tmp_path, clock=LateClock())
    assert run.loop.history.seconds == [1, 2, 3, 4, 5, 6]
    assert read(tmp_path / "checkpoints/epoch-1.json")["history"]["seconds"] == [1, 2, 3, 4]


def test_a_training_that_is_over_goes_through_no_further_epoch(tmp_path):
    first, again = Toy(), Toy()
    assert first.train(tmp_path) and again.train(tmp_path)
    assert again.weight == first.weight and again.loop.history.entries == first.loop.history.entries


def test_an_error_leaves_the_signals_as_they_were(tmp_path, monkeypatch):
    """Also one of the log, where the disk is full when a signal stops the run."""
    handler = signal.getsignal(signal.SIGTERM)

    def full(*_arguments):
        raise OSError("full")

    with monkeypatch.context() as broken:
        broken.setattr("shared_data.runs.epoch_loop.RunLog.info", full)
        with pytest.raises(OSError, match="full"):
            Toy().train(tmp_path, stop_in=1)
    assert signal.getsignal(signal.SIGTERM) is handler
    with pytest.raises(IndexError):
        Toy(accuracies=()).train(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_checkpoint_of_another_run_is_one_sentence(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    write(tmp_path / "checkpoints/epoch-1.json", {"run": {"weight": 1}})
    with pytest.raises(CheckpointError, match=r"does not fit this run .*; start over with FORCE=1 or --force"):
        Toy().train(tmp_path)


def test_two_checkpoints_are_kept_and_a_damaged_one_is_passed_over(tmp_path):
    folder = CheckpointFolder(tmp_path, FORMAT)
    assert folder.newest() == (None, {}, [])
    for epoch in (1, 2, 10):
        assert folder.save(epoch, {"epoch": epoch}) == "epoch-%d.json" % epoch
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-10.json", "epoch-2.json"]
    (tmp_path / "epoch-10.json").write_text("{")
    name, content, problems = folder.newest()
    assert (name, content) == ("epoch-2.json", {"epoch": 2}) and "epoch-10.json is damaged" in problems[0]
    (tmp_path / "epoch-2.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read; start over"):
        folder.newest()
