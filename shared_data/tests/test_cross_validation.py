"""A repeat of a cross-validation: one run per fold, resumed one by one, and a record that pools their test pixels."""

import errno
import json
import os
import shutil

import numpy as np
import pytest
import toy_method
from record_bits import right_of

from shared_data.comparison.diff import doubts
from shared_data.errors import RecordError, RunDirectoryError, SettingsError
from shared_data.records.map_codec import prediction_of
from shared_data.records.record import collect, find_record_paths, read_record, validate_record
from shared_data.runs import cross_validation, environment
from shared_data.runs.cross_validation import reproduce_all
from shared_data.runs.directory import take_lock
from shared_data.runs.pixels import context_of, draw_pixels, resolve, training_image
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene
from shared_data.splits.shared_protocols import draw_shared


def request_for(out, protocol="spatial-cv", **changes):
    given = Request("synthetic", protocol, 3, None, False, "cpu", None, (), out, False)
    return given._replace(**changes)


def stop(_image, _labels, _configuration, _seed, run):
    """A training that a signal stops at once."""
    run.begin()


STOPPED = toy_method.METHOD._replace(fit=stop)


@pytest.fixture(scope="module")
def repeat(tmp_path_factory):
    """(results folder, outcome) of a whole repeat."""
    out = tmp_path_factory.mktemp("repeat")
    return out, reproduce_all(toy_method.METHOD, request_for(out))


def test_a_repeat_tests_every_labelled_pixel_once(repeat):
    out, outcome = repeat
    record, truth = outcome.record, load_scene("synthetic").ground_truth
    folds = [read_record(outcome.directory / ("fold-%d" % fold) / "run.json") for fold in range(5)]
    assert outcome.directory == out / "ssdgl" / "synthetic" / "spatial-cv" / "seed-3"
    assert record["split"]["test"]["size"] == np.count_nonzero(truth)
    assert record["metrics"]["confusion"] == sum(np.array(fold["metrics"]["confusion"]) for fold in folds).tolist()
    whole = prediction_of(record, load_scene("synthetic").scene)
    assert whole.all()  # zeros would show which pixels are labelled, and with `right` what their labels are
    assert sum(right_of(record)) == sum(sum(right_of(fold)) for fold in folds)
    assert [fold["fold"] for fold in record["folds"]] == list(range(5)) == [fold["fold"] for fold in folds]
    assert [fold["history"] for fold in record["folds"]] == [fold["history"] for fold in folds]
    assert record["units"] == [entry for fold in folds for entry in fold["units"]]
    assert sum(entry["pixels"] for entry in record["distances"]) == np.count_nonzero(truth)
    assert record["context"]["test_to_training"] > 6 and record["context"]["test_spectra"] == "not seen"
    assert (outcome.directory / "map.png").exists() and (outcome.directory / "errors.png").exists()
    assert validate_record(json.loads((outcome.directory / "run.json").read_text())) == record


def test_each_fold_opens_the_truth_once(repeat):
    record = repeat[1].record
    assert [opening["reason"] for opening in record["truth_opened"]] == ["final evaluation"] * 5


@pytest.mark.stack_independent
def test_only_the_pooled_record_is_found_and_kept(repeat, tmp_path):
    out, outcome = repeat
    assert find_record_paths(out) == [outcome.directory / "run.json"]
    kept = collect(outcome.directory, tmp_path)
    assert kept == tmp_path / "ssdgl" / "synthetic" / "spatial-cv" / "seed-3.json"
    with pytest.raises(RecordError, match="one fold"):
        collect(outcome.directory / "fold-1", tmp_path)


@pytest.mark.stack_independent
def test_finished_folds_are_not_run_again(tmp_path, monkeypatch):
    fits = []

    def fit(*arguments, **options):
        fits.append(1)
        return toy_method.fit(*arguments, **options)

    method = toy_method.METHOD._replace(fit=fit)
    alone = reproduce_all(method, request_for(tmp_path, fold=2))
    assert len(fits) == 1 and alone.directory.name == "fold-2" and alone.record["fold"] == 2
    assert not (alone.directory.parent / "run.json").exists()
    whole = reproduce_all(method, request_for(tmp_path))
    assert len(fits) == 5 and whole.record["protocol"] == "spatial-cv"
    assert reproduce_all(method, request_for(tmp_path)).record == whole.record and len(fits) == 5


@pytest.mark.stack_independent
def test_force_starts_a_repeat_over_once(tmp_path):
    """What is stopped while it starts over goes on with the folds that it has finished since."""
    fits = []

    def fit(*arguments, **options):
        fits.append(1)
        return None if len(fits) == 8 else toy_method.fit(*arguments, **options)

    method = toy_method.METHOD._replace(fit=fit)
    first = reproduce_all(method, request_for(tmp_path))
    (first.directory / "redo.txt").write_text("")
    assert reproduce_all(method, request_for(tmp_path, force=True)).record is None and len(fits) == 8
    assert [path.parent.name for path in sorted(tmp_path.glob("**/run.json"))] == ["fold-0", "fold-1"]
    assert not (first.directory / "redo.txt").exists()
    assert reproduce_all(method, request_for(tmp_path)).record["metrics"] == first.record["metrics"]
    assert len(fits) == 11


@pytest.mark.stack_independent
def test_a_forced_fold_withdraws_the_record_that_pools_it(tmp_path):
    """Until the fold is trained again there is none; where nothing is started over, it stays."""
    whole = reproduce_all(toy_method.METHOD, request_for(tmp_path))
    pooled = whole.directory / "run.json"
    with pytest.raises(SettingsError, match="no fold 9"):
        reproduce_all(toy_method.METHOD, request_for(tmp_path, fold=9, force=True))
    with take_lock(whole.directory), pytest.raises(RunDirectoryError, match="in use"):
        reproduce_all(toy_method.METHOD, request_for(tmp_path, fold=2, force=True))
    assert pooled.exists() and (whole.directory / "fold-2" / "run.json").exists()
    assert reproduce_all(STOPPED, request_for(tmp_path, fold=2, force=True)).record is None
    assert not pooled.exists() and not (whole.directory / "fold-2" / "run.json").exists()
    again = reproduce_all(toy_method.METHOD, request_for(tmp_path, fold=2))
    assert again.record["metrics"] == whole.record["metrics"] and pooled.exists()


@pytest.mark.stack_independent
def test_of_two_folds_that_end_together_one_leaves_the_pooling_to_the_other(tmp_path, capsys):
    repeat = reproduce_all(toy_method.METHOD, request_for(tmp_path)).directory
    with take_lock(repeat):
        outcome = reproduce_all(toy_method.METHOD, request_for(tmp_path, fold=4))
    assert outcome.directory == repeat / "fold-4" and outcome.record["fold"] == 4
    assert "%s: another process pools the folds" % repeat in capsys.readouterr().out


@pytest.mark.stack_independent
def test_a_full_disk_while_folds_are_pooled_is_one_sentence(tmp_path, monkeypatch):
    def refused(path, _record):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(cross_validation, "write_record", refused)
    told = r"seed-3 cannot be written: No space left on device\. The folds are finished; the same command pools them"
    with pytest.raises(RunDirectoryError, match=told):
        reproduce_all(toy_method.METHOD, request_for(tmp_path))
    assert not list(tmp_path.glob("**/seed-3/run.json")) and len(list(tmp_path.glob("**/fold-*/run.json"))) == 5


@pytest.mark.stack_independent
def test_the_pooled_record_names_code_and_stack_of_every_fold(tmp_path, monkeypatch):
    """So that a doubt of one fold is a doubt of the repeat."""
    clean, dirty = {"git": "a" * 40, "dirty": False}, {"git": "a" * 40, "dirty": True}
    revisions = iter([clean, dirty, {"git": "b" * 40, "dirty": False}, {"git": None, "dirty": None}, clean, clean])
    monkeypatch.setattr(environment, "revision", lambda: next(revisions))
    assert reproduce_all(STOPPED, request_for(tmp_path, fold=0)).record is None
    record = reproduce_all(toy_method.METHOD, request_for(tmp_path)).record
    found = [fold["revision"]["git"] and fold["revision"]["git"][0] for fold in record["folds"]]
    assert found == ["a", "b", None, "a", "a"]
    assert [len(fold["resumed_from"]) for fold in record["folds"]] == [1, 0, 0, 0, 0]
    assert all(fold["environment"] == record["environment"] for fold in record["folds"])
    assert doubts([record])[1:] == ("dirty checkout", "unknown revision", "several revisions")


@pytest.mark.stack_independent
def test_a_stopped_fold_leaves_no_pooled_record(tmp_path):
    method = toy_method.METHOD._replace(fit=lambda *arguments, **options: None)
    outcome = reproduce_all(method, request_for(tmp_path))
    assert outcome.record is None and outcome.directory.name == "fold-0"
    assert not list(tmp_path.glob("**/run.json"))


@pytest.mark.stack_independent
def test_folds_of_other_settings_are_not_pooled(repeat, tmp_path):
    out, _ = repeat
    shutil.copytree(str(out / "ssdgl"), str(tmp_path / "ssdgl"))
    path = tmp_path / "ssdgl" / "synthetic" / "spatial-cv" / "seed-3" / "fold-4" / "run.json"
    record = json.loads(path.read_text())
    record["config"]["train"]["num_iters"] = 99
    path.write_text(json.dumps(record))
    with pytest.raises(RecordError, match=r"fold-0 and .*fold-4 are no folds of one repeat: they differ in config"):
        reproduce_all(toy_method.METHOD, request_for(tmp_path))


@pytest.mark.parametrize("protocol, fold, told", [
    ("spatial-cv", 5, "its folds are 0 to 4"), ("spatial-cv", None, "name one with --fold"),
    ("disjoint", 0, "it has no folds"), ("paper", 1, "it has no folds"),
])  # fmt: skip
def test_a_fold_that_does_not_exist_is_an_error(tmp_path, protocol, fold, told):
    with pytest.raises(SettingsError, match=told):
        reproduce(toy_method.METHOD, request_for(tmp_path, protocol, fold=fold))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("protocol", ["spatial-cv", "spatial-cv-masked"])
def test_training_sees_test_spectra_unless_they_are_masked(tmp_path, protocol):
    """The mean is that of the training pixels; validation and all other pixels stay; prediction sees the scene."""
    seen = {}

    def fit(image, labels, *rest):
        seen["image"], seen["labels"] = image, labels
        return toy_method.fit(image, labels, *rest)

    record = reproduce(toy_method.METHOD._replace(fit=fit), request_for(tmp_path, protocol, fold=1)).record
    loaded = load_scene("synthetic")
    split = draw_shared(loaded, protocol, 3, 1)
    cube, original = seen["image"].cube.reshape(-1, loaded.cube.shape[2]), loaded.cube.reshape(-1, loaded.cube.shape[2])
    others = np.setdiff1d(np.arange(len(original)), split.test)
    assert np.array_equal(cube[others], original[others])
    assert not seen["labels"].train.ravel()[split.test].any()
    if protocol == "spatial-cv-masked":
        mean = original[split.train].mean(axis=0, dtype=float)
        assert np.allclose(cube[split.test], mean, atol=0.51) and (cube[split.test] == cube[split.test[0]]).all()
        assert record["context"]["test_spectra"] == "masked"
    else:
        assert np.array_equal(cube, original)


@pytest.mark.stack_independent
def test_context_says_what_the_inputs_of_test_pixels_hold(tmp_path):
    """A receptive field of radius 4 holds no training pixel at distance 7, but pixels of training patches."""
    from shared_data.splits.disjoint import near

    method = toy_method.METHOD._replace(receptive_field=lambda _configuration, mask: near(mask, 4))
    request = request_for(tmp_path, fold=0)
    configuration, loaded = resolve(method, request)
    split = draw_pixels(method, loaded, configuration, request.seed).split
    found = context_of(method, configuration, split, loaded.ground_truth)
    trains = np.zeros(loaded.ground_truth.shape, bool)
    trains.ravel()[split.train] = True
    assert found["test_with_training_pixel"] == 0 and found["test_spectra"] == "not seen"
    assert found["test_with_training_patch"] == near(trains, 8).ravel()[split.test].mean() > 0
    assert found["validation_classes"] == len(np.unique(loaded.ground_truth.ravel()[split.val]))
    whole = toy_method.METHOD._replace(receptive_field=lambda _configuration, mask: np.full(mask.shape, mask.any()))
    assert context_of(whole, configuration, split, loaded.ground_truth)["test_spectra"] == "seen"
    assert training_image(loaded, configuration, split).cube is loaded.cube
