"""Streamed, cached Gabor features against the same principal components computed with everything in memory."""

import tracemalloc

import numpy as np
import pytest

from apdclnn import gabor_features as module
from apdclnn.gabor import bank, response
from apdclnn.gabor_features import features_and_fit, gabor_features, memory_bound_bytes

FREQUENCIES = (1 / 2, 1 / 4)


def scene(height=9, width=8, bands=6, seed=5):
    return np.random.RandomState(seed).rand(height, width, bands).astype(np.float32)


def principal_components(cube, frequencies, components, sample):
    """Whitened components of all responses held at once, by the exact decomposition in float64."""
    responses = [response(cube, filter).reshape(-1, cube.shape[2]) for filter in bank(frequencies)]
    responses = np.concatenate(responses, axis=1).astype(np.float64)
    mean = responses[sample].mean(axis=0)
    _, values, vectors = np.linalg.svd(responses[sample] - mean, full_matrices=False)
    weights = vectors[:components] / (values[:components, None] / np.sqrt(len(sample) - 1))
    weights *= np.sign(weights[np.arange(components), np.abs(weights).argmax(axis=1)])[:, None]
    return ((responses - mean) @ weights.T).reshape(cube.shape[:2] + (components,))


@pytest.fixture
def computations(monkeypatch):
    """How often the features were computed and not read."""
    calls = []
    compute = module._compute
    monkeypatch.setattr(module, "_compute", lambda *args: calls.append(1) or compute(*args))
    return calls


def test_a_small_scene_is_its_own_sample(tmp_path):
    cube = scene()
    features = gabor_features(cube, FREQUENCIES, 5, tmp_path)
    assert features.shape == (9, 8, 5) and features.dtype == np.float32
    np.testing.assert_allclose(features, principal_components(cube, FREQUENCIES, 5, np.arange(72)), atol=2e-4)
    flat = features.reshape(-1, 5).astype(np.float64)
    np.testing.assert_allclose(np.cov(flat.T), np.eye(5), atol=1e-4)


def test_streamed_components_are_those_of_all_responses(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_PIXELS", 40)
    cube = scene(12, 10)
    expected = principal_components(cube, FREQUENCIES, 5, module._sampled(np.arange(120)))
    np.testing.assert_allclose(gabor_features(cube, FREQUENCIES, 5, tmp_path), expected, atol=5e-4)


def test_components_fitted_on_chosen_pixels_do_not_depend_on_the_others(tmp_path):
    cube, fitted = scene(12, 30), np.arange(40)  # the first row and a third of the second
    features = gabor_features(cube, FREQUENCIES, 5, tmp_path, fitted=fitted)
    np.testing.assert_allclose(features, principal_components(cube, FREQUENCIES, 5, fitted), atol=5e-4)
    flat = features.reshape(-1, 5)[fitted].astype(np.float64)
    np.testing.assert_allclose(np.cov(flat.T), np.eye(5), atol=1e-3)
    assert not np.array_equal(features, gabor_features(cube, FREQUENCIES, 5, tmp_path))


@pytest.mark.parametrize("sample", [40, 4096])
@pytest.mark.parametrize("fitted", [None, np.arange(30, 70)])
def test_a_fit_applied_to_its_own_scene_gives_the_same_bits_and_to_another_its_components(
    tmp_path, monkeypatch, sample, fitted
):
    monkeypatch.setattr(module, "SAMPLE_PIXELS", sample)
    cube, other = scene(12, 10), scene(15, 7, seed=6)
    features, fit = features_and_fit(cube, FREQUENCIES, 5, tmp_path, fitted=fitted)
    again, same = features_and_fit(cube, FREQUENCIES, 5, tmp_path, fit=fit)
    np.testing.assert_array_equal(again, features)
    assert all(np.array_equal(one, two) for one, two in zip(same, fit))
    responses = np.concatenate([response(other, one).reshape(105, 6) for one in bank(FREQUENCIES)], axis=1)
    found = gabor_features(other, FREQUENCIES, 5, tmp_path, fit=fit)
    np.testing.assert_allclose(found.reshape(105, 5), (responses - fit.mean) @ fit.weights, atol=5e-4)
    assert not np.allclose(found, gabor_features(other, FREQUENCIES, 5, tmp_path), atol=0.1)
    with pytest.raises(ValueError, match="The fit is of"):
        gabor_features(other, (1 / 2,), 5, tmp_path, fit=fit)


def test_sample_is_fixed_spread_and_without_repeats():
    chosen = module._sampled(np.arange(145 * 145))
    assert len(chosen) == 4096 == len(set(chosen)) and chosen.max() < 145 * 145
    np.testing.assert_array_equal(chosen, module._sampled(np.arange(145 * 145)))
    assert (np.diff(chosen) > 0).all()
    assert len(np.unique(chosen // 145)) == 145 == len(np.unique(chosen % 145))
    np.testing.assert_array_equal(module._sampled(np.arange(4096)), np.arange(4096))


def test_memory_order_and_precision_of_the_cube_do_not_matter(tmp_path, computations):
    cube = scene()
    features = gabor_features(cube, FREQUENCIES, 3, tmp_path)
    again = gabor_features(np.asfortranarray(cube, np.float64), FREQUENCIES, 3, tmp_path)
    np.testing.assert_array_equal(again, features)
    assert len(computations) == 1


def test_cache_hit_does_not_compute(tmp_path, computations):
    folder = tmp_path / "new" / "cache"
    features = gabor_features(scene(), FREQUENCIES, 3, folder)
    again = gabor_features(scene(), FREQUENCIES, 3, folder)
    assert len(computations) == 1
    np.testing.assert_array_equal(again, features)
    (path,) = folder.iterdir()
    assert path.name.startswith("gabor-") and len(path.name) == len("gabor-.npy") + 16
    np.testing.assert_array_equal(np.load(str(path), allow_pickle=False), features)


def test_nothing_is_kept_without_a_folder(tmp_path, computations, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = gabor_features(scene(), FREQUENCIES, 3, tmp_path / "cache")
    for _ in range(2):
        np.testing.assert_array_equal(gabor_features(scene(), FREQUENCIES, 3, None), expected)
    assert len(computations) == 3 and [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_every_input_counts_for_the_cache(tmp_path, computations, monkeypatch):
    cube = scene()
    changed = cube.copy()
    changed[3, 2, 1] += 1e-6
    gabor_features(cube, FREQUENCIES, 3, tmp_path)
    gabor_features(changed, FREQUENCIES, 3, tmp_path)
    gabor_features(cube.reshape(8, 9, 6), FREQUENCIES, 3, tmp_path)
    gabor_features(cube, (1 / 2, 1 / 8), 3, tmp_path)
    gabor_features(cube, FREQUENCIES, 4, tmp_path)
    gabor_features(cube, FREQUENCIES, 3, tmp_path, sigma_wavelengths=0.6)
    monkeypatch.setattr(module, "SAMPLE_PIXELS", 30)
    gabor_features(cube, FREQUENCIES, 3, tmp_path)
    assert len(computations) == 7 == len(list(tmp_path.iterdir()))


def cut(content):
    return content[: len(content) // 2]


def one_bit_flipped(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [cut, one_bit_flipped, lambda content: b"", lambda content: b"text"])
def test_damaged_cache_is_computed_anew(tmp_path, computations, damage):
    features = gabor_features(scene(), FREQUENCIES, 3, tmp_path)
    (path,) = tmp_path.iterdir()
    intact = path.read_bytes()
    path.write_bytes(damage(intact))
    np.testing.assert_allclose(gabor_features(scene(), FREQUENCIES, 3, tmp_path), features, atol=1e-5)
    assert len(computations) == 2
    gabor_features(scene(), FREQUENCIES, 3, tmp_path)
    assert len(computations) == 2


@pytest.mark.parametrize("other", [np.zeros((9, 8, 4), np.float32), np.zeros((9, 8, 3), np.float64)])
def test_cache_of_another_shape_or_type_is_computed_anew(tmp_path, computations, other):
    features = gabor_features(scene(), FREQUENCIES, 3, tmp_path)
    (path,) = tmp_path.iterdir()
    _, fit = module.features_and_fit(scene(), FREQUENCIES, 3, tmp_path)
    module._write(path, other, fit)
    np.testing.assert_allclose(gabor_features(scene(), FREQUENCIES, 3, tmp_path), features, atol=1e-5)
    assert len(computations) == 2


def test_failed_computation_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(module.np, "save", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gabor_features(scene(), FREQUENCIES, 3, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_the_filters_of_both_passes(tmp_path, monkeypatch):
    seen = []
    gabor_features(scene(), FREQUENCIES, 3, tmp_path, progress=lambda *counted: seen.append(counted))
    assert seen == [(done, 26) for done in range(1, 27)]
    seen.clear()
    monkeypatch.setattr(module, "SAMPLE_PIXELS", 40)
    gabor_features(scene(), FREQUENCIES, 3, tmp_path, progress=lambda *counted: seen.append(counted))
    assert seen == [(done, 52) for done in range(1, 53)]


def test_one_line_where_stderr_is_a_file(tmp_path, capfd):
    gabor_features(scene(), FREQUENCIES, 3, tmp_path)
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("Gabor filters: step 26 of 26, ")


@pytest.mark.parametrize("shape, sample", [((120, 110, 40), 200), ((60, 60, 10), 4096)])
def test_memory_stays_under_the_bound(tmp_path, monkeypatch, shape, sample):
    monkeypatch.setattr(module, "SAMPLE_PIXELS", sample)
    cube = scene(*shape)
    tracemalloc.start()
    try:
        gabor_features(cube, FREQUENCIES, 20, tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert cube.nbytes < peak < memory_bound_bytes(shape, 26)


@pytest.mark.parametrize("shape", [(145, 145, 200), (610, 340, 103), (512, 217, 204)])
def test_bound_is_below_all_responses(shape):
    assert memory_bound_bytes(shape, 52) < 4 * 52 * shape[0] * shape[1] * shape[2]


@pytest.mark.parametrize("components", [0, 73, 13 * 6 * 2 + 1])
def test_refuses_components(tmp_path, components):
    with pytest.raises(ValueError, match="Gabor components: expected"):
        gabor_features(scene(), FREQUENCIES, components, tmp_path)


def test_refuses_more_components_than_responses(tmp_path):
    with pytest.raises(ValueError, match="13 responses"):
        gabor_features(scene(20, 20, 1), (1 / 2,), 14, tmp_path)


@pytest.mark.parametrize("value", [0.0, 0.7, 1000.0])
def test_refuses_a_cube_without_variation(tmp_path, value):
    with pytest.raises(ValueError, match="vary in 0 components"):
        gabor_features(np.full((9, 8, 6), value), FREQUENCIES, 3, tmp_path)


def test_refuses_as_many_components_as_pixels(tmp_path):
    """Their mean removed, n pixels vary in n − 1 directions."""
    with pytest.raises(ValueError, match="vary in 11 components"):
        gabor_features(scene(4, 3, 6), FREQUENCIES, 12, tmp_path)
    assert np.isfinite(gabor_features(scene(4, 3, 6), FREQUENCIES, 11, tmp_path)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_values_that_are_not_finite(tmp_path, value):
    cube = scene()
    cube[4, 4, 4] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        gabor_features(cube, FREQUENCIES, 3, tmp_path)


@pytest.mark.parametrize("shape", [(72, 6), (9, 0, 6)])
def test_refuses_a_cube_without_three_axes(tmp_path, shape):
    with pytest.raises(ValueError, match="height, width, bands"):
        gabor_features(np.zeros(shape, np.float32), FREQUENCIES, 3, tmp_path)


@pytest.mark.parametrize("frequencies", [(), (0.6,), (0,)])
def test_refuses_frequencies(tmp_path, frequencies):
    with pytest.raises(ValueError, match="Gabor frequenc"):
        gabor_features(scene(), frequencies, 3, tmp_path)
    assert list(tmp_path.iterdir()) == []


def mapped(cube, folder):
    np.save(str(folder / "cube.npy"), cube)
    return np.load(str(folder / "cube.npy"), mmap_mode="r")


@pytest.mark.parametrize("sample", [40, 4096])
def test_a_mapped_scene_of_one_slab_gives_the_same_bits(tmp_path, monkeypatch, sample):
    monkeypatch.setattr(module, "SAMPLE_PIXELS", sample)
    cube = scene(12, 10)
    features = gabor_features(mapped(cube, tmp_path), FREQUENCIES, 5, tmp_path / "of the mapped")
    np.testing.assert_array_equal(features, gabor_features(cube, FREQUENCIES, 5, tmp_path / "in memory"))


@pytest.mark.parametrize("rows_bytes", [1, 20 * 10 * 6 * 4])
@pytest.mark.parametrize("fitted", [None, np.arange(100)])
def test_a_mapped_scene_is_filtered_in_slabs_of_rows(tmp_path, monkeypatch, rows_bytes, fitted):
    """The last bits of a response may depend on its place in what OpenCV is given at a time."""
    monkeypatch.setattr(module, "SAMPLE_PIXELS", 200)
    monkeypatch.setattr(module, "_ROWS_BYTES", rows_bytes)
    cube = scene(70, 10)
    rows = module._MappedRows(cube, 7)
    assert len(rows) == len(list(rows)) > 3
    seen = []
    features = gabor_features(
        mapped(cube, tmp_path), FREQUENCIES, 5, tmp_path / "of the mapped", fitted=fitted,
        progress=lambda *counted: seen.append(counted),
    )  # fmt: skip
    assert isinstance(features, np.memmap) and seen[-1][0] == seen[-1][1] == len(seen) and len(seen) % 52 == 0
    expected = gabor_features(cube, FREQUENCIES, 5, tmp_path / "in memory", fitted=fitted)
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_cached_features_of_a_mapped_scene_stay_in_their_file(tmp_path, computations):
    cube = scene()
    features = gabor_features(cube, FREQUENCIES, 5, tmp_path / "cache")
    again = gabor_features(mapped(cube, tmp_path), FREQUENCIES, 5, tmp_path / "cache")
    assert len(computations) == 1 and isinstance(again, np.memmap)
    np.testing.assert_array_equal(again, features)


def test_refuses_values_of_a_mapped_scene_that_are_not_finite(tmp_path):
    cube = scene()
    cube[8, 7, 5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        gabor_features(mapped(cube, tmp_path), FREQUENCIES, 3, tmp_path)


def test_refuses_a_width(tmp_path):
    with pytest.raises(ValueError, match="sigma_wavelengths"):
        gabor_features(scene(), FREQUENCIES, 3, tmp_path, sigma_wavelengths=0)
