"""One run as a whole: what it leaves, what reaches training, which weights it takes, how it goes on."""

import errno
import os
import signal

import numpy as np
import pytest
from da_imrn_helpers import LEAN, given
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score

from da_imrn import experiments, train
from da_imrn.evaluation import average_accuracy_plus_one
from da_imrn.method import METHOD
from da_imrn.partition import window_pixels
from da_imrn.patches import in_grid, op_patches
from da_imrn.weights import write_weights
from shared_data.errors import CheckpointError, RunDirectoryError, SettingsError
from shared_data.records.record import read_record
from shared_data.runs import npz_checkpoint
from shared_data.runs.epoch_loop import EpochLoop
from shared_data.runs.predict import predict
from shared_data.runs.reproduce import reproduce
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import load_split
from shared_data.splits.labels import Truth

SCENE = "synthetic"
FEW = ("train.epochs=2",)
PROTOCOLS = ["paper", "released"]


def flat(weights):
    """All numbers of the weights, by name or in order, in one array."""
    values = weights.values() if isinstance(weights, dict) else weights
    return np.concatenate([weight.ravel() for weight in values])


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS + ["disjoint"])
def test_a_run_leaves_a_valid_record_and_all_files(request_for, tmp_path, protocol):
    outcome = reproduce(METHOD, request_for(protocol=protocol, overrides=FEW))
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
    if protocol == "disjoint":  # nothing is held out inside its windows
        assert not {"aa_released", "oa_op", "aa_op", "kappa_op"} & set(metrics)
    else:
        assert metrics["aa_released"] == average_accuracy_plus_one(truth, ours, scene.scene.num_classes)
        assert 0 <= metrics["oa_op"] <= 1 and -1 <= metrics["kappa_op"] <= 1
    assert record["audit"]["test_pixels_that_train"] == 0
    assert set(record["modified"]) == {override.partition("=")[0] for override in LEAN + FEW}
    assert len(record["history"]) == 2
    for name in ("map.png", "map_full.png", "errors.png", "log.txt", "settings.json", "checkpoints/selected.hdf5"):
        assert (folder / name).stat().st_size > 0
    assert list((folder / "checkpoints").glob("events.out.tfevents*"))
    (opening,) = record["truth_opened"]
    assert opening["reason"] == "final evaluation" and opening["while"] == "evaluation"


def test_the_sets_are_disjoint_and_the_released_test_ends_with_the_grid(request_for):
    """The scene of 128 × 96 pixels has no remainder for patches of 4, so it is cut."""
    loaded = load_scene(SCENE)
    cut = loaded._replace(cube=loaded.cube[:126, :95], ground_truth=loaded.ground_truth[:126, :95])
    for protocol in PROTOCOLS:
        split = given(request_for(protocol=protocol), cut).draw.split
        everything = np.concatenate(split)
        assert np.unique(everything).size == everything.size
        outside = ~in_grid(126, 95, 4).ravel()[split.test]
        assert outside.any() == (protocol == "paper")


def test_the_protocols_differ_as_their_decisions_say(request_for):
    pointwise = ("network.spatial_block=pointwise",)
    paper, released = (given(request_for(protocol=protocol, overrides=pointwise)) for protocol in PROTOCOLS)
    assert paper.draw.plan.accepted
    of_paper, of_release = (
        experiments.network_of(one.configuration.settings, one.configuration.protocol, 64, 9).count_params()
        for one in (paper, released)
    )
    assert of_paper > of_release  # three kernels against the 1×1×1


@pytest.mark.slow
def test_the_learning_rate_falls_in_steps(request_for, tmp_path):
    overrides = ("train.epochs=5", "optimizer.drop_every=2", "train.patience=9")
    fitted = given(request_for(overrides=overrides)).fit(tmp_path)
    rates = [entry["learning_rate"] for entry in fitted.report.history.entries]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5])


@pytest.mark.stack_independent
@pytest.mark.slow
@pytest.mark.parametrize("protocol, monitored", [("paper", 1), ("released", 0)])
def test_which_epoch_gives_the_weights(request_for, tmp_path, monkeypatch, protocol, monitored):
    """The best by the accuracy the protocol looks at, the first of equals; a patience of 2 ends it two epochs later."""
    values = {"all_positions": [0.1, 0.5, 0.2, 0.5, 0.9], "labelled": [0.3, 0.2, 0.3, 0.9, 0.9]}
    told = {name: iter(numbers) for name, numbers in values.items()}
    fakes = {name: lambda *_, name=name: next(told[name]) for name in values}
    monkeypatch.setattr(train, "ACCURACIES", fakes)
    fitted = given(request_for(protocol=protocol, overrides=("train.epochs=9", "train.patience=2"))).fit(tmp_path)
    best, last = [(2, 4), (1, 3)][monitored]
    report = fitted.report
    steps = report.history.entries[0]["step"]
    assert (report.selection["step"], report.selection["last_step"]) == (best * steps, last * steps)
    assert ["all positions", "labelled"][monitored] in report.selection["on"]
    stored = npz_checkpoint.read(tmp_path / ("checkpoints/epoch-%d.npz" % last))["run"]
    assert np.array_equal(flat(stored["kept"]), flat(fitted.weights()))
    assert np.array_equal(flat(stored["weights"]), flat(report.last_weights))
    assert not np.array_equal(flat(fitted.weights()), flat(report.last_weights))
    log = (tmp_path / "log.txt").read_text()
    assert "no better validation accuracy in 2 epochs" in log and "the weights of epoch %d are used" % best in log


@pytest.mark.stack_independent  # in both stacks: TestInterruption and test_optimizer.py
@pytest.mark.slow
def test_a_run_taken_up_at_every_epoch_ends_with_the_same_numbers(request_for, tmp_path, monkeypatch):
    one = given(request_for(overrides=("train.epochs=4", "optimizer.drop_every=2")))
    unbroken = one.fit(tmp_path / "whole")
    end_epoch = EpochLoop.end_epoch

    def end_and_stop(loop, numbers, sentence):
        end_epoch(loop, numbers, sentence)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(EpochLoop, "end_epoch", end_and_stop)
    for _ in range(3):
        assert one.fit(tmp_path / "parts") is None
    part = one.fit(tmp_path / "parts")
    assert np.array_equal(flat(unbroken.report.last_weights), flat(part.report.last_weights))
    assert unbroken.report.history.entries == part.report.history.entries
    assert unbroken.report.selection == part.report.selection


@pytest.mark.stack_independent
@pytest.mark.slow
def test_a_run_stopped_within_an_epoch_resumes_from_the_last_one(request_for, tmp_path, monkeypatch):
    one = given(request_for(overrides=FEW))
    unbroken = one.fit(tmp_path / "whole")
    step = EpochLoop.step

    def step_and_stop(loop, *numbers):
        step(loop, *numbers)
        if loop.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as stopping:
        stopping.setattr(EpochLoop, "step", step_and_stop)
        assert one.fit(tmp_path / "parts") is None
    part = one.fit(tmp_path / "parts")
    assert np.array_equal(flat(unbroken.report.last_weights), flat(part.report.last_weights))


@pytest.mark.stack_independent
def test_fewer_steps_than_the_configuration_says(request_for, tmp_path):
    fitted = given(request_for()).fit(tmp_path, 2)
    assert [entry["step"] for entry in fitted.report.history.entries] == [2]


@pytest.mark.stack_independent  # in both stacks: TestFileSystems
@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_the_run_resumes(request_for, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    request = request_for(overrides=("train.epochs=1",))
    with monkeypatch.context() as broken:
        broken.setattr(np, "savez", full)
        with pytest.raises(RunDirectoryError, match="seed-1 cannot be written: No space left on device"):
            reproduce(METHOD, request)
    assert reproduce(METHOD, request).record["status"] == "finished"


@pytest.mark.slow
def test_a_checkpoint_of_another_network_is_refused(request_for, tmp_path):
    given(request_for(overrides=FEW)).fit(tmp_path)
    with pytest.raises(CheckpointError, match="does not fit this run"):
        given(request_for(protocol="released", overrides=FEW)).fit(tmp_path)


def test_wrong_sizes_write_nothing(request_for, tmp_path):
    one = given(request_for(overrides=("network.strides=[1]",)))
    with pytest.raises(SettingsError, match="64 bands are too many"):
        one.fit(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.stack_independent  # in both stacks: TestInterruption
@pytest.mark.slow
def test_same_seed_same_weights_and_another_seed_another_partition(request_for, tmp_path):
    weights, splits = [], []
    for number, seed in enumerate((1, 1, 2)):
        one = given(request_for(seed=seed, iterations=3))
        weights.append(flat(one.fit(tmp_path / str(number)).weights()))
        splits.append(one.draw.split)
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])
    assert not np.array_equal(splits[0].train, splits[2].train)


@pytest.mark.slow
def test_what_is_saved_and_loaded_predicts_the_same(request_for, tmp_path):
    one = given(request_for())
    fitted = one.fit(tmp_path / "run", 3)
    fitted.save(tmp_path / "saved.hdf5")
    loaded = METHOD.load(tmp_path / "saved.hdf5", "cpu")
    assert loaded.report is None and loaded.model.config == fitted.model.config
    assert np.array_equal(flat(loaded.weights()), flat(fitted.weights()))
    image = one.loaded.image
    other = image._replace(cube=image.cube[:45, :38])  # another size, with a remainder of the grid
    for each in (image, other):
        assert np.array_equal(loaded.predict(each), fitted.predict(each))
    with pytest.raises(SettingsError, match="a patch of 4 × 4 pixels is larger than the scene"):
        loaded.predict(image._replace(cube=image.cube[:3]))

    # weights alone need a model
    write_weights(tmp_path / "bare.hdf5", fitted.network)
    with pytest.raises(CheckpointError, match=r"bare\.hdf5 holds weights alone, without a configuration; give a file"):
        METHOD.load(tmp_path / "bare.hdf5", "cpu")
    loaded = METHOD.load(tmp_path / "bare.hdf5", "cpu", lambda: fitted.model)
    assert np.array_equal(loaded.predict(image), fitted.predict(image))


@pytest.mark.stack_independent  # in both stacks: TestSavedModels
@pytest.mark.slow
def test_weights_of_a_run_predict_what_the_run_predicted(request_for):
    request = request_for(overrides=FEW)
    outcome = reproduce(METHOD, request)
    again = predict(METHOD, request, outcome.directory / "checkpoints/selected.hdf5")
    stored = [np.load(str(folder / "prediction.npy")) for folder in (outcome.directory, again.directory)]
    assert np.array_equal(*stored)


@pytest.mark.stack_independent
@pytest.mark.slow
def test_op_metrics_are_those_of_the_labels_held_out_in_the_kept_patches(request_for, tmp_path):
    """Patch by patch, from the truth that is opened after training."""
    one = given(request_for())
    fitted = one.fit(tmp_path, 3)
    truth, width = one.loaded.ground_truth, one.loaded.ground_truth.shape[1]
    prediction = fitted.predict(one.loaded.image)
    further = fitted.report_further(one.loaded.image, Truth(truth, one.draw.split.test), prediction)
    patches = op_patches(one.draw.plan, 4)  # with the labels, which the training does not have
    expected, found = [], []
    for corner, labels in zip(patches.corners, patches.labels):
        row, column = corner
        # the patch alone: its neighbours in the scene are not seen
        tile = one.loaded.image._replace(cube=one.loaded.cube[row : row + 4, column : column + 4])
        classes = fitted.predict(tile)
        expected += labels[labels > 0].tolist()
        found += classes[labels > 0].tolist()
        assert np.array_equal(labels[labels > 0], truth.ravel()[window_pixels(corner[None], 4, width)[0]][labels > 0])
    assert further.metrics["oa_op"] == pytest.approx(accuracy_score(expected, found))
    assert further.metrics["aa_op"] == pytest.approx(balanced_accuracy_score(expected, found))
    assert further.metrics["kappa_op"] == pytest.approx(cohen_kappa_score(expected, found))
    assert further.audit["partition"] == "drawn" and further.audit["op_pixels"] > 0
