"""The loop of the papers that train by epochs, with a run whose network is one number, and its checkpoints."""

import json

import numpy as np
import pytest

from shared_data.errors import CheckpointError
from shared_data.runs.checkpoints import CheckpointFolder, CheckpointFormat
from shared_data.runs.epoch_run import EpochRun, Validated
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


class Toy(EpochRun):
    format = FORMAT

    def __init__(self, epochs=6, num_iters=0, patience=2, accuracies=(0.1, 0.5, 0.2, 0.4, 0.9, 0.9)):
        super().__init__({"epochs": epochs, "num_iters": num_iters})
        self.stream, self.best, self.accuracies = Stream(), BestStep(patience), accuracies
        self.weight, self.kept, self.stop_after = 0, 0, 0

    def begin_epoch(self):
        self.rate = 10**self.epoch

    def train_on(self, batch):
        self.weight += self.rate * batch
        if self.step + 1 == self.stop_after:
            self._request_stop("test")
        return float(batch), 1

    def end_epoch(self):
        accuracy = self.accuracies[self.epoch - 1]
        if self.best.offer(self.step, accuracy):
            self.kept = self.weight
        return Validated({"accuracy": accuracy}, "accuracy %.1f" % accuracy)

    @property
    def exhausted(self):
        return self.best.exhausted

    def weights(self):
        return {"weight": np.array(self.weight)}

    def selection_state(self):
        return self.best.state_dict()

    def inputs(self, pixels):
        return pixels

    def sees(self, mask):
        return mask

    def predict(self):
        return np.ones((1, 1), np.uint8)

    def use_selected(self, folder, log):
        self.weight = self.kept
        write(folder / "selected.json", {"weight": self.weight})

    def state(self):
        return {"weight": self.weight, "kept": self.kept, "best": self.best.state_dict()}

    def restore(self, state):
        self.weight, self.kept = state["weight"], state["kept"]
        self.best.load_state_dict(state["best"])

    def environment(self):
        raise AssertionError("no test asks for it")

    def results(self):
        raise AssertionError("no test asks for it")


def test_the_rule_ends_training_and_its_weights_are_kept(tmp_path):
    run = Toy()
    assert run.train(tmp_path)
    assert run.last_weights["weight"] == 11110 and run.weights()["weight"] == 110  # after epoch 4, and of epoch 2
    assert [entry["step"] for entry in run.history.entries] == [4, 8, 12, 16]
    assert run.history.entries[1] == {"step": 8, "loss": 2.5, "accuracy": 0.5}
    assert run.weight == 110 and read(tmp_path / "checkpoints/selected.json") == {"weight": 110}
    log = (tmp_path / "log.txt").read_text()
    assert "epoch 2, step 8 of 24: loss 2.5000, accuracy 0.5" in log
    assert list((tmp_path / "checkpoints").glob("events.out.tfevents*"))


def test_epochs_run_out_and_steps_run_out(tmp_path):
    run = Toy(epochs=2)
    (tmp_path / "epochs").mkdir()
    assert run.train(tmp_path / "epochs")
    assert run.epoch == 2 and run.step == 8
    (tmp_path / "steps").mkdir()
    run = Toy(num_iters=6)
    assert run.train(tmp_path / "steps")
    assert run.step == 6 and [entry["step"] for entry in run.history.entries] == [4, 6]


@pytest.mark.parametrize("step", range(1, 17))
def test_a_run_stopped_at_any_step_ends_like_an_undisturbed_one(tmp_path, step):
    whole, part = Toy(), Toy()
    (tmp_path / "whole").mkdir()
    (tmp_path / "part").mkdir()
    assert whole.train(tmp_path / "whole")
    part.stop_after = step
    if not part.train(tmp_path / "part"):
        assert "stopped after the current step: test" in (tmp_path / "part/log.txt").read_text()
        part = Toy()
        assert part.train(tmp_path / "part")
    assert part.weight == whole.weight and part.history.entries == whole.history.entries


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
