"""The Gabor bank against a convolution written out in three dimensions, in float64."""

import math

import numpy as np
import pytest

from apdclnn.gabor import SIGMA_WAVELENGTHS, Filter, bank, filter_space, kernels, response

FREQUENCIES = (1 / 2, 1 / 4, 1 / 8, 1 / 16)
BANK = bank(FREQUENCIES)


def literal_kernel(filter, sigma_wavelengths):
    """R8 equation by equation, on the axes (y, x, b)."""
    f, theta, phi = filter
    u, v, w = f * math.sin(phi) * math.cos(theta), f * math.sin(phi) * math.sin(theta), f * math.cos(phi)
    sigma = sigma_wavelengths / f
    radius = math.ceil(3 * sigma)
    y, x, b = np.mgrid[-radius : radius + 1, -radius : radius + 1, -radius : radius + 1]
    envelope = np.exp(-(x**2 + y**2 + b**2) / (2 * sigma**2))
    return np.exp(2j * math.pi * (x * u + y * v + b * w)) * envelope / envelope.sum()


def mirrored(index, length):
    """Where an index outside of the axis falls when the axis is mirrored at its outermost values."""
    while length > 1 and not 0 <= index < length:
        index = -index if index < 0 else 2 * (length - 1) - index
    return index if length > 1 else 0


def literal_response(cube, filter, sigma_wavelengths=SIGMA_WAVELENGTHS):
    """|Σ kernel(dy, dx, db) · cube(y − dy, x − dx, b − db)| at every place of the cube."""
    kernel = literal_kernel(filter, sigma_wavelengths)
    radius = len(kernel) // 2
    padded = cube.astype(np.float64)
    for axis, length in enumerate(cube.shape):
        places = [mirrored(index, length) for index in range(-radius, length + radius)]
        padded = np.take(padded, places, axis=axis)
    flipped = kernel[::-1, ::-1, ::-1]
    out = np.empty(cube.shape)
    for y, x, b in np.ndindex(*cube.shape):
        window = padded[y : y + len(kernel), x : x + len(kernel), b : b + len(kernel)]
        out[y, x, b] = abs(np.sum(flipped * window))
    return out


def random_cube(*shape):
    return np.random.RandomState(3).rand(*shape).astype(np.float32)


def assert_close(found, expected):
    assert found.dtype == np.float32 and found.shape == expected.shape
    # the second term is float32 rounding of inputs near 1: slow waves nearly cancel on a cube smaller than they are
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.max() + 3e-8)


@pytest.mark.parametrize("filter", BANK, ids=lambda filter: "1/%d,%.2f,%.2f" % (1 / filter[0], filter[1], filter[2]))
def test_response_is_the_3d_convolution(filter):
    cube = random_cube(6, 5, 4)
    assert_close(response(cube, filter), literal_response(cube, filter))


@pytest.mark.parametrize("filter", BANK[:13] + [BANK[20]], ids=str)
def test_response_inside_a_cube_larger_than_the_kernel(filter):
    cube = random_cube(11, 19, 10)
    assert_close(response(cube, filter), literal_response(cube, filter))


@pytest.mark.parametrize("shape", [(1, 7, 5), (7, 1, 5), (7, 5, 1), (1, 1, 1), (2, 3, 2)])
@pytest.mark.parametrize("filter", [BANK[5], BANK[-9]], ids=str)
def test_response_on_axes_much_shorter_than_the_kernel(shape, filter):
    cube = random_cube(*shape)
    assert_close(response(cube, filter), literal_response(cube, filter))


@pytest.mark.parametrize("sigma_wavelengths", [0.3, 0.9])
def test_response_follows_the_width_of_the_envelope(sigma_wavelengths):
    cube = random_cube(6, 5, 7)
    found = response(cube, BANK[17], sigma_wavelengths)
    assert_close(found, literal_response(cube, BANK[17], sigma_wavelengths))


def test_response_over_several_slabs_of_pixels(monkeypatch):
    cube = random_cube(9, 8, 6)
    whole = response(cube, BANK[18])
    monkeypatch.setattr("apdclnn.gabor.SLAB", 7)
    np.testing.assert_allclose(response(cube, BANK[18]), whole, rtol=1e-6, atol=1e-7)


def test_response_is_the_same_to_the_bit_every_time():
    cube = random_cube(9, 8, 6)
    for filter in BANK[::3]:
        first = response(cube, filter)
        for _ in range(5):
            np.testing.assert_array_equal(response(cube, filter), first)


def test_response_takes_any_memory_order_and_leaves_the_cube_alone():
    cube = random_cube(9, 8, 6)
    before = cube.copy()
    expected = response(cube, BANK[18])
    np.testing.assert_array_equal(response(np.asfortranarray(cube), BANK[18]), expected)
    np.testing.assert_array_equal(cube, before)


def test_bank_has_13_directions_at_each_frequency():
    assert len(BANK) == 52 and len(set(BANK)) == 52
    for frequency in FREQUENCIES:
        waves = [(filter.u, filter.v, filter.w) for filter in BANK if filter.frequency == frequency]
        assert len(waves) == 13
        np.testing.assert_allclose([np.linalg.norm(wave) for wave in waves], frequency)
        # a wave and its opposite have the same magnitude response: no two filters may be such a pair
        axes = {tuple(np.round(sign * np.array(wave), 9) + 0.0) for wave in waves for sign in (1, -1)}
        assert len(axes) == 26
    assert [filter for filter in BANK if filter.phi == 0] == [Filter(f, 0, 0) for f in FREQUENCIES]


def test_components_of_a_direction_are_exact_zeros():
    assert (Filter(0.25, math.pi / 2, math.pi / 2).u, Filter(0.25, 0, math.pi / 2).w) == (0, 0)
    assert Filter(0.25, 0, math.pi / 2)[:1] == (0.25,) and Filter(0.25, 0, math.pi / 2).u == 0.25


@pytest.mark.parametrize("filter", BANK[::6], ids=str)
def test_kernels_are_the_factors_of_the_3d_kernel(filter):
    rows, columns, bands = kernels(filter, SIGMA_WAVELENGTHS / filter.frequency)
    found = rows[:, None, None] * columns[None, :, None] * bands[None, None, :]
    np.testing.assert_allclose(found, literal_kernel(filter, SIGMA_WAVELENGTHS), atol=1e-15)


def test_an_impulse_gives_the_kernel_and_not_its_mirror_image():
    """Magnitudes alone cannot tell: the mirrored kernel is the conjugate one."""
    impulse = np.zeros((2, 15, 15), np.float32)
    impulse[1, 7, 7] = 1
    rows, columns, _ = kernels(BANK[2], 1.5)
    real, imaginary = filter_space(impulse, rows, columns)
    found = (real + 1j * imaginary)[1].reshape(15, 15)[2:13, 2:13]
    np.testing.assert_allclose(found, np.outer(rows, columns), atol=1e-7)
    assert not real[0].any() and not imaginary[0].any()


def test_each_filter_prefers_the_wave_of_its_own_frequency():
    y, x, b = np.mgrid[:24, :24, :24]
    filters = bank((1 / 4, 1 / 8))
    for own in filters:
        wave = (0.5 + 0.5 * np.cos(2 * math.pi * (x * own.u + y * own.v + b * own.w))).astype(np.float32)
        centre = [response(wave, filter)[8:16, 8:16, 8:16].mean() for filter in filters]
        assert filters[int(np.argmax(centre))] == own
        # half of the wave's amplitude, whatever the frequency
        assert max(centre) == pytest.approx(0.25, rel=0.05)


def test_flat_cube_has_next_to_no_response():
    assert response(np.ones((9, 9, 9), np.float32), BANK[7]).max() < 0.01


def test_default_width_is_one_octave():
    octaves = 1
    sigma = math.sqrt(math.log(2) / 2) / math.pi * (2**octaves + 1) / (2**octaves - 1)
    assert pytest.approx(sigma, abs=0.005) == SIGMA_WAVELENGTHS


@pytest.mark.parametrize("frequencies", [(), (0.25, 0.25), (0.0,), (-0.25,), (0.51,), (float("nan"),)])
def test_bank_refuses_frequencies(frequencies):
    with pytest.raises(ValueError, match="Gabor frequenc"):
        bank(frequencies)


def test_response_refuses_a_cube_without_three_axes():
    with pytest.raises(ValueError, match="height, width, bands"):
        response(np.zeros((4, 4), np.float32), BANK[0])
    with pytest.raises(ValueError, match="height, width, bands"):
        response(np.zeros((4, 0, 4), np.float32), BANK[0])


@pytest.mark.parametrize("width", [0, -1.0, float("nan"), float("inf")])
def test_response_refuses_a_width(width):
    with pytest.raises(ValueError, match="sigma_wavelengths"):
        response(random_cube(4, 4, 4), BANK[0], width)
