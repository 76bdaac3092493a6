"""A run: it learns, resumes, selects by validation loss, and never reads test labels."""

import errno
import os
import signal

import numpy as np
import pytest
from apdclnn_helpers import given

from apdclnn import estimate as estimating
from apdclnn import preprocessing, train
from apdclnn.gabor_features import features_and_fit
from apdclnn.method import METHOD
from apdclnn.model import Model
from apdclnn.network import Structure
from apdclnn.prediction import predict_pixels, predict_scene
from apdclnn.sampling import targets_of
from contracts.ignored_pixels import check_statistics
from shared_data.errors import CheckpointError, RunDirectoryError, SettingsError
from shared_data.runs import npz_checkpoint
from shared_data.runs.epoch_loop import EpochLoop
from shared_data.runs.pixels import resolve
from shared_data.runs.predict import predict
from shared_data.runs.reproduce import reproduce

FEW = ("train.epochs=3", "train.batch=64")


def numbers_of_epoch(folder, epoch):
    """Every number of the network after an epoch, from its checkpoint."""
    return npz_checkpoint.read(folder / ("checkpoints/epoch-%d.npz" % epoch))["run"]["numbers"]


def equal(one, other):
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_sixty_four_patches_are_learnt_by_heart():
    random = np.random.RandomState(0)
    deep, gabor = (random.standard_normal((12, 12, 4)).astype(np.float32) for _ in range(2))
    model = Model(deep, gabor, 4, 5, Structure((4, 4), True, True, True, True), 0.01, "/cpu:0", seed=0)
    pixels, targets = np.arange(64), random.randint(0, 4, 64).astype(np.int32)
    for _ in range(80):
        loss = model.train_on(pixels, targets)
    for _ in range(40):  # BatchNorm's moving statistics follow the weights
        model.train_on(pixels, targets)
    assert loss < 0.1
    assert np.array_equal(predict_pixels(model, pixels), targets + 1)


def test_the_epoch_with_the_lowest_validation_loss_gives_the_weights(request_for, tmp_path, monkeypatch):
    losses = iter([0.9, 0.4, 0.7, 0.4])
    monkeypatch.setattr(train, "validate", lambda *_: {"validation_loss": next(losses), "validation_oa": 0.5})
    folder = tmp_path / "run"
    fitted = given(request_for(overrides=("train.epochs=4", "train.batch=128"))).fit(folder)
    stored = npz_checkpoint.read(folder / "checkpoints/epoch-4.npz")["run"]
    used, last = fitted.weights(), fitted.report.last_weights
    assert fitted.report.selection_state["step"] == 2 and equal(stored["kept"], used)
    assert fitted.report.selection["step"] == fitted.report.history.entries[1]["step"]
    assert all(np.array_equal(last[name], stored["numbers"][name]) for name in last)
    assert not np.array_equal(used["classes/W"], last["classes/W"])


def test_weights_of_the_last_epoch_where_no_loss_is_a_number(request_for, tmp_path, monkeypatch):
    lost = {"validation_loss": float("nan"), "validation_oa": 0.5}
    monkeypatch.setattr(train, "validate", lambda *_: lost)
    fitted = given(request_for(overrides=FEW)).fit(tmp_path / "run")
    assert equal(fitted.weights(), fitted.report.last_weights)
    assert fitted.report.selection["step"] == fitted.report.selection["last_step"]


def test_validation_is_the_loss_and_accuracy_of_all_validation_pixels(request_for, monkeypatch):
    run = given(request_for())
    network, pixels = run.network(), run.labels.val_pixels
    targets = targets_of(run.labels.val, pixels)
    whole = train.validate(network, pixels, targets)
    loss, logits = network.loss_and_logits(pixels, targets)
    monkeypatch.setattr(train, "BATCH", 7)
    in_parts = train.validate(network, pixels, targets)
    assert whole["validation_loss"] == pytest.approx(loss) and whole == pytest.approx(in_parts, rel=1e-5)
    truth = run.loaded.ground_truth.ravel()[run.split.val]
    assert whole["validation_oa"] == pytest.approx((logits.argmax(axis=1) + 1 == truth).mean())


@pytest.mark.stack_independent  # in both stacks: TestInterruption
@pytest.mark.slow
def test_a_run_taken_up_at_every_epoch_ends_with_the_same_numbers(request_for, tmp_path, monkeypatch):
    run = given(request_for(overrides=("train.epochs=3",)))
    unbroken = run.fit(tmp_path / "whole")
    end_epoch = EpochLoop.end_epoch

    def stopped_after(loop, *numbers):
        end_epoch(loop, *numbers)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(EpochLoop, "end_epoch", stopped_after)
    parts = [run.fit(tmp_path / "parts") for _ in range(3)]
    assert parts[:2] == [None, None] and unbroken.report.history.entries == parts[2].report.history.entries
    assert equal(numbers_of_epoch(tmp_path / "whole", 3), numbers_of_epoch(tmp_path / "parts", 3))
    assert equal(unbroken.weights(), parts[2].weights())


@pytest.mark.stack_independent
@pytest.mark.slow
def test_a_limit_of_steps_and_one_of_the_configuration_are_the_same(request_for, tmp_path):
    few = given(request_for(iterations=3)).fit(tmp_path / "few")
    limited = given(request_for()).fit(tmp_path / "limited", steps=3)
    assert few.report.selection["last_step"] == limited.report.selection["last_step"] == 3
    assert equal(few.weights(), limited.weights())


@pytest.mark.stack_independent  # in both stacks: TestInterruption
@pytest.mark.slow
def test_same_seed_same_numbers_and_another_seed_others(request_for, tmp_path):
    found = []
    for number, seed in enumerate((1, 1, 2)):
        given(request_for(seed=seed, iterations=3)).fit(tmp_path / str(number))
        found.append(numbers_of_epoch(tmp_path / str(number), 1))
    assert equal(found[0], found[1]) and not equal(found[0], found[2])


def test_the_estimate_leaves_the_network_as_it_was(request_for):
    run = given(request_for())
    network, pixels = run.network(), run.labels.train_pixels[:16]
    before = network.numbers()
    sentence = estimating.estimate(network, pixels, targets_of(run.labels.train, pixels), 100, 12288)
    assert equal(before, network.numbers())
    assert "100 steps of" in sentence and sentence.startswith("about ")


def test_the_log_says_first_how_long_the_training_takes(request_for, tmp_path):
    given(request_for()).fit(tmp_path / "run", steps=2)
    first = (tmp_path / "run" / "log.txt").read_text().splitlines()[0]
    assert ", about " in first and " steps of " in first


def test_the_whole_scene_in_batches_is_pixel_after_pixel(request_for):
    run = given(request_for())
    network, (height, width) = run.network(), run.loaded.image.shape
    whole = predict_scene(network, height, width)
    some = np.array([0, 5, width, height * width - 1])
    assert whole.shape == (height, width) and np.array_equal(whole.ravel()[some], predict_pixels(network, some, 3))


@pytest.mark.stack_independent  # its files are not the framework's
@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_the_run_resumes(request_for, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    request = request_for(overrides=FEW)
    with monkeypatch.context() as broken:
        broken.setattr(np, "savez", full)
        with pytest.raises(RunDirectoryError, match="seed-1 cannot be written: No space left on device"):
            reproduce(METHOD, request)
    assert reproduce(METHOD, request).record["status"] == "finished"


@pytest.mark.slow
def test_a_checkpoint_of_another_network_is_refused(request_for, tmp_path):
    given(request_for(overrides=FEW)).fit(tmp_path / "run", steps=3)
    with pytest.raises(CheckpointError, match="does not fit this run"):
        given(request_for("synthetic-without-complex", overrides=FEW)).fit(tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    "experiment", ["synthetic", pytest.param("synthetic-without-gabor", marks=pytest.mark.stack_independent)]
)
def test_a_saved_method_predicts_as_the_fitted_one(request_for, tmp_path, monkeypatch, experiment):
    run = given(request_for(experiment, overrides=FEW))
    fitted, path = run.fit(tmp_path / "run", steps=3), tmp_path / "saved.npz"
    fitted.save(path)
    loaded = METHOD.load(path, "cpu")
    assert equal(loaded.weights(), fitted.weights()) and loaded.model.config == fitted.model.config
    image = run.loaded.image
    other = image._replace(cube=np.ascontiguousarray(image.cube[::-1] * 2))
    expected = fitted.predict(image)
    assert np.array_equal(loaded.predict(image), expected)
    assert np.array_equal(loaded.predict(other), fitted.predict(other))
    with monkeypatch.context() as without:  # of the scene of training nothing is computed again
        without.setattr(preprocessing, "features_and_fit", None)
        without.setattr(preprocessing.Preprocessing, "apply", None)
        assert np.array_equal(fitted.predict(image), expected)


@pytest.mark.stack_independent
@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["paper", "disjoint"])
def test_test_labels_are_opened_once_after_training(request_for, protocol):
    request = request_for(iterations=2)._replace(protocol=protocol)
    (opening,) = reproduce(METHOD, request).record["truth_opened"]
    assert (opening["reason"], opening["while"]) == ("final evaluation", "evaluation")


@pytest.mark.stack_independent  # in both stacks: TestSavedModels
@pytest.mark.slow
def test_weights_of_a_run_predict_what_the_run_predicted(request_for):
    request = request_for(overrides=FEW)
    outcome = reproduce(METHOD, request)
    again = predict(METHOD, request, outcome.directory / "checkpoints/selected.npz")
    stored = [np.load(str(folder / "prediction.npy")) for folder in (outcome.directory, again.directory)]
    assert np.array_equal(*stored)


@pytest.mark.stack_independent
@pytest.mark.slow
def test_gabor_features_are_shared_by_the_seeds_of_a_scene(request_for, tmp_path, monkeypatch):
    monkeypatch.setattr(preprocessing, "features_and_fit", features_and_fit)
    for seed in (1, 2):
        reproduce(METHOD, request_for(seed=seed, iterations=1))
    assert len(list((tmp_path / "apdclnn/gabor").iterdir())) == 1
    reproduce(METHOD, request_for("synthetic-without-gabor", iterations=1, overrides=("gabor.components=2",)))
    assert len(list((tmp_path / "apdclnn/gabor").iterdir())) == 1


def test_a_scene_without_labels_has_no_training_pixels_to_fit_on(request_for):
    configuration, loaded = resolve(METHOD, request_for()._replace(protocol="disjoint"))
    with pytest.raises(SettingsError, match="a scene without labels has none"):
        METHOD.preprocess(loaded.image, None, configuration, 1)


def test_ignored_pixels_take_no_part_in_the_statistics_of_the_scene(request_for):
    check_statistics(METHOD, request_for("synthetic-without-gabor"))


def test_gabor_components_are_fitted_on_valid_pixels_alone(request_for):
    configuration, loaded = resolve(METHOD, request_for())
    cube = loaded.cube[:30, :30, :8]
    valid = np.ones(cube.shape[:2], bool)
    valid[:10] = False
    fitted, _ = preprocessing.fit(cube, configuration.settings, None, None, valid)
    of_valid, _ = preprocessing.fit(cube, configuration.settings, np.flatnonzero(valid), None)
    assert np.array_equal(fitted.gabor.mean, of_valid.gabor.mean)
    assert not np.allclose(fitted.gabor.mean, preprocessing.fit(cube, configuration.settings, None)[0].gabor.mean)
