"""R3 and R4 against numpy's complex numbers."""

import numpy as np
import pytest
from numpy_oracle import as_complex, convolve, stacked

from apdclnn.pseudo_complex import COMPLEX, REAL, complex_kernel, kernel, product, with_imaginary_part
from apdclnn.pseudo_complex import convolve as ours
from apdclnn.tf_stack import tf


@pytest.fixture
def random():
    return np.random.RandomState(0)


def complex_numbers(random, *shape):
    return random.standard_normal(shape) + 1j * random.standard_normal(shape)


def test_one_real_convolution_is_the_complex_one(random, compute):
    x, w = complex_numbers(random, 2, 6, 5, 3), complex_numbers(random, 3, 3, 3, 4)

    def built(maps, re, im):
        shape = (3, 3, 3, 1, 4)
        return ours(maps, complex_kernel(tf.reshape(re, shape), tf.reshape(im, shape)))

    assert as_complex(compute(built, stacked(x), w.real, w.imag)) == pytest.approx(convolve(x, w), abs=1e-5)


def test_groups_lie_one_behind_the_other_each_with_its_real_parts_first(random, compute):
    x, w = complex_numbers(random, 1, 4, 4, 2), complex_numbers(random, 3, 3, 2, 4 * 5)
    found = compute(
        lambda maps: ours(maps, kernel("W", 3, 2, 4, 5, COMPLEX)), stacked(x),
        variables={"W_re": w.real, "W_im": w.imag},
    )  # fmt: skip
    expected = convolve(x, w)
    for group in range(4):
        maps = found[..., 10 * group : 10 * group + 10]
        assert as_complex(maps) == pytest.approx(expected[..., 5 * group : 5 * group + 5], abs=1e-5)


def test_a_real_kernel_has_no_imaginary_part(compute):
    shape = compute(lambda x: tf.shape(kernel("W", 3, 2, 4, 5, REAL)), np.zeros((1, 4, 4, 2)))
    assert shape.tolist() == [3, 3, 2, 20]


@pytest.mark.parametrize("parts", [COMPLEX, REAL])
def test_products(random, compute, parts):
    a, b = complex_numbers(random, 2, 3, 3, 4), complex_numbers(random, 2, 3, 3, 4)
    if parts == REAL:
        (found,) = compute(lambda x, y: product([x], [y]), a.real, b.real)
        assert found == pytest.approx(a.real * b.real, abs=1e-5)
    else:
        real, imaginary = compute(lambda *fed: product(fed[:2], fed[2:]), a.real, a.imag, b.real, b.imag)
        assert real + 1j * imaginary == pytest.approx(a * b, abs=1e-5)


def test_the_imaginary_part_is_learnt_and_the_real_part_is_the_component(random, compute):
    x = random.standard_normal((3, 5, 5, 1)).astype(np.float32)
    first, second = random.standard_normal((3, 3, 1, 8)), random.standard_normal((3, 3, 8, 1))
    found = compute(
        with_imaginary_part, x,
        variables={"imaginary_conv1/W": first, "imaginary_conv2/W": second, "imaginary_norm1/gamma": [1.5],
                   "imaginary_norm1/beta": [0.25], "imaginary_norm2/gamma": np.ones(8)},
    )  # fmt: skip
    scale = 1 / np.sqrt(1 + 1e-5)  # the moving statistics of a fresh BatchNorm are mean 0, variance 1
    hidden = convolve(np.maximum(1.5 * scale * x + 0.25, 0), first)
    assert np.array_equal(found[..., :1], x)
    assert found[..., 1:] == pytest.approx(convolve(np.maximum(scale * hidden, 0), second), abs=1e-3)
