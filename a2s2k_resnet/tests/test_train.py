"""One run as a whole: what it leaves, what reaches training, which weights it takes, how it goes on."""

import errno
import json
import os

import numpy as np
import pytest
import torch
from conftest import LEAN
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score, precision_score

from a2s2k_resnet import checkpoint, classify, training
from a2s2k_resnet.stopping import LastBatchRule, MeanLossRule
from a2s2k_resnet.validation import Validated
from shared_data.errors import CheckpointError, RunDirectoryError
from shared_data.preprocessing.principal_components import whiten
from shared_data.records.record import read_record
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import load_split

SCENE = "synthetic"
FEW = ("train.epochs=2",)
PROTOCOLS = ["paper", "released"]


def build(request, loaded=None):
    """The run of a request; `loaded` with other labels than the scene keeps the true scene's split."""
    config, scene = training.resolve(request)
    run = training.prepare(request, config, scene)
    return run if loaded is None else training.A2S2KRun(request, config, loaded, run.split)


def weights_after_training(run, folder):
    folder.mkdir()
    assert run.train(folder)
    return torch.cat([tensor.flatten().double() for tensor in run.network.state_dict().values()])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_leaves_a_valid_record_and_all_files(request_for, tmp_path, protocol):
    outcome = training.reproduce(request_for(protocol=protocol, overrides=FEW))
    folder = tmp_path / "a2s2k" / SCENE / protocol / "seed-1331"
    assert outcome.directory == folder
    record = read_record(folder / "run.json")
    prediction, split = np.load(str(folder / "prediction.npy")), load_split(folder / "split.npz")
    scene = load_scene(SCENE)

    assert prediction.shape == scene.ground_truth.shape and prediction.dtype == np.uint8
    assert prediction.min() >= 1 and prediction.max() <= scene.scene.num_classes
    truth, ours = scene.ground_truth.ravel()[split.test], prediction.ravel()[split.test]
    metrics = record["metrics"]
    assert metrics["oa"] == pytest.approx(accuracy_score(truth, ours))
    assert metrics["aa"] == pytest.approx(balanced_accuracy_score(truth, ours))
    assert metrics["kappa"] == pytest.approx(cohen_kappa_score(truth, ours))
    if protocol == "released":
        assert metrics["aa_released"] == pytest.approx(precision_score(truth, ours, average="macro", zero_division=0))
    else:
        assert "aa_released" not in metrics
    steps = -(-split.train.size // 16)
    assert [entry["step"] for entry in record["history"]] == [steps, 2 * steps]
    assert set(record["modified"]) == {override.partition("=")[0] for override in LEAN + FEW}
    for name in ("map.png", "map_full.png", "errors.png", "log.txt", "settings.json", "checkpoints/selected.pth"):
        assert (folder / name).stat().st_size > 0
    assert list((folder / "checkpoints").glob("events.out.tfevents*"))
    settings = json.loads((folder / "settings.json").read_text())
    assert (settings["protocol"], settings["seed"], settings["config"]["train"]["epochs"]) == (protocol, 1331, 2)
    assert "epoch 2, step %d of %d: loss" % (2 * steps, 2 * steps) in (folder / "log.txt").read_text()


@pytest.mark.parametrize("protocol, components, seeded", [
    ("released", 7, 1331), ("released", 0, None), ("paper", 7, None), ("disjoint", 7, None),
])  # fmt: skip
def test_components_are_found_by_the_randomised_solver_where_the_release_leaves_some_out(
    request_for, protocol, components, seeded
):
    run = build(request_for(protocol=protocol, overrides=("preprocessing.components=%d" % components,)))
    fitted = None if protocol == "released" else run.split.train
    full, randomised = (whiten(run.loaded.cube, fitted, components or None, seed) for seed in (None, 1331))
    assert not np.array_equal(full, randomised)
    expected = full if seeded is None else randomised
    pixels = np.arange(0, 128 * 96, 50)
    assert np.array_equal(run.inputs(pixels), expected.reshape(-1, expected.shape[2])[pixels])


def test_the_protocols_differ_as_their_decisions_say(request_for):
    paper, released = build(request_for()), build(request_for(protocol="released"))
    assert hasattr(paper.network, "conv_ex3x3") and hasattr(released.network, "conv_ex")
    assert isinstance(paper.rule, MeanLossRule) and isinstance(released.rule, LastBatchRule)
    assert np.array_equal(paper.split.train, released.split.train)


def test_the_learning_rate_is_the_same_in_every_epoch(request_for, tmp_path):
    run = build(request_for(protocol="released", overrides=FEW))
    weights_after_training(run, tmp_path / "run")
    assert run.optimizer.param_groups[0]["lr"] == 1e-3


def weights_at_the_end_of(run, epoch, folder):
    """Weights of an epoch of the same run, stopped there."""
    run.config["train"]["num_iters"] = epoch * len(run.stream)
    return weights_after_training(run, folder)


@pytest.mark.parametrize("protocol, used", [("paper", "best"), ("released", "first worse")])
def test_which_epoch_gives_the_weights(request_for, tmp_path, monkeypatch, protocol, used):
    """Losses 3, 1, 2, 2 and a patience of 2: epoch 2 is the best, epoch 3 the first worse one, epoch 4 stops."""
    request = request_for(protocol=protocol, overrides=("train.epochs=9", "train.patience=2"))
    losses = iter([3.0, 1.0, 2.0, 2.0])
    with monkeypatch.context() as told:
        told.setattr(training.Validation, "__call__", lambda *_: Validated([next(losses)], [1], 0.5))
        run = build(request)
        kept = weights_after_training(run, tmp_path / "run")
    epoch = {"best": 2, "first worse": 3}[used]
    selection = run._selection()
    assert selection["step"] == epoch * len(run.stream) and selection["last_step"] == 4 * len(run.stream)
    assert used in selection["on"] and "%d validation pixels" % run.split.val.size in selection["on"]
    with monkeypatch.context() as told:
        # losses that fall throughout: nothing stops, and the best epoch is the last
        falling = iter([3.0, 2.0, 1.0])
        told.setattr(training.Validation, "__call__", lambda *_: Validated([next(falling)], [1], 0.5))
        assert torch.equal(kept, weights_at_the_end_of(build(request), epoch, tmp_path / "again"))
    stored = checkpoint.read(tmp_path / "run/checkpoints/selected.pth")["model"]
    assert torch.equal(kept, torch.cat([tensor.flatten().double() for tensor in stored.values()]))


@pytest.mark.parametrize("protocol, words", [
    ("paper", "best epoch"), ("released", "last epoch, nothing restored"),
])  # fmt: skip
def test_where_the_epochs_run_out(request_for, tmp_path, monkeypatch, protocol, words):
    losses = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(training.Validation, "__call__", lambda *_: Validated([next(losses)], [1], 0.5))
    run = build(request_for(protocol=protocol, overrides=("train.epochs=3",)))
    weights_after_training(run, tmp_path / "run")
    selection = run._selection()
    assert words in selection["on"]
    assert selection["step"] == (1 if protocol == "paper" else 3) * len(run.stream)


def test_validation_losses_are_those_of_the_loaders_minibatches(request_for):
    """Computed in large batches, they equal one forward pass per mini-batch."""
    run = build(request_for())
    order = torch.randperm(run.split.val.size, generator=torch.Generator().manual_seed(1331)).numpy()
    validated = run.validation(run.network)
    labels = run.loaded.ground_truth.ravel()
    network, correct = run.network.eval(), 0
    for index, loss in enumerate(validated.losses):
        pixels = run.split.val[order[16 * index : 16 * index + 16]]
        targets = torch.from_numpy(labels[pixels].astype(np.int64)) - 1
        with torch.no_grad():
            logits = network(run.gatherer(torch.from_numpy(pixels)))
        assert loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, targets)), rel=1e-4)
        assert validated.sizes[index] == len(pixels)
        correct += int((logits.argmax(dim=1) == targets).sum())
    assert sum(validated.sizes) == run.split.val.size
    assert validated.accuracy == correct / run.split.val.size


def test_a_full_disk_is_one_sentence_and_the_run_resumes(request_for, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    request = request_for(overrides=FEW)
    with monkeypatch.context() as broken:
        broken.setattr(torch, "save", full)
        with pytest.raises(RunDirectoryError, match="seed-1331 cannot be written: No space left on device"):
            training.reproduce(request)
    assert training.reproduce(request).record["status"] == "finished"


@pytest.mark.parametrize("experiment", ["synthetic", "synthetic-ssrn"])
def test_a_run_taken_up_at_every_epoch_ends_with_the_same_bits(request_for, tmp_path, experiment):
    """SSRN draws dropout masks, so the generator's state is part of it."""
    request = request_for(experiment, "released", overrides=("train.epochs=4", "train.patience=2"))
    unbroken = build(request)
    whole = weights_after_training(unbroken, tmp_path / "whole")
    (tmp_path / "parts").mkdir()
    for _ in range(4):
        part = build(request)
        # a stop signal at the end of each epoch
        part._report = lambda *numbers, part=part: (type(part)._report(part, *numbers), part._request_stop("test"))
        finished = part.train(tmp_path / "parts")
    assert finished
    parts = torch.cat([tensor.flatten().double() for tensor in part.network.state_dict().values()])
    assert torch.equal(whole, parts) and unbroken.history.entries == part.history.entries
    assert "resumed from epoch-3.pth" in (tmp_path / "parts/log.txt").read_text()
    kept = sorted(path.name for path in (tmp_path / "parts/checkpoints").glob("*.pth"))
    assert kept == ["epoch-3.pth", "epoch-4.pth", "selected.pth"]


def test_a_signal_in_the_last_step_does_not_skip_the_validation(request_for, tmp_path):
    run = build(request_for(iterations=2))
    train_on = run.train_on

    def signalled(batch):
        if run.step == 1:
            run._request_stop("test")
        return train_on(batch)

    run.train_on = signalled
    assert not run.train(tmp_path)
    again = build(request_for(iterations=2))
    assert again.train(tmp_path) and [entry["step"] for entry in again.history.entries] == [2]


def test_a_damaged_checkpoint_is_passed_over_for_the_older_one(request_for, tmp_path):
    request = request_for(overrides=("train.epochs=3",))
    whole = weights_after_training(build(request), tmp_path / "run")
    folder = tmp_path / "run/checkpoints"
    (folder / "epoch-3.pth").write_bytes(b"half a file")
    again = build(request)
    assert again.train(tmp_path / "run")
    assert torch.equal(whole, torch.cat([t.flatten().double() for t in again.network.state_dict().values()]))
    log = (tmp_path / "run/log.txt").read_text()
    assert "epoch-3.pth is damaged" in log and "resumed from epoch-2.pth" in log
    for path in folder.glob("epoch-*.pth"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read; start over"):
        build(request).train(tmp_path / "run")


def test_same_seed_same_weights_and_another_seed_another_split(request_for, tmp_path):
    first, again, other = build(request_for()), build(request_for()), build(request_for(seed=7))
    for run in (first, again, other):
        run.config["train"]["num_iters"] = 5
    trained = [weights_after_training(run, tmp_path / name) for run, name in ((first, "1"), (again, "2"), (other, "3"))]
    assert torch.equal(trained[0], trained[1]) and not torch.equal(trained[0], trained[2])
    assert first.history.entries == again.history.entries
    assert not np.array_equal(np.sort(first.split.train), np.sort(other.split.train))


@pytest.mark.parametrize("model", ["ssrn", "resnet", "pyresnet", "contextualnet"])
def test_the_baselines_train(request_for, tmp_path, model):
    run = build(request_for("synthetic-" + model, "released", iterations=2))
    assert run.gatherer.patch == (9 if model == "contextualnet" else 7)
    before = training.copy_of(run.network)
    weights_after_training(run, tmp_path / "run")
    assert any(not torch.equal(before[name], tensor) for name, tensor in run.network.state_dict().items())
    validated = run.validation(run.network)
    assert np.isfinite(validated.losses).all() and 0 <= validated.accuracy <= 1


def test_a_baseline_has_a_record_of_its_own(request_for, tmp_path):
    record = training.reproduce(request_for("synthetic-contextualnet", "released", iterations=2)).record
    assert record["experiment"] == "synthetic-contextualnet"
    assert (record["config"]["model"]["name"], record["config"]["patch"]["side"]) == ("contextualnet", 9)
    assert "patch.side" not in record["modified"]  # the experiment's own
    assert (tmp_path / "a2s2k/synthetic-contextualnet/released/seed-1331/run.json").exists()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_official_weights_are_read(request_for, tmp_path, prefix):
    """The release stores a state_dict, from a parallel wrapper or not."""
    run = build(request_for(protocol="released"))
    state = run.network.state_dict()
    torch.save({prefix + name: tensor for name, tensor in state.items()}, str(tmp_path / "best.pth"))
    read, model = checkpoint.read_model(tmp_path / "best.pth")
    assert model is None
    assert list(read) == list(state) and all(torch.equal(read[name], state[name]) for name in state)


def test_weights_of_a_run_predict_what_the_run_predicted(request_for):
    request = request_for(overrides=FEW)
    outcome = training.reproduce(request)
    again = classify.predict(request, outcome.directory / "checkpoints/selected.pth")
    stored = [np.load(str(folder / "prediction.npy")) for folder in (outcome.directory, again.directory)]
    assert np.array_equal(*stored)
