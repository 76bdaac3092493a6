"""The baselines: against their definitions, blind to what they may not see, and run like a paper."""

import os
import signal
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import toy_method
from scipy.ndimage import correlate
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from shared_data.audit.run import audit_run
from shared_data.comparison.baselines.classifiers import FOREST, SVM
from shared_data.comparison.baselines.features import MEAN_5X5, POSITION
from shared_data.comparison.baselines.fitted import inputs
from shared_data.comparison.baselines.methods import METHODS, on_pixels_of
from shared_data.comparison.baselines.table import BASELINES
from shared_data.errors import CheckpointError, SettingsError, SplitError, UnknownNameError
from shared_data.evaluation.weights import weights_sha256
from shared_data.records.map_codec import maps_of
from shared_data.records.record import read_record, validate_record
from shared_data.runs import npz_checkpoint
from shared_data.runs.generic import Derived
from shared_data.runs.method import Run
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene
from shared_data.splits.disjoint import common_split
from shared_data.splits.draws import Split, draw_per_class, index_hash, load_split
from shared_data.splits.labels import labels_of

EVERY = sorted(BASELINES)
CHOOSING = [slug for slug in EVERY if len(BASELINES[slug].classifier.candidates) > 1]
SPECTRAL = [slug for slug in EVERY if slug != "1nn-position"]
WIDE = [slug for slug in EVERY if slug.endswith("-5x5")]


@pytest.fixture(scope="module")
def scene():
    return load_scene("synthetic")


@pytest.fixture(scope="module")
def loaded(scene):
    """A corner of the scene, with 8 of its classes."""
    return scene._replace(cube=scene.cube[:48, :48], ground_truth=np.ascontiguousarray(scene.ground_truth[:48, :48]))


@pytest.fixture(scope="module")
def split(loaded):
    """10 training and 4 validation pixels of each class."""
    drawn = draw_per_class(loaded.ground_truth, [14] * 8, seed=1)
    training = drawn.train.reshape(8, 14)
    return Split(training[:, :10].ravel(), training[:, 10:].ravel(), drawn.test)


@pytest.fixture(autouse=True, scope="module")
def few_trees():
    """A forest of 5 trees, because 500 take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FOREST.candidates[0], "trees", 5)
        yield


@lru_cache(maxsize=None)  # resolving generates the scene
def configured(slug):
    return METHODS[slug].resolve(request(Path("out")))[0]


def trained(slug, loaded, split, folder, seed=1, **changes):
    configuration = configured(slug)
    configuration = configuration._replace(settings=dict(configuration.settings, **changes))
    return METHODS[slug].fit(loaded.image, labels_of(loaded.ground_truth, split), configuration, seed, Run(folder))


@pytest.fixture(scope="module")
def fitted_once(loaded, split, tmp_path_factory):
    """A function that gives a baseline fitted to the scene with seed 1, each fitted once."""
    known = {}

    def fitted(slug):
        if slug not in known:
            known[slug] = trained(slug, loaded, split, tmp_path_factory.mktemp(slug))
        return known[slug]

    return fitted


def standardised(cube, pixels, train):
    """By the definition: zero mean, unit deviation over the training pixels, band by band."""
    spectra = cube.reshape(-1, cube.shape[2]).astype(np.float64)
    return (spectra[pixels] - spectra[train].mean(axis=0)) / spectra[train].std(axis=0)


def request(tmp_path, **changes):
    asked = Request("synthetic", "disjoint", 1, None, False, "cpu", None, (), tmp_path, False)
    return asked._replace(**changes)


def kept_candidate(fitted, classifier):
    return classifier.candidates[fitted.report.selection["step"] - 1]


# what they classify a pixel by


def test_bands_are_standardised_with_the_training_pixels_alone(loaded, split, fitted_once):
    run = fitted_once("1nn")
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


def test_5x5_means_are_over_the_part_of_the_window_inside_the_scene(loaded):
    height, width = loaded.image.shape
    window = np.ones((5, 5))
    inside = correlate(np.ones((height, width)), window, mode="constant")
    expected = correlate(loaded.cube[:, :, 3].astype(np.float64), window, mode="constant") / inside
    found = MEAN_5X5.of(loaded.image, np.arange(height * width))
    assert found.shape == (height * width, loaded.cube.shape[2])
    np.testing.assert_allclose(found[:, 3], expected.ravel(), rtol=1e-12)


def test_5x5_means_leave_ignored_pixels_out(loaded):
    """A 5×5 hole in whose middle no window pixel is valid."""
    valid = np.ones(loaded.ground_truth.shape, bool)
    valid[10:15, 20:25] = valid[0, 0] = False
    pixels = np.arange(valid.size)
    found = MEAN_5X5.of(loaded.image._replace(valid=valid), pixels)
    weights = valid[:, :, None].astype(float)
    sums = [correlate(each, np.ones((5, 5, 1)), mode="constant") for each in (loaded.cube * weights, weights)]
    middle = 12 * valid.shape[1] + 22
    others = pixels != middle
    expected = sums[0].reshape(valid.size, -1)[others] / sums[1].reshape(valid.size, 1)[others]
    np.testing.assert_allclose(found[others], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found[middle], loaded.cube[12, 22])


@pytest.mark.parametrize("row, column", [(10, 12), (0, 0), (1, 30)])
def test_5x5_means_depend_on_exactly_their_window(loaded, row, column):
    height, width = loaded.image.shape
    pixel = np.array([row * width + column])
    before = MEAN_5X5.of(loaded.image, pixel)
    depends = np.zeros((height, width), bool)
    for r in range(max(row - 4, 0), row + 5):
        for c in range(max(column - 4, 0), column + 5):
            cube = loaded.cube.copy()
            cube[r, c] += 1
            depends[r, c] = (MEAN_5X5.of(loaded._replace(cube=cube).image, pixel) != before).any()
    expected = np.zeros((height, width), bool)
    expected[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = True
    np.testing.assert_array_equal(depends, expected)
    assert (
        MEAN_5X5.of(loaded._replace(cube=np.where(expected[:, :, None], loaded.cube, 0)).image, pixel) == before
    ).all()


@pytest.mark.parametrize("slug", EVERY)
def test_the_receptive_field_is_what_the_features_depend_on(loaded, slug):
    height, width = loaded.image.shape
    features, mask = BASELINES[slug].features, np.zeros((height, width), bool)
    mask[7, 9] = True
    cube = loaded.cube.copy()
    cube[mask] += 1
    every = np.arange(height * width)
    changed = features.of(loaded._replace(cube=cube).image, every) != features.of(loaded.image, every)
    found = METHODS[slug].receptive_field(configured(slug), mask)
    assert found.dtype == bool
    np.testing.assert_array_equal(found.ravel(), changed.any(axis=1))


def test_position_is_row_and_column_in_pixels(loaded):
    width = loaded.image.shape[1]
    np.testing.assert_array_equal(POSITION.of(loaded.image, np.array([0, width - 1, 2 * width + 5])),
                                  [[0, 0], [0, width - 1], [2, 5]])  # fmt: skip


def test_position_ignores_spectra(loaded, split, tmp_path, fitted_once):
    fitted = fitted_once("1nn-position")
    spectra = loaded.cube.reshape(-1, loaded.cube.shape[2])
    shuffled = np.random.RandomState(0).permutation(spectra).reshape(loaded.cube.shape)
    other = loaded._replace(cube=shuffled)
    again = trained("1nn-position", other, split, tmp_path)
    np.testing.assert_array_equal(again.classify(other.image, split.test), fitted.classify(loaded.image, split.test))
    # the same permutation changes what a baseline of spectra predicts
    spectral = fitted_once("1nn")
    again = trained("1nn", other, split, tmp_path)
    assert (again.classify(other.image, split.test) != spectral.classify(loaded.image, split.test)).any()


def test_position_takes_the_class_of_a_nearest_training_pixel(loaded, split, fitted_once):
    width = loaded.image.shape[1]
    found = fitted_once("1nn-position").predict(loaded.image).ravel()
    truth = loaded.ground_truth.ravel()
    rows, columns = np.divmod(split.train, width)
    for pixel in range(0, found.size, 7):
        apart = (rows - pixel // width) ** 2 + (columns - pixel % width) ** 2
        assert found[pixel] in truth[split.train][apart == apart.min()]


# what they fit


def expected_estimator(slug, candidate, train, classes, seed):
    """By scikit-learn's documentation, from standardised features."""
    kind = slug.split("-")[0]
    if kind == "svm":
        return SVC(C=candidate["C"], gamma=candidate["gamma_features"] / train.shape[1]).fit(train, classes)
    if kind == "lr":
        return LogisticRegression(C=candidate["C"], max_iter=10**5).fit(train, classes)
    if kind == "rf":
        return RandomForestClassifier(n_estimators=5, random_state=seed).fit(train, classes)
    return KNeighborsClassifier(1, algorithm="brute").fit(train, classes)


@pytest.mark.parametrize("slug", SPECTRAL)
def test_a_baseline_is_its_classifier_fitted_to_the_training_pixels(loaded, split, slug, tmp_path):
    fitted = trained(slug, loaded, split, tmp_path, seed=3)
    cube = loaded.cube
    if slug in WIDE:
        cube = MEAN_5X5.of(loaded.image, np.arange(cube.shape[0] * cube.shape[1])).reshape(cube.shape)
    train, test = (standardised(cube, pixels, split.train) for pixels in (split.train, split.test))
    candidate = kept_candidate(fitted, BASELINES[slug].classifier)
    expected = expected_estimator(slug, candidate, train, loaded.ground_truth.ravel()[split.train], seed=3)
    np.testing.assert_array_equal(fitted.classify(loaded.image, split.test), expected.predict(test))


@pytest.mark.parametrize("slug", CHOOSING)
def test_the_candidate_that_validates_best_is_kept(loaded, split, slug, fitted_once):
    run = fitted_once(slug)
    accuracies = [entry["val_oa"] for entry in run.report.history.entries]
    step, classifier = run.report.selection["step"], BASELINES[slug].classifier
    assert len(accuracies) == len(classifier.candidates) == run.report.selection["last_step"]
    assert step - 1 == accuracies.index(max(accuracies)) and min(accuracies) < max(accuracies)
    assert run.report.selection["on"] == "overall accuracy of %d validation pixels" % split.val.size
    truth = loaded.ground_truth.ravel()
    assert max(accuracies) == pytest.approx(np.mean(run.classify(loaded.image, split.val) == truth[split.val]))


@pytest.mark.parametrize("slug", CHOOSING)
def test_without_validation_pixels_training_pixels_are_cross_validated(loaded, split, slug, tmp_path):
    bare = split._replace(val=split.val[:0])
    candidates = BASELINES[slug].classifier.candidates[:3]
    run = trained(slug, loaded, bare, tmp_path, seed=5, candidates=candidates)
    truth = loaded.ground_truth.ravel()
    assert run.report.selection["on"] == (
        "cross-validated overall accuracy of %d training pixels in 5 parts; there are no validation pixels"
        % split.train.size
    )
    train = inputs(run.model, loaded.image, split.train)
    folds = StratifiedKFold(5, shuffle=True, random_state=5)
    found = [entry["cv_oa"] for entry in run.report.history.entries]
    for number in (0, 2):
        estimator = expected_estimator(slug, candidates[number], train[:20], truth[split.train][:20], 5)
        predicted = cross_val_predict(estimator, train, truth[split.train], cv=folds)
        assert found[number] == pytest.approx(np.mean(predicted == truth[split.train]))
    assert run.report.selection["step"] - 1 == found.index(max(found))


def test_test_labels_choose_nothing_without_validation_pixels(loaded, split, tmp_path):
    bare = split._replace(val=split.val[:0])
    labels = loaded.ground_truth.ravel().copy()
    labels[split.test] = 1
    other = loaded._replace(ground_truth=labels.reshape(loaded.ground_truth.shape))
    candidates = SVM.candidates[:3]
    one, two = (trained("svm", each, bare, tmp_path, candidates=candidates).report for each in (loaded, other))
    assert one.selection_state == two.selection_state and len(set(one.selection_state["cv_oa"])) > 1


def test_a_rare_class_does_not_disturb_cross_validation(loaded, split, tmp_path):
    truth = loaded.ground_truth.ravel()
    single = np.flatnonzero(truth[split.train] == 1)[1:]
    few = split._replace(val=split.val[:0], train=np.delete(split.train, single))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = trained("svm", loaded, few, tmp_path, candidates=SVM.candidates[:2]).report
    assert report.selection["on"].startswith("cross-validated")


def test_nothing_to_choose_on(loaded, split, tmp_path):
    truth = loaded.ground_truth.ravel()
    _, first = np.unique(truth[split.train], return_index=True)
    lone = split._replace(train=split.train[first], val=split.val[:0])
    with pytest.raises(SplitError, match="neither validation pixels nor two classes with two training pixels"):
        trained("svm", loaded, lone, tmp_path)
    one_class = split._replace(train=split.train[truth[split.train] == 2])
    with pytest.raises(SplitError, match="training pixels of at least two classes"):
        trained("rf", loaded, one_class, tmp_path)
    assert not list(tmp_path.iterdir())
    assert trained("1nn", loaded, lone, tmp_path).report.selection_state is None


@pytest.mark.parametrize("slug", ["lr", "lr-5x5"])
def test_logistic_regression_converges(loaded, split, slug, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(slug, loaded, split, tmp_path)


def test_a_forest_depends_on_the_seed_alone(loaded, split, tmp_path):
    one, same, other = (trained("rf", loaded, split, tmp_path, seed).weights() for seed in (1, 1, 2))
    assert all((one[name] == same[name]).all() for name in one)
    assert any(one[name].shape != other[name].shape or (one[name] != other[name]).any() for name in one)


@pytest.mark.parametrize("method", EVERY)
def test_chunks_do_not_show(loaded, fitted_once, method):
    run = fitted_once(method)
    whole = run.predict(loaded.image)
    assert whole.shape == loaded.ground_truth.shape and whole.dtype == np.uint8
    pixels = np.arange(0, whole.size, 17)
    np.testing.assert_array_equal(run.classify(loaded.image, pixels), whole.ravel()[pixels])


@pytest.mark.parametrize("method", EVERY)
def test_neither_test_labels_nor_distant_spectra_reach_a_baseline(loaded, split, method, tmp_path, fitted_once):
    before = fitted_once(method).classify(loaded.image, split.test)
    known = np.zeros(loaded.ground_truth.size, bool)
    known[np.concatenate([split.train, split.val])] = True
    labels = np.where(known, loaded.ground_truth.ravel(), 1).astype(np.uint8).reshape(loaded.ground_truth.shape)
    known[split.test] = True
    read = known.reshape(labels.shape)
    read = read | METHODS[method].receptive_field(configured(method), read)
    other = loaded._replace(ground_truth=labels, cube=np.where(read[:, :, None], loaded.cube, 0))
    np.testing.assert_array_equal(trained(method, other, split, tmp_path).classify(other.image, split.test), before)


def test_what_an_audit_asks(loaded, split, tmp_path, fitted_once):
    svm, nearest = fitted_once("svm"), fitted_once("1nn")
    assert nearest.report.selection_state is None and nearest.weights()["features"].shape[0] == len(split.train)
    assert svm.report.selection_state["kept"] == svm.report.selection["step"]
    # the kept machine is that of its candidate, the last one that of the last candidate
    only = trained("svm", loaded, split, tmp_path, candidates=[kept_candidate(svm, SVM)])
    for name, values in svm.weights().items():
        np.testing.assert_array_equal(values, only.report.last_weights[name])
    assert svm.report.last_weights["support_"].shape != svm.weights()["support_"].shape


# how they run


def test_a_run_leaves_what_a_paper_leaves(tmp_path, scene, capsys):
    method = "svm"
    split = common_split(scene, 1)
    outcome = reproduce(METHODS[method], request(tmp_path))
    folder, record = outcome.directory, outcome.record
    assert folder == tmp_path / method / "synthetic" / "disjoint" / "seed-1"
    assert read_record(folder / "run.json") == record
    assert {"run.json", "prediction.npy", "split.npz", "map.png", "errors.png"} <= set(os.listdir(str(folder)))
    assert (
        record["split"]["test"]["sha256"] == index_hash(split.test) == index_hash(load_split(folder / "split.npz").test)
    )
    assert record["environment"]["framework"] == "scikit-learn" and record["modified"] == []
    prediction = np.load(str(folder / "prediction.npy"))
    truth = scene.ground_truth.ravel()
    assert record["metrics"]["oa"] == pytest.approx(np.mean(prediction.ravel()[split.test] == truth[split.test]))
    assert record["decisions"] == configured(method).described and record["config"] == configured(method).settings
    assert record["metrics"]["kappa"] > 0.3
    assert [(entry["reason"], entry["while"]) for entry in record["truth_opened"]] == [
        ("final evaluation", "evaluation")
    ]
    validate_record(dict(record, maps=maps_of(prediction, split, scene.ground_truth)))
    assert reproduce(METHODS[method], request(tmp_path)).record == record
    assert "is finished already" in capsys.readouterr().out


@pytest.mark.parametrize("method", EVERY)
def test_the_same_seed_gives_the_same_bits(loaded, split, tmp_path, fitted_once, method):
    one, again = fitted_once(method), trained(method, loaded, split, tmp_path)
    assert one.report.selection == again.report.selection
    assert weights_sha256(one.weights()) == weights_sha256(again.weights())


def test_the_decisions_state_features_grid_standardisation_and_split():
    svm, place, forest = (configured(slug).described for slug in ("svm", "1nn-position", "rf-5x5"))
    assert svm["split"] == "disjoint" and svm["standardisation"] == svm["fitted_on"] == "train"
    assert svm["features"] == "spectrum" and svm["grid"] == {
        "C": [1, 10, 100, 1000],
        "gamma_features": [0.01, 0.1, 1, 10],
    }
    assert place["features"] == "row and column" and place["standardisation"] == "none" and "grid" not in place
    assert forest["features"] == "mean spectrum of 5x5 pixels" and forest["trees"] == 5


def test_a_signal_stops_the_search(loaded, split, tmp_path, monkeypatch):
    fitted = []

    def fit_and_signal(features, classes, parameters, seed):
        fitted.append(parameters)
        if len(fitted) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return KNeighborsClassifier(1).fit(features, classes)

    monkeypatch.setitem(BASELINES, "svm", BASELINES["svm"]._replace(classifier=SVM._replace(fit=fit_and_signal)))
    assert trained("svm", loaded, split, tmp_path) is None
    assert fitted == list(SVM.candidates[:3])


@pytest.mark.parametrize("method", EVERY)
def test_a_saved_baseline_predicts_the_same_on_this_scene_and_on_another(loaded, tmp_path, fitted_once, method):
    fitted = fitted_once(method)
    fitted.save(tmp_path / "selected.npz")
    again = METHODS[method].load(tmp_path / "selected.npz")
    other = loaded._replace(cube=loaded.cube[::-1, ::2] * 1.5).image
    for image in (loaded.image, other):
        pixels = np.arange(0, image.shape[0] * image.shape[1], 11)
        np.testing.assert_array_equal(again.classify(image, pixels), fitted.classify(image, pixels))
    for name, values in fitted.weights().items():
        np.testing.assert_array_equal(again.weights()[name], values)
    with pytest.raises(CheckpointError, match="is a model of the paper %s" % method):
        METHODS["svm" if method == "1nn" else "1nn"].load(tmp_path / "selected.npz")


@pytest.mark.parametrize(
    "name, value, complaint",
    [
        ("parameters", {"trees": 10**9}, "none of the baseline's candidates"),
        ("parameters", "trees", "none of the baseline's candidates"),
        ("seed", -1, "no seed"),
        ("seed", 1.5, "no seed"),
        ("classes", np.array([200] * 4, np.uint8), "'classes'"),
        ("classes", np.array(["a"] * 4), "'classes'"),
        ("features", np.zeros((4, 3)), "'features' has the shape"),
        ("features", np.full((4, 64), np.nan), "finite"),
    ],
)
def test_a_damaged_file_is_refused(loaded, split, tmp_path, name, value, complaint):
    path = tmp_path / "selected.npz"
    trained("rf", loaded, split, tmp_path).save(path)
    content = npz_checkpoint.read(path)
    if name != "features" or value.shape[1] == 64:
        content["weights"].update(features=np.zeros((4, 64)), classes=np.array([1, 2, 1, 2], np.uint8))
    content["weights"][name] = value
    npz_checkpoint.write(path, content)
    with pytest.raises(CheckpointError, match=complaint):
        METHODS["rf"].load(path)


def test_requests_that_no_baseline_can_meet(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown protocol 'paper'; there are: spatial-cv, "):
        reproduce(METHODS["svm"], request(tmp_path, protocol="paper"))
    with pytest.raises(UnknownNameError, match="no scene named 'mars'"):
        reproduce(METHODS["svm"], request(tmp_path, experiment="mars"))
    for change in ({"overrides": ("a=1",)}, {"iterations": 3}):
        with pytest.raises(SettingsError, match="takes neither --set nor --iters"):
            reproduce(METHODS["1nn"], request(tmp_path, **change))
        with pytest.raises(SettingsError, match="takes neither --set nor --iters"):
            reproduce(on_pixels_of(toy_method.METHOD, "1nn"), request(tmp_path, protocol="ssdgl-paper", **change))
    assert not list(tmp_path.iterdir())


# on a paper's pixels


def test_a_baseline_runs_on_the_pixels_of_a_papers_protocol(tmp_path):
    method = "1nn-position"
    asked = request(tmp_path, protocol="ssdgl-released", seed=8)
    outcome = reproduce(on_pixels_of(toy_method.METHOD, method), asked)
    paper = reproduce(toy_method.METHOD, asked._replace(protocol="released"))
    assert outcome.directory == tmp_path / method / "synthetic" / "ssdgl-released" / "seed-8"
    assert outcome.record["split"] == paper.record["split"] and outcome.record["split"]["val"]["size"] == 0
    assert outcome.record["protocol"] == outcome.record["decisions"]["split"] == "ssdgl-released"
    assert outcome.record["config"]["split"] == toy_method.SETTINGS and outcome.record["modified"] == []
    assert read_record(outcome.directory / "run.json") == outcome.record


def test_another_configuration_of_the_paper_is_another_run(tmp_path):
    asked = request(tmp_path, protocol="ssdgl-paper", settings_alone=True)

    def settings(**changes):
        def resolve(request, labelled=True):
            return toy_method.resolve(request, labelled, settings=dict(toy_method.SETTINGS, **changes))

        return reproduce(on_pixels_of(toy_method.METHOD._replace(resolve=resolve), "1nn"), asked).settings

    assert settings() == settings() != settings(ratio=0.5)


def test_the_papers_derived_values_are_said_by_run_and_audit(tmp_path, capsys):
    def resolve(request, labelled=True):
        configuration, loaded = toy_method.resolve(request, labelled)
        return configuration._replace(derived=(Derived("split.ratio", 0.05, "60 labelled pixels"),)), loaded

    method = on_pixels_of(toy_method.METHOD._replace(resolve=resolve), "1nn-position")
    asked = request(tmp_path, protocol="ssdgl-released")
    for run in (audit_run, reproduce):
        run(method, asked)
        said = "generic configuration for synthetic: split.ratio = 0.05 (60 labelled pixels)"
        assert capsys.readouterr().out.splitlines()[0] == said


def test_a_paper_that_discloses_test_labels_does_not_disclose_them_to_a_baseline(tmp_path):
    def resolve(request, labelled=True):
        return toy_method.resolve(request, labelled, discloses=True)

    method = on_pixels_of(toy_method.METHOD._replace(resolve=resolve), "1nn")
    assert not method.resolve(request(tmp_path, protocol="ssdgl-released"))[0].discloses


@pytest.mark.stack_independent
@pytest.mark.slow
@pytest.mark.skipif("HSI_DATA" not in os.environ, reason="HSI_DATA names no folder with scene files")
@pytest.mark.parametrize("method", SPECTRAL)
def test_indian_pines(tmp_path, method):
    record = reproduce(METHODS[method], request(tmp_path, experiment="indianpines", unverified=True)).record
    # spectra alone, far from the training fields: well above the share of the largest class, far from solved
    largest = max(record["split"]["test"]["per_class"]) / record["split"]["test"]["size"]
    assert largest < record["metrics"]["oa"] < 0.75


# probabilities


@pytest.mark.parametrize("slug", ["rf", "lr"])
def test_probabilities_are_those_of_the_estimator_for_the_classes_it_knows(slug, loaded, fitted_once):
    fitted = fitted_once(slug)
    found = fitted.predict_probabilities(loaded.image)
    classes = fitted.predict(loaded.image)
    assert found.shape == (48, 48, 9) and found.dtype == np.float16
    known = fitted.estimator.classes_ - 1
    assert len(known) == 8 and not np.delete(found, known, axis=2).any()
    expected = fitted.estimator.predict_proba(inputs(fitted.model, loaded.image, np.arange(48 * 48)))
    np.testing.assert_allclose(found[..., known].reshape(-1, 8), expected, atol=2.0**-10)
    np.testing.assert_array_equal(found.argmax(axis=2) + 1, classes)


@pytest.mark.parametrize("slug", ["svm", "1nn", "1nn-position"])
def test_a_baseline_without_probabilities_says_which_have_them(slug, loaded, fitted_once):
    with pytest.raises(SettingsError, match="%s knows no probabilities, .*; .* take one of: rf, lr, rf-5x5" % slug):
        fitted_once(slug).predict_probabilities(loaded.image)
