"""The baselines on spectra: against their definitions, blind to test labels, and run like a paper."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from sklearn.svm import SVC

from shared_data.comparison import baselines
from shared_data.comparison.baselines import GRID, METHODS, inputs, nearest
from shared_data.errors import CheckpointError, SettingsError, SplitError, UnknownNameError
from shared_data.records.map_codec import maps_of
from shared_data.records.record import read_record, validate_record
from shared_data.runs.method import Run
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene
from shared_data.splits.disjoint import DisjointRule, common_split
from shared_data.splits.draws import index_hash, load_split
from shared_data.splits.labels import labels_of


@pytest.fixture(scope="module")
def loaded():
    return load_scene("synthetic")


@pytest.fixture(scope="module")
def split(loaded):
    return common_split(loaded, 1)


def configured(slug, tmp_path=Path("out")):
    return METHODS[slug].resolve(request(tmp_path))[0]


def trained(slug, loaded, split, folder, **changes):
    configuration = configured(slug)
    configuration = configuration._replace(settings=dict(configuration.settings, **changes))
    return METHODS[slug].fit(loaded.image, labels_of(loaded.ground_truth, split), configuration, 1, Run(folder))


def standardised(cube, pixels, train):
    """By the definition: zero mean, unit deviation over the training pixels, band by band."""
    spectra = cube.reshape(-1, cube.shape[2]).astype(np.float64)
    return (spectra[pixels] - spectra[train].mean(axis=0)) / spectra[train].std(axis=0)


def request(tmp_path, **changes):
    asked = Request("synthetic", "disjoint", 1, None, False, "cpu", None, (), tmp_path, False)
    return asked._replace(**changes)


# what they compute


def test_bands_are_standardised_with_the_training_pixels_alone(loaded, split, tmp_path):
    run = trained("1nn", loaded, split, tmp_path)
    np.testing.assert_allclose(
        inputs(run.model, loaded.image, split.test[:50]),
        standardised(loaded.cube, split.test[:50], split.train),
        atol=1e-9,
    )


@pytest.mark.parametrize("elsewhere", [0.3, 7.0])
def test_a_band_that_is_constant_on_the_training_pixels_becomes_zero(loaded, split, elsewhere, tmp_path):
    cube = loaded.cube.astype(np.float64).reshape(-1, loaded.cube.shape[2])
    cube[:, 0] = elsewhere
    cube[split.train, 0] = 0.3  # its deviation is rounding noise instead of 0
    other = loaded._replace(cube=cube.reshape(loaded.cube.shape))
    found = inputs(trained("1nn", other, split, tmp_path).model, other.image, split.test)
    assert not found[:, 0].any() and found[:, 1].any()


def test_the_nearest_neighbour_by_a_loop(loaded, split, tmp_path):
    run = trained("1nn", loaded, split, tmp_path)
    pixels = split.test[::25]
    train = standardised(loaded.cube, split.train, split.train)
    truth = loaded.ground_truth.ravel()
    expected = [
        truth[split.train[((train - spectrum) ** 2).sum(axis=1).argmin()]]
        for spectrum in standardised(loaded.cube, pixels, split.train)
    ]
    np.testing.assert_array_equal(run.classify(loaded.image, pixels), expected)


def test_the_svm_is_the_candidate_that_validates_best_fitted_on_the_training_pixels(loaded, split, tmp_path):
    run = trained("svm", loaded, split, tmp_path)
    accuracies = [entry["val_oa"] for entry in run.report.history.entries]
    step = run.report.selection["step"]
    assert len(accuracies) == len(GRID) == run.report.selection["last_step"]
    assert step - 1 == accuracies.index(max(accuracies)) and min(accuracies) < max(accuracies)
    truth, bands = loaded.ground_truth.ravel(), loaded.cube.shape[2]
    kept = GRID[step - 1]
    literal = SVC(C=kept.penalty, gamma=kept.gamma_bands / bands)
    literal.fit(standardised(loaded.cube, split.train, split.train), truth[split.train])
    expected = literal.predict(standardised(loaded.cube, split.test, split.train))
    np.testing.assert_array_equal(run.classify(loaded.image, split.test), expected)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_chunks_do_not_show(loaded, split, method, tmp_path):
    run = trained(method, loaded, split, tmp_path)
    whole = run.predict(loaded.image)
    assert whole.shape == loaded.ground_truth.shape and whole.dtype == np.uint8
    pixels = np.arange(0, whole.size, 17)
    np.testing.assert_array_equal(run.classify(loaded.image, pixels), whole.ravel()[pixels])


@pytest.mark.parametrize("method", sorted(METHODS))
def test_neither_test_labels_nor_other_spectra_reach_a_baseline(loaded, split, method, tmp_path):
    before = trained(method, loaded, split, tmp_path).classify(loaded.image, split.test)
    known = np.zeros(loaded.ground_truth.size, bool)
    known[np.concatenate([split.train, split.val])] = True
    labels = np.where(known, loaded.ground_truth.ravel(), 1).astype(np.uint8).reshape(loaded.ground_truth.shape)
    cube = loaded.cube.copy().reshape(-1, loaded.cube.shape[2])
    known[split.test] = True
    cube[~known] = 0
    other = loaded._replace(ground_truth=labels, cube=cube.reshape(loaded.cube.shape))
    np.testing.assert_array_equal(trained(method, other, split, tmp_path).classify(other.image, split.test), before)


def test_what_an_audit_asks(loaded, split, tmp_path):
    svm, nearest = (trained(method, loaded, split, tmp_path) for method in ("svm", "1nn"))
    mask = np.zeros(loaded.ground_truth.shape, bool)
    mask[3, 5] = True
    np.testing.assert_array_equal(METHODS["svm"].receptive_field(configured("svm"), mask), mask)
    assert nearest.report.selection_state is None and nearest.weights()["spectra"].shape[0] == len(split.train)
    assert svm.report.selection_state["kept"] == svm.report.selection["step"]
    # the kept machine is that of its candidate, the last one that of the last candidate
    only = trained("svm", loaded, split, tmp_path, grid=[list(GRID[svm.report.selection["step"] - 1])])
    for name, values in svm.weights().items():
        np.testing.assert_array_equal(values, only.report.last_weights[name])
    assert svm.report.last_weights["support_"].shape != svm.weights()["support_"].shape


# how they run


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_run_leaves_what_a_paper_leaves(tmp_path, loaded, split, method, capsys):
    outcome = reproduce(METHODS[method], request(tmp_path))
    folder, record = outcome.directory, outcome.record
    assert folder == tmp_path / method / "synthetic" / "disjoint" / "seed-1"
    assert read_record(folder / "run.json") == record
    assert {"run.json", "prediction.npy", "split.npz", "map.png", "errors.png"} <= set(os.listdir(str(folder)))
    assert (
        record["split"]["test"]["sha256"] == index_hash(split.test) == index_hash(load_split(folder / "split.npz").test)
    )
    assert record["environment"]["framework"] == "scikit-learn" and record["modified"] == []
    assert record["config"]["split"] == dict(DisjointRule()._asdict())
    prediction = np.load(str(folder / "prediction.npy"))
    truth = loaded.ground_truth.ravel()
    assert record["metrics"]["oa"] == pytest.approx(np.mean(prediction.ravel()[split.test] == truth[split.test]))
    assert record["metrics"]["kappa"] > 0.3
    validate_record(dict(record, maps=maps_of(prediction, split, loaded.ground_truth)))
    assert reproduce(METHODS[method], request(tmp_path)).record == record
    assert "is finished already" in capsys.readouterr().out


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_same_request_gives_the_same_numbers(tmp_path, method):
    one, other = (reproduce(METHODS[method], request(tmp_path / name)).record for name in "ab")
    assert one["metrics"] == other["metrics"] and one["selection"] == other["selection"]


def test_the_decisions_state_grid_standardisation_and_split(tmp_path):
    record = reproduce(METHODS["svm"], request(tmp_path)).record
    decisions = record["decisions"]
    assert decisions["split"] == "disjoint" and decisions["standardisation"] == decisions["fitted_on"] == "train"
    assert decisions["grid"] == {"C": [1, 10, 100, 1000], "gamma_times_bands": [0.01, 0.1, 1, 10]}
    assert "validation pixels" in record["selection"]["on"]
    kept = record["history"][record["selection"]["step"] - 1]
    assert kept["val_oa"] == max(entry["val_oa"] for entry in record["history"])
    assert kept["C"] in decisions["grid"]["C"] and kept["gamma_bands"] in decisions["grid"]["gamma_times_bands"]


def test_a_signal_stops_the_search(loaded, split, tmp_path, monkeypatch):
    fitted = []

    def fit_and_signal(*words):
        fitted.append(words)
        if len(fitted) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return nearest(*words[:2])

    monkeypatch.setattr(baselines, "support_vectors", fit_and_signal)
    assert trained("svm", loaded, split, tmp_path) is None
    assert len(fitted) == 3


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_saved_baseline_predicts_the_same_on_this_scene_and_on_another(loaded, split, tmp_path, method):
    fitted = trained(method, loaded, split, tmp_path)
    fitted.save(tmp_path / "selected.npz")
    again = METHODS[method].load(tmp_path / "selected.npz")
    other = loaded._replace(cube=loaded.cube[::-1] * 1.5).image
    for image in (loaded.image, other):
        np.testing.assert_array_equal(again.predict(image), fitted.predict(image))
    with pytest.raises(CheckpointError, match="is a model of the paper %s" % method):
        METHODS["svm" if method == "1nn" else "1nn"].load(tmp_path / "selected.npz")


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_truth_is_opened_once(tmp_path, method):
    record = reproduce(METHODS[method], request(tmp_path)).record
    assert [(entry["reason"], entry["while"]) for entry in record["truth_opened"]] == [
        ("final evaluation", "evaluation")
    ]


def test_requests_that_no_baseline_can_meet(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown protocol 'paper'; there are: disjoint"):
        reproduce(METHODS["svm"], request(tmp_path, protocol="paper"))
    with pytest.raises(UnknownNameError, match="no scene named 'mars'"):
        reproduce(METHODS["svm"], request(tmp_path, experiment="mars"))
    for change in ({"overrides": ("a=1",)}, {"iterations": 3}):
        with pytest.raises(SettingsError, match="takes neither --set nor --iters"):
            reproduce(METHODS["1nn"], request(tmp_path, **change))
    assert not list(tmp_path.iterdir())


def test_a_split_without_validation_pixels_is_refused(loaded, split, tmp_path):
    with pytest.raises(SplitError, match="no validation pixel"):
        trained("svm", loaded, split._replace(val=split.val[:0]), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif("HSI_DATA" not in os.environ, reason="HSI_DATA names no folder with scene files")
@pytest.mark.parametrize("method", sorted(METHODS))
def test_indian_pines(tmp_path, method):
    record = reproduce(METHODS[method], request(tmp_path, experiment="indianpines", unverified=True)).record
    # spectra alone, far from the training fields: well above the share of the largest class, far from solved
    largest = max(record["split"]["test"]["per_class"]) / record["split"]["test"]["size"]
    assert largest < record["metrics"]["oa"] < 0.75
