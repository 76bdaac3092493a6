"""R5: identity, shift, bilinear interpolation, borders, gradients."""

import numpy as np
import pytest
from numpy_oracle import sample

from apdclnn.deformable import bilinear_sample, deform
from apdclnn.tf_stack import tf

SHAPE = (2, 6, 5)


@pytest.fixture
def random():
    return np.random.RandomState(0)


def offsets_of(down, right, maps=3):
    return np.stack([np.full(SHAPE, down)] * maps + [np.full(SHAPE, right)] * maps, axis=-1).astype(np.float32)


def sampled(compute, x, offsets, parts=2):
    return compute(lambda a, b: bilinear_sample(a, b, parts), x, offsets)


def test_zero_offsets_are_the_identity(random, compute):
    x = random.standard_normal(SHAPE + (6,)).astype(np.float32)
    assert np.array_equal(sampled(compute, x, offsets_of(0, 0)), x)


def test_at_first_the_learnt_offsets_are_zero(random, compute):
    x = random.standard_normal(SHAPE + (6,)).astype(np.float32)
    assert np.array_equal(compute(lambda a: deform(a, 2), x), x)


def test_whole_offsets_shift_and_the_border_repeats(random, compute):
    x = random.standard_normal(SHAPE + (6,)).astype(np.float32)
    expected = x[:, np.minimum(np.arange(6) + 2, 5)][:, :, np.maximum(np.arange(5) - 1, 0)]
    assert sampled(compute, x, offsets_of(2, -1)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("parts", [1, 2])
def test_any_offsets_against_numpy_pixel_by_pixel(random, compute, parts):
    """Every map has its own offsets, which its real and imaginary part share."""
    x = random.standard_normal(SHAPE + (3 * parts,)).astype(np.float32)
    offsets = random.uniform(-4, 4, SHAPE + (6,)).astype(np.float32)
    found = sampled(compute, x, offsets, parts)
    down, right = np.split(offsets, 2, axis=-1)
    for part, expected in enumerate(np.split(x, parts, axis=-1)):
        assert found[..., 3 * part : 3 * part + 3] == pytest.approx(sample(expected, down, right), abs=1e-5)


def test_gradients_against_finite_differences(random, compute):
    """Of a weighted sum, by the maps and by the offsets, away from whole coordinates where the slope jumps."""
    x = random.standard_normal(SHAPE + (6,)).astype(np.float32)
    offsets = (random.randint(-2, 3, SHAPE + (6,)) + random.uniform(0.2, 0.8, SHAPE + (6,))).astype(np.float32)
    weights = random.standard_normal(x.shape).astype(np.float32)

    def built(a, b):
        return tf.gradients(tf.reduce_sum(weights * bilinear_sample(a, b, 2)), [a, b])

    by_maps, by_offsets = compute(built, x, offsets)

    def total(a, b):
        down, right = np.split(b.astype(np.float64), 2, axis=-1)
        parts = [sample(part.astype(np.float64), down, right) for part in np.split(a, 2, axis=-1)]
        return (weights * np.concatenate(parts, axis=-1)).sum()

    step = 1e-3
    for number, (array, gradient) in enumerate(((x, by_maps), (offsets, by_offsets))):
        for flat in random.choice(array.size, 25, replace=False):
            values = []
            for sign in (1, -1):
                moved = [x.astype(np.float64), offsets.astype(np.float64)]
                moved[number].ravel()[flat] += sign * step
                values.append(total(*moved))
            assert gradient.ravel()[flat] == pytest.approx((values[0] - values[1]) / (2 * step), abs=2e-3)
