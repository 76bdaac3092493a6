"""Standardised principal components against numpy's singular values and scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip

from shared_data.preprocessing import principal_components as whitening
from shared_data.preprocessing.principal_components import fit, whiten
from shared_data.scenes.loading import load_scene


@pytest.fixture(scope="module")
def cube():
    random = np.random.RandomState(0)
    mixing = random.standard_normal((12, 12)) * np.geomspace(1, 1000, 12)
    return (random.standard_normal((40, 30, 12)).dot(mixing) + 500).astype(np.float32)


def direct(cube, pixels=None, components=None):
    """Singular value decomposition of all spectra at once, then standardisation, in float64."""
    spectra = cube.reshape(-1, cube.shape[2]).astype(np.float64)
    fitted = spectra if pixels is None else spectra[pixels]
    axes = np.linalg.svd(fitted - fitted.mean(axis=0), full_matrices=False)[2][:components]
    scores = (spectra - fitted.mean(axis=0)).dot(axes.T)
    reference = scores if pixels is None else scores[pixels]
    return ((scores - reference.mean(axis=0)) / reference.std(axis=0)).reshape(*cube.shape[:2], -1)


def same_up_to_sign(ours, reference, tolerance):
    signs = np.sign((ours * reference).sum(axis=(0, 1)))
    return np.abs(ours - signs * reference).max() < tolerance


@pytest.mark.parametrize("components", [None, 5, 1])
def test_the_whole_scene(cube, components):
    ours = whiten(cube, components=components)
    assert ours.dtype == np.float32 and ours.flags.c_contiguous
    assert ours.shape == (40, 30, components or 12)
    assert same_up_to_sign(ours, direct(cube, None, components), 1e-4)


def test_training_pixels_alone(cube):
    pixels = np.random.RandomState(1).permutation(1200)[:100]
    ours = whiten(cube, pixels)
    assert same_up_to_sign(ours, direct(cube, pixels), 1e-4)
    fitted = ours.reshape(1200, -1)[pixels]
    assert np.abs(fitted.mean(axis=0)).max() < 1e-4
    assert np.abs(fitted.std(axis=0) - 1).max() < 1e-4
    assert np.abs(ours - whiten(cube)).max() > 0.1


def test_other_pixels_do_not_enter_the_fit(cube):
    pixels = np.arange(300)
    changed = cube.copy()
    changed.reshape(1200, -1)[300:] *= 7
    assert np.array_equal(whiten(cube, pixels).reshape(1200, -1)[:300], whiten(changed, pixels).reshape(1200, -1)[:300])


def test_the_generated_scene_equals_scikit_learn():
    cube = load_scene("synthetic").cube
    spectra = cube.reshape(-1, cube.shape[2]).astype(np.float64)
    scores = PCA(svd_solver="full").fit_transform(spectra)
    reference = (scores / scores.std(axis=0)).reshape(cube.shape)
    assert same_up_to_sign(whiten(cube), reference, 1e-3)


def test_all_components_are_a_rotation_and_a_scaling(cube):
    fitted = fit(cube)
    back = whiten(cube).astype(np.float64).dot(np.linalg.inv(fitted.axes)) + fitted.mean
    assert np.abs(back - cube).max() < 1e-2


def test_components_without_variance_are_zero(cube):
    doubled = np.concatenate([cube, cube[..., :3]], axis=2)
    ours = whiten(doubled)
    assert np.isfinite(ours).all()
    assert np.array_equal(ours[..., 12:], np.zeros((40, 30, 3), np.float32))
    few = whiten(cube, np.arange(6))
    assert np.isfinite(few).all() and not few[..., 5:].any() and few[..., :5].std() > 0.1


def test_signs_do_not_depend_on_the_order_of_the_pixels(cube):
    shuffled = np.random.RandomState(2).permutation(1200)
    assert np.allclose(fit(cube, shuffled).axes, fit(cube).axes, rtol=1e-6, atol=1e-9)


@pytest.fixture
def mapped(cube, tmp_path):
    np.save(str(tmp_path / "cube.npy"), cube)
    return np.load(str(tmp_path / "cube.npy"), mmap_mode="r")


@pytest.mark.parametrize("chunk", [7, 500, 16384])
@pytest.mark.parametrize("components", [None, 5])
def test_the_whole_of_a_mapped_scene(cube, mapped, monkeypatch, chunk, components):
    """Measured: axes differ by 2e-13 of the largest, components by 2.4e-7 at magnitudes up to 6."""
    expected, by_one = fit(cube, components=components), whiten(cube, components=components)
    monkeypatch.setattr(whitening, "_CHUNK", chunk)
    found = fit(mapped, components=components)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-13)
    np.testing.assert_allclose(found.axes, expected.axes, atol=1e-11 * np.abs(expected.axes).max())
    ours = whiten(mapped, components=components)
    assert isinstance(ours, np.memmap) and ours.dtype == np.float32 and ours.shape == by_one.shape
    np.testing.assert_allclose(ours, by_one, rtol=1e-6, atol=1e-6)


def test_training_pixels_of_a_mapped_scene_give_the_same_bits(cube, mapped):
    pixels = np.random.RandomState(1).permutation(1200)[:100]
    ours = whiten(mapped, pixels)
    assert isinstance(ours, np.memmap) and np.array_equal(ours, whiten(cube, pixels))


def test_components_of_a_mapped_scene_without_variance_are_zero(cube, tmp_path):
    np.save(str(tmp_path / "doubled.npy"), np.concatenate([cube, cube[..., :3]], axis=2))
    ours = whiten(np.load(str(tmp_path / "doubled.npy"), mmap_mode="r"))
    assert np.isfinite(ours).all() and not ours[..., 12:].any() and ours[..., :12].any()
    np.save(str(tmp_path / "small.npy"), cube[:2, :3])
    few = whiten(np.load(str(tmp_path / "small.npy"), mmap_mode="r"))
    assert np.isfinite(few).all() and not few[..., 5:].any() and few[..., :5].std() > 0.1


@pytest.fixture(scope="module")
def low_rank():
    """Five strong components in 40 bands above a weak noise: what the randomised decomposition is made for."""
    random = np.random.RandomState(3)
    strong = (random.standard_normal((50, 30, 5)) * [90, 50, 30, 15, 8]).dot(np.linalg.qr(random.randn(40, 5))[0].T)
    return (strong + 0.01 * random.standard_normal((50, 30, 40)) + 200).astype(np.float32)


def test_the_randomised_decomposition_finds_the_components_of_the_full_one(low_rank):
    ours = whiten(low_rank, components=5, seed=1331)
    assert ours.shape == (50, 30, 5) and ours.dtype == np.float32
    assert same_up_to_sign(ours, direct(low_rank, None, 5), 1e-4)
    scores = ours.reshape(-1, 5).astype(np.float64)
    assert np.abs(scores.mean(axis=0)).max() < 1e-5 and np.abs(scores.std(axis=0) - 1).max() < 1e-5


def test_the_randomised_decomposition_is_scikit_learns(low_rank):
    """In the noise the axes depend on the draw, so these are the same random numbers."""
    pixels = np.random.RandomState(4).permutation(1500)[:400]
    for chosen in (None, pixels):
        spectra = low_rank.reshape(-1, 40).astype(np.float64)
        spectra = spectra if chosen is None else spectra[chosen]
        expected = PCA(8, svd_solver="randomized", random_state=np.random.RandomState(7)).fit(spectra).components_
        axes = fit(low_rank, chosen, 8, seed=7).axes
        cosines = (axes / np.linalg.norm(axes, axis=0) * expected.T).sum(axis=0)
        assert np.allclose(np.abs(cosines), 1, atol=1e-9)


def test_the_randomised_decomposition_depends_on_its_seed_alone(low_rank):
    first = fit(low_rank, components=8, seed=7).axes
    np.random.seed(0)
    np.random.standard_normal(5)
    assert np.array_equal(first, fit(low_rank, components=8, seed=7).axes)
    other = fit(low_rank, components=8, seed=8).axes
    assert np.allclose(first[:, :5], other[:, :5], rtol=1e-4, atol=1e-6)
    assert not np.allclose(first[:, 7], other[:, 7], rtol=0.1)
    assert not np.array_equal(first[:, 7], fit(low_rank, components=8).axes[:, 7])


def test_the_randomised_decomposition_of_a_mapped_scene(low_rank, tmp_path, monkeypatch):
    np.save(str(tmp_path / "cube.npy"), low_rank)
    expected = fit(low_rank, components=8, seed=7)
    monkeypatch.setattr(whitening, "_CHUNK", 500)
    found = fit(np.load(str(tmp_path / "cube.npy"), mmap_mode="r"), components=8, seed=7)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(found.axes, expected.axes, atol=1e-8 * np.abs(expected.axes).max())


def signed_by_scores(cube, fitted=None, components=None):
    """The first principal axes (C, B), signed by the left factor, as scikit-learn before 1.5 signs them."""
    spectra = cube.reshape(-1, cube.shape[2]).astype(np.float64)
    spectra = spectra if fitted is None else spectra[fitted]
    left, _, axes = np.linalg.svd(spectra - spectra.mean(axis=0), full_matrices=False)
    return svd_flip(left, axes, u_based_decision=True)[1][:components]


def directions(fitted):
    """(C, B) axes of length 1."""
    return (fitted.axes / np.linalg.norm(fitted.axes, axis=0)).T


@pytest.mark.parametrize("pixels", [None, np.random.RandomState(1).permutation(1200)[:100]])
def test_signs_by_scores(cube, pixels):
    expected = signed_by_scores(cube, pixels)
    ours = fit(cube, pixels, signs="scores")
    np.testing.assert_allclose(directions(ours), expected, atol=1e-9)
    by_axes = fit(cube, pixels)
    opposite = (by_axes.axes * ours.axes).sum(axis=0) < 0
    assert 0 < opposite.sum() < 12  # both conventions differ on this scene
    assert np.array_equal(by_axes.axes * np.where(opposite, -1, 1), ours.axes)


def test_signs_by_scores_of_valid_pixels_alone(cube):
    valid = np.random.RandomState(5).uniform(size=(40, 30)) < 0.5
    found = directions(fit(cube, valid=valid, signs="scores"))
    np.testing.assert_allclose(found, signed_by_scores(cube, np.flatnonzero(valid)), atol=1e-9)


@pytest.mark.parametrize("chunk", [7, 500])
def test_signs_by_scores_of_a_mapped_scene(cube, mapped, monkeypatch, chunk):
    monkeypatch.setattr(whitening, "_CHUNK", chunk)
    found = directions(fit(mapped, components=5, signs="scores"))
    np.testing.assert_allclose(found, signed_by_scores(cube, None, 5), atol=1e-9)


def test_signs_by_scores_of_the_randomised_decomposition(low_rank):
    found = directions(fit(low_rank, components=5, seed=7, signs="scores"))
    np.testing.assert_allclose(found, signed_by_scores(low_rank, None, 5), atol=1e-5)
    assert (found * directions(fit(low_rank, components=5, seed=7))).sum(axis=1).min() < 0


def test_impossible_requests_are_refused(cube):
    with pytest.raises(ValueError, match="a scene of 12 bands has 1 to 12 components, not 13"):
        fit(cube, components=13)
    with pytest.raises(ValueError, match="need at least two pixels, not 1"):
        fit(cube, np.array([5]))
    with pytest.raises(ValueError, match="unknown signs 'pixels'; there are: axes, scores"):
        fit(cube, signs="pixels")
