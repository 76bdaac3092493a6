"""A run: it learns, resumes, selects by validation loss, and never reads test labels."""

import errno
import os

import numpy as np
import pytest

from apdclnn import classify, preprocessing, training
from apdclnn import estimate as estimating
from apdclnn.gabor_features import features_and_fit
from apdclnn.model import Model
from apdclnn.network import Structure
from apdclnn.prediction import predict_pixels, predict_scene
from apdclnn.sampling import targets_of
from shared_data.errors import CheckpointError, RunDirectoryError
from shared_data.runs import npz_checkpoint

FEW = ("train.epochs=3", "train.batch=64")


def build(request, split=None, loaded=None):
    config, own = training.resolve(request)
    return training.prepare(request, config, loaded or own, split)


def numbers_after_training(run, folder):
    folder.mkdir()
    assert run.train(folder)
    return npz_checkpoint.read(folder / ("checkpoints/epoch-%d.npz" % run.epoch))["run"]["numbers"]


def equal(one, other):
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


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
    run = build(request_for(overrides=("train.epochs=4", "train.batch=128")))
    monkeypatch.setattr(run, "_validate", lambda: {"validation_loss": next(losses), "validation_oa": 0.5})
    numbers_after_training(run, tmp_path / "run")
    stored = npz_checkpoint.read(tmp_path / "run/checkpoints/epoch-4.npz")["run"]
    selected = npz_checkpoint.read(tmp_path / "run/checkpoints/selected.npz")["weights"]
    assert run.best.step == 2 and equal(stored["kept"], selected) and equal(run.model.weights(), selected)
    assert not np.array_equal(selected["classes/W"], stored["numbers"]["classes/W"])


def test_validation_is_the_loss_and_accuracy_of_all_validation_pixels(request_for, monkeypatch):
    run = build(request_for())
    whole = run._validate()
    loss, logits = run.model.loss_and_logits(run.split.val, targets_of(run.loaded.ground_truth, run.split.val))
    monkeypatch.setattr(training, "BATCH", 7)
    in_parts = run._validate()
    assert whole["validation_loss"] == pytest.approx(loss) and whole == pytest.approx(in_parts, rel=1e-5)
    truth = run.loaded.ground_truth.ravel()[run.split.val]
    assert whole["validation_oa"] == pytest.approx((logits.argmax(axis=1) + 1 == truth).mean())


def test_a_run_taken_up_at_every_epoch_ends_with_the_same_numbers(request_for, tmp_path):
    request = request_for(overrides=("train.epochs=3",))
    unbroken = build(request)
    whole = numbers_after_training(unbroken, tmp_path / "whole")
    (tmp_path / "parts").mkdir()
    for _ in range(3):
        part = build(request)
        # a stop signal at the end of each epoch
        part._report = lambda *numbers, part=part: (type(part)._report(part, *numbers), part._request_stop("test"))
        finished = part.train(tmp_path / "parts")
    assert finished and unbroken.history.entries == part.history.entries
    assert equal(whole, npz_checkpoint.read(tmp_path / "parts/checkpoints/epoch-3.npz")["run"]["numbers"])


def test_same_seed_same_numbers_and_another_seed_others(request_for, tmp_path):
    found = [
        numbers_after_training(build(request_for(seed=seed, iterations=3)), tmp_path / str(number))
        for number, seed in enumerate((1, 1, 2))
    ]
    assert equal(found[0], found[1]) and not equal(found[0], found[2])


def test_the_estimate_leaves_the_model_as_it_was(request_for):
    run = build(request_for())
    before = run.model.numbers()
    pixels = run.split.train[:16]
    sentence = estimating.estimate(run.model, pixels, targets_of(run.loaded.ground_truth, pixels), 100, 12288)
    assert equal(before, run.model.numbers())
    assert "100 steps of" in sentence and sentence.startswith("about ")


def test_the_whole_scene_in_batches_is_pixel_after_pixel(request_for):
    run = build(request_for())
    height, width = run.loaded.ground_truth.shape
    whole = predict_scene(run.model, height, width)
    some = np.array([0, 5, width, height * width - 1])
    assert whole.shape == (height, width) and np.array_equal(whole.ravel()[some], predict_pixels(run.model, some, 3))


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
    numbers_after_training(build(request_for(overrides=FEW)), tmp_path / "run")
    other = build(request_for("synthetic-without-complex", overrides=FEW))
    with pytest.raises(CheckpointError, match="does not fit this run"):
        other.train(tmp_path / "run")


def test_weights_of_a_run_predict_what_the_run_predicted(request_for):
    request = request_for(overrides=FEW)
    outcome = training.reproduce(request)
    again = classify.predict(request, outcome.directory / "checkpoints/selected.npz")
    stored = [np.load(str(folder / "prediction.npy")) for folder in (outcome.directory, again.directory)]
    assert np.array_equal(*stored)


def test_gabor_features_are_shared_by_the_seeds_of_a_scene(request_for, tmp_path, monkeypatch):
    monkeypatch.setattr(preprocessing, "features_and_fit", features_and_fit)
    for seed in (1, 2):
        build(request_for(seed=seed))
    assert len(list((tmp_path / "apdclnn/gabor").iterdir())) == 1
    build(request_for("synthetic-without-gabor", overrides=("gabor.components=2",)))
    assert len(list((tmp_path / "apdclnn/gabor").iterdir())) == 1
