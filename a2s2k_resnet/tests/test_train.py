"""One run as a whole: what it leaves, what reaches training, which weights it takes, how it goes on."""

import errno
import json
import os
import signal

import numpy as np
import pytest
import torch
from a2s2k_resnet_helpers import LEAN, given
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score, precision_score

from a2s2k_resnet import checkpoint, experiments, train
from a2s2k_resnet.method import METHOD
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.preprocessing import whitening_of
from a2s2k_resnet.validation import Validated, Validation
from contracts.ignored_pixels import check_statistics
from shared_data.errors import CheckpointError, RunDirectoryError
from shared_data.preprocessing.principal_components import whiten
from shared_data.records.record import read_record
from shared_data.runs.epoch_loop import EpochLoop
from shared_data.runs.predict import predict
from shared_data.runs.reproduce import reproduce
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import load_split

SCENE = "synthetic"
FEW = ("train.epochs=2",)
PROTOCOLS = ["paper", "released"]


def flat(state):
    """All numbers of a network's state in one tensor."""
    return torch.cat([torch.as_tensor(values).flatten().double() for values in state.values()])


def tell(monkeypatch, losses):
    """Validation finds these losses, one after the other."""
    told = iter(losses)
    monkeypatch.setattr(Validation, "__call__", lambda *_: Validated([next(told)], [1], 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_leaves_a_valid_record_and_all_files(request_for, tmp_path, protocol):
    outcome = reproduce(METHOD, request_for(protocol=protocol, overrides=FEW))
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
    run = given(request_for(protocol=protocol, overrides=("preprocessing.components=%d" % components,)))
    fitted = None if protocol == "released" else run.split.train
    full, randomised = (whiten(run.loaded.cube, fitted, components or None, seed) for seed in (None, 1331))
    assert not np.array_equal(full, randomised)
    expected = full if seeded is None else randomised
    pixels = np.arange(0, 128 * 96, 50)
    found = METHOD.inputs(run.model(), run.loaded.image, pixels)
    assert np.array_equal(found, expected.reshape(-1, expected.shape[2])[pixels])


def test_the_protocols_differ_as_their_decisions_say(request_for, tmp_path):
    paper, released = given(request_for()), given(request_for(protocol="released"))
    assert np.array_equal(paper.split.train, released.split.train)
    of_paper, of_released = paper.fit(tmp_path / "paper", 1), released.fit(tmp_path / "released", 1)
    assert hasattr(of_paper.network, "conv_ex3x3") and hasattr(of_released.network, "conv_ex")
    assert of_paper.report.selection["on"].startswith("mean validation loss of")
    assert of_released.report.selection["on"].startswith("last validation batch of")


def test_each_protocol_monitors_its_own_loss(request_for, tmp_path):
    for protocol, monitored in (("paper", "validation_loss"), ("released", "last_batch_loss")):
        report = given(request_for(protocol=protocol)).fit(tmp_path / protocol, 1).report
        assert report.selection_state["best"] == pytest.approx(report.history.entries[0][monitored], rel=1e-12)


def test_the_learning_rate_is_the_same_in_every_epoch(request_for, tmp_path):
    given(request_for(protocol="released", overrides=FEW)).fit(tmp_path)
    for epoch in (1, 2):
        state = checkpoint.read(tmp_path / ("checkpoints/epoch-%d.pth" % epoch))["run"]
        assert state["optimizer"]["param_groups"][0]["lr"] == 1e-3


@pytest.mark.stack_independent
@pytest.mark.parametrize("protocol, used", [("paper", "best"), ("released", "first worse")])
def test_which_epoch_gives_the_weights(request_for, tmp_path, monkeypatch, protocol, used):
    """Losses 3, 1, 2, 2 and a patience of 2: epoch 2 is the best, epoch 3 the first worse one, epoch 4 stops."""
    run = given(request_for(protocol=protocol, overrides=("train.epochs=9", "train.patience=2")))
    steps = -(-run.split.train.size // 16)
    tell(monkeypatch, [3.0, 1.0, 2.0, 2.0])
    fitted = run.fit(tmp_path / "run")
    kept = flat(fitted.weights())
    epoch = {"best": 2, "first worse": 3}[used]
    selection = fitted.report.selection
    assert selection["step"] == epoch * steps and selection["last_step"] == 4 * steps
    assert used in selection["on"] and "%d validation pixels" % run.split.val.size in selection["on"]
    assert not torch.equal(kept, flat(fitted.report.last_weights))
    log = (tmp_path / "run/log.txt").read_text()
    assert "in 2 epochs" in log and "the weights of epoch %d are used" % epoch in log
    # losses that fall throughout: nothing stops, and the best epoch is the last
    tell(monkeypatch, [3.0, 2.0, 1.0])
    until_then = run.fit(tmp_path / "again", epoch * steps)
    assert torch.equal(kept, flat(until_then.weights()))
    assert torch.equal(kept, flat(until_then.report.last_weights))
    fitted.save(tmp_path / "selected.pth")
    assert torch.equal(kept, flat(checkpoint.read(tmp_path / "selected.pth")["model"]))


@pytest.mark.stack_independent
@pytest.mark.parametrize("protocol, words", [
    ("paper", "best epoch"), ("released", "last epoch, nothing restored"),
])  # fmt: skip
def test_where_the_epochs_run_out(request_for, tmp_path, monkeypatch, protocol, words):
    tell(monkeypatch, [1.0, 2.0, 3.0])
    run = given(request_for(protocol=protocol, overrides=("train.epochs=3",)))
    selection = run.fit(tmp_path).report.selection
    assert words in selection["on"]
    assert selection["step"] == (1 if protocol == "paper" else 3) * -(-run.split.train.size // 16)


def test_validation_losses_are_those_of_the_loaders_minibatches(request_for, tmp_path):
    """Computed in large batches, they equal one forward pass per mini-batch."""
    run = given(request_for())
    fitted = run.fit(tmp_path, 1)
    gatherer = PatchGatherer(whitening_of(fitted.model).apply(run.loaded.cube), 7)
    order = torch.randperm(run.split.val.size, generator=torch.Generator().manual_seed(1331)).numpy()
    validated = Validation(gatherer, run.labels.val, run.labels.val_pixels, 16, 1331)(fitted.network)
    entry = fitted.report.history.entries[0]
    assert entry["validation_loss"] == validated.mean_loss and entry["last_batch_loss"] == validated.losses[-1]
    labels = run.loaded.ground_truth.ravel()
    network, correct = fitted.network.eval(), 0
    for index, loss in enumerate(validated.losses):
        pixels = run.split.val[order[16 * index : 16 * index + 16]]
        targets = torch.from_numpy(labels[pixels].astype(np.int64)) - 1
        with torch.no_grad():
            logits = network(gatherer(torch.from_numpy(pixels)))
        assert loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, targets)), rel=1e-4)
        assert validated.sizes[index] == len(pixels)
        correct += int((logits.argmax(dim=1) == targets).sum())
    assert sum(validated.sizes) == run.split.val.size
    assert validated.accuracy == correct / run.split.val.size


@pytest.mark.stack_independent  # in both stacks: TestFileSystems
@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_the_run_resumes(request_for, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    request = request_for(overrides=FEW)
    with monkeypatch.context() as broken:
        broken.setattr(torch, "save", full)
        with pytest.raises(RunDirectoryError, match="seed-1331 cannot be written: No space left on device"):
            reproduce(METHOD, request)
    assert reproduce(METHOD, request).record["status"] == "finished"


@pytest.mark.stack_independent  # in both stacks: TestInterruption
@pytest.mark.parametrize("experiment", ["synthetic", "synthetic-ssrn"])
def test_a_run_taken_up_at_every_epoch_ends_with_the_same_bits(request_for, tmp_path, monkeypatch, experiment):
    """SSRN draws dropout masks, so the generator's state is part of it."""
    run = given(request_for(experiment, "released", overrides=("train.epochs=4", "train.patience=2")))
    whole = run.fit(tmp_path / "whole")
    end_epoch = EpochLoop.end_epoch

    def signalled(loop, *validated):
        end_epoch(loop, *validated)
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as told:
        told.setattr(EpochLoop, "end_epoch", signalled)
        parts = [run.fit(tmp_path / "parts") for _ in range(4)]
    assert parts[:3] == [None] * 3
    assert torch.equal(flat(whole.weights()), flat(parts[3].weights()))
    assert torch.equal(flat(whole.report.last_weights), flat(parts[3].report.last_weights))
    assert whole.report.history.entries == parts[3].report.history.entries
    assert "resumed from epoch-3.pth" in (tmp_path / "parts/log.txt").read_text()
    kept = sorted(path.name for path in (tmp_path / "parts/checkpoints").glob("*.pth"))
    assert kept == ["epoch-3.pth", "epoch-4.pth"]


def test_a_signal_in_the_last_step_does_not_skip_the_validation(request_for, tmp_path, monkeypatch):
    run, step = given(request_for()), EpochLoop.step

    def signalled(loop, *loss):
        step(loop, *loss)
        if loop.step_count == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as told:
        told.setattr(EpochLoop, "step", signalled)
        assert run.fit(tmp_path, 2) is None
    assert [entry["step"] for entry in run.fit(tmp_path, 2).report.history.entries] == [2]


def test_a_damaged_checkpoint_is_passed_over_for_the_older_one(request_for, tmp_path):
    run = given(request_for(overrides=("train.epochs=3",)))
    whole = flat(run.fit(tmp_path).weights())
    folder = tmp_path / "checkpoints"
    (folder / "epoch-3.pth").write_bytes(b"half a file")
    assert torch.equal(whole, flat(run.fit(tmp_path).weights()))
    log = (tmp_path / "log.txt").read_text()
    assert "epoch-3.pth is damaged" in log and "resumed from epoch-2.pth" in log
    for path in folder.glob("epoch-*.pth"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read; start over"):
        run.fit(tmp_path)


@pytest.mark.stack_independent  # in both stacks: TestInterruption
def test_same_seed_same_weights_and_another_seed_another_split(request_for, tmp_path):
    first, again, other = given(request_for()), given(request_for()), given(request_for(seed=7))
    trained = [run.fit(tmp_path / name, 5) for run, name in ((first, "1"), (again, "2"), (other, "3"))]
    weights = [flat(fitted.weights()) for fitted in trained]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert trained[0].report.history.entries == trained[1].report.history.entries
    assert not np.array_equal(np.sort(first.split.train), np.sort(other.split.train))


@pytest.mark.parametrize("model", ["ssrn", "resnet", "pyresnet", "contextualnet"])
def test_the_baselines_train(request_for, tmp_path, model):
    run = given(request_for("synthetic-" + model, "released"))
    side = run.configuration.settings["patch"]["side"]
    assert side == (9 if model == "contextualnet" else 7)
    fitted = run.fit(tmp_path, 2)
    train.seed_everything(run.seed)
    scene = run.loaded.scene
    fresh = experiments.network_of(run.configuration.settings, "released", scene.bands, scene.num_classes)
    trained = fitted.weights()
    assert any(not np.array_equal(values, trained[name]) for name, values in checkpoint.as_arrays(fresh).items())
    (entry,) = fitted.report.history.entries
    assert np.isfinite([entry["validation_loss"], entry["last_batch_loss"]]).all()
    assert 0 <= entry["validation_oa"] <= 1


@pytest.mark.stack_independent
def test_a_baseline_has_a_record_of_its_own(request_for, tmp_path):
    record = reproduce(METHOD, request_for("synthetic-contextualnet", "released", iterations=2)).record
    assert record["experiment"] == "synthetic-contextualnet"
    assert (record["config"]["model"]["name"], record["config"]["patch"]["side"]) == ("contextualnet", 9)
    assert "patch.side" not in record["modified"]  # the experiment's own
    assert (tmp_path / "a2s2k/synthetic-contextualnet/released/seed-1331/run.json").exists()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_official_weights_are_read(request_for, tmp_path, prefix):
    """The release stores a state_dict, from a parallel wrapper or not."""
    run = given(request_for(protocol="released"))
    settings, scene = run.configuration.settings, run.loaded.scene
    state = experiments.network_of(settings, "released", scene.bands, scene.num_classes).state_dict()
    path = tmp_path / "best.pth"
    torch.save({prefix + name: tensor for name, tensor in state.items()}, str(path))
    read, model = checkpoint.read_model(path)
    assert model is None
    assert list(read) == list(state) and all(torch.equal(read[name], state[name]) for name in state)
    assert torch.equal(flat(METHOD.load(path, "cpu", run.model).weights()), flat(state))
    with pytest.raises(CheckpointError, match=r"best\.pth holds weights alone, without configuration and components"):
        METHOD.load(path, "cpu")


def test_a_saved_network_predicts_as_the_fitted_one(request_for, tmp_path):
    """A part of the scene, and another one with other statistics."""
    run = given(request_for())
    fitted = run.fit(tmp_path, 40)
    fitted.save(tmp_path / ("selected" + fitted.SUFFIX))
    loaded = METHOD.load(tmp_path / "selected.pth", "cpu")
    image = run.loaded.image._replace(cube=run.loaded.cube[:40, :30])
    other = image._replace(cube=run.loaded.cube[-30:] * 0.5)
    assert len(np.unique(fitted.predict(image))) > 1
    for one in (image, other):
        assert np.array_equal(loaded.predict(one), fitted.predict(one))
    assert torch.equal(flat(loaded.weights()), flat(fitted.weights()))
    assert loaded.report is None and loaded.model.config == run.configuration.settings
    assert np.array_equal(loaded.model.trained, np.sort(np.concatenate([run.split.train, run.split.val])))


@pytest.mark.stack_independent
@pytest.mark.parametrize("protocol", ["released", "paper", "disjoint"])
def test_test_labels_are_opened_once_for_the_evaluation(request_for, protocol):
    record = reproduce(METHOD, request_for(protocol=protocol, iterations=2)).record
    (opening,) = record["truth_opened"]
    assert (opening["reason"], opening["while"]) == ("final evaluation", "evaluation")


@pytest.mark.stack_independent  # in both stacks: TestSavedModels
def test_weights_of_a_run_predict_what_the_run_predicted(request_for):
    request = request_for(overrides=FEW)
    outcome = reproduce(METHOD, request)
    again = predict(METHOD, request, outcome.directory / "checkpoints/selected.pth")
    stored = [np.load(str(folder / "prediction.npy")) for folder in (outcome.directory, again.directory)]
    assert np.array_equal(*stored)


def test_ignored_pixels_take_no_part_in_the_statistics_of_the_scene(request_for):
    check_statistics(METHOD, request_for(protocol="released"))
