"""One run as a whole: what it leaves, what reaches training, which weights it takes, how it goes on."""

import errno
import os

import numpy as np
import pytest
from conftest import LEAN
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score

from da_imrn import classify, training
from da_imrn.keras_stack import keras
from da_imrn.patches import in_grid
from shared_data.errors import CheckpointError, RunDirectoryError, SettingsError
from shared_data.records.record import read_record
from shared_data.runs import npz_checkpoint
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import load_split

SCENE = "synthetic"
FEW = ("train.epochs=2",)
PROTOCOLS = ["paper", "released"]


def build(request, loaded=None, partition=None):
    """The run of a request. Runs made before can no longer train: layers get their names anew, because the order in
    which TensorFlow adds up gradients depends on names."""
    keras.backend.clear_session()
    config, scene = training.resolve(request)
    return training.prepare(request, config, loaded or scene, partition)


def weights_after_training(run, folder):
    folder.mkdir(exist_ok=True)
    assert run.train(folder)
    return flat(run.network.get_weights())


def flat(weights):
    return np.concatenate([weight.ravel() for weight in weights])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_leaves_a_valid_record_and_all_files(request_for, tmp_path, protocol):
    outcome = training.reproduce(request_for(protocol=protocol, overrides=FEW))
    folder = tmp_path / "da-imrn" / SCENE / protocol / "seed-1"
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
    assert ("aa_released" in metrics) is (protocol != "disjoint")
    assert 0 <= metrics["oa_op"] <= 1 and -1 <= metrics["kappa_op"] <= 1
    assert record["audit"]["test_pixels_that_train"] == 0
    assert set(record["modified"]) == {override.partition("=")[0] for override in LEAN + FEW}
    assert len(record["history"]) == 2
    for name in ("map.png", "map_full.png", "errors.png", "log.txt", "settings.json", "checkpoints/selected.hdf5"):
        assert (folder / name).stat().st_size > 0
    assert list((folder / "checkpoints").glob("events.out.tfevents*"))


def test_the_sets_are_disjoint_and_the_released_test_ends_with_the_grid(request_for):
    """The scene of 128 × 96 pixels has no remainder for patches of 4, so it is cut."""
    for protocol in PROTOCOLS:
        request = request_for(protocol=protocol)
        config, loaded = training.resolve(request)
        cut = loaded._replace(cube=loaded.cube[:126, :95], ground_truth=loaded.ground_truth[:126, :95])
        split = training.prepare(request, config, cut).split
        everything = np.concatenate(split)
        assert np.unique(everything).size == everything.size
        outside = ~in_grid(126, 95, 4).ravel()[split.test]
        assert outside.any() == (protocol == "paper")


def test_the_protocols_differ_as_their_decisions_say(request_for):
    pointwise = "network.spatial_block=pointwise"
    paper = build(request_for(overrides=(pointwise,)))
    parameters, accepted = paper.network.count_params(), paper.partition.accepted
    released = build(request_for(protocol="released", overrides=(pointwise,)))
    assert parameters > released.network.count_params()  # three kernels against the 1×1×1
    assert accepted


def test_the_learning_rate_falls_in_steps(request_for, tmp_path):
    run = build(request_for(overrides=("train.epochs=5", "optimizer.drop_every=2", "train.patience=9")))
    weights_after_training(run, tmp_path)
    rates = [entry["learning_rate"] for entry in run.history.entries]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5])


@pytest.mark.parametrize("protocol, monitored", [("paper", 1), ("released", 0)])
def test_which_epoch_gives_the_weights(request_for, tmp_path, monkeypatch, protocol, monitored):
    """The best by the accuracy the protocol looks at, the first of equals; a patience of 2 ends it two epochs later."""
    values = {"all_positions": [0.1, 0.5, 0.2, 0.5, 0.9], "labelled": [0.3, 0.2, 0.3, 0.9, 0.9]}
    told = {name: iter(numbers) for name, numbers in values.items()}
    fakes = {name: lambda *_, name=name: next(told[name]) for name in values}
    monkeypatch.setattr(training, "ACCURACIES", fakes)
    run = build(request_for(protocol=protocol, overrides=("train.epochs=9", "train.patience=2")))
    weights_after_training(run, tmp_path)
    best, last = [(2, 4), (1, 3)][monitored]
    selection = run._selection()
    assert (selection["step"], selection["last_step"]) == (best * len(run.stream), last * len(run.stream))
    assert ["all positions", "labelled"][monitored] in selection["on"]
    stored = npz_checkpoint.read(tmp_path / ("checkpoints/epoch-%d.npz" % last))["run"]
    assert np.array_equal(flat(stored["kept"]), flat(run.network.get_weights()))


def test_a_run_taken_up_at_every_epoch_ends_with_the_same_numbers(request_for, tmp_path):
    request = request_for(overrides=("train.epochs=4", "optimizer.drop_every=2"))
    unbroken = build(request)
    whole = weights_after_training(unbroken, tmp_path / "whole")
    (tmp_path / "parts").mkdir()
    for _ in range(4):
        part = build(request)
        # a stop signal at the end of each epoch
        part._report = lambda *numbers, part=part: (type(part)._report(part, *numbers), part._request_stop("test"))
        finished = part.train(tmp_path / "parts")
    assert finished
    assert np.array_equal(whole, flat(part.network.get_weights()))
    assert unbroken.history.entries == part.history.entries


def test_a_full_disk_is_one_sentence_and_the_run_resumes(request_for, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    request = request_for(overrides=FEW)
    with monkeypatch.context() as broken:
        broken.setattr(np, "savez", full)
        with pytest.raises(RunDirectoryError, match="seed-1 cannot be written: No space left on device"):
            training.reproduce(request)
    assert training.reproduce(request).record["status"] == "finished"


def test_a_checkpoint_of_another_network_is_refused(request_for, tmp_path):
    weights_after_training(build(request_for(overrides=FEW)), tmp_path)
    other = build(request_for(protocol="released", overrides=FEW))
    with pytest.raises(CheckpointError, match="does not fit this run"):
        other.train(tmp_path)


def test_same_seed_same_weights_and_another_seed_another_partition(request_for, tmp_path):
    weights, splits = [], []
    for number, seed in enumerate((1, 1, 2)):
        run = build(request_for(seed=seed, iterations=3))
        weights.append(weights_after_training(run, tmp_path / str(number)))
        splits.append(run.split)
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])
    assert not np.array_equal(splits[0].train, splits[2].train)


def test_weights_of_a_run_predict_what_the_run_predicted(request_for):
    request = request_for(overrides=FEW)
    outcome = training.reproduce(request)
    again = classify.predict(request, outcome.directory / "checkpoints/selected.hdf5")
    stored = [np.load(str(folder / "prediction.npy")) for folder in (outcome.directory, again.directory)]
    assert np.array_equal(*stored)


def test_a_partition_that_leaves_nothing_to_test_is_refused(request_for):
    run = build(request_for())
    nothing = run.partition._replace(test_labels=np.zeros_like(run.partition.test_labels))
    with pytest.raises(SettingsError, match="leave no labelled pixel to test"):
        build(request_for(), partition=nothing)
