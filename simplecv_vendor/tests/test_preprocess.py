"""Padding, standardising, moving data."""

import collections

import numpy as np
import pytest
import torch

from simplecv.data.preprocess import channel_last_to_first, divisible_pad, mean_std_normalize
from simplecv.util.tensor_util import to_device


def test_divisible_pad_pads_at_the_bottom_and_right():
    images = [np.ones((2, 5, 16)), np.ones((2, 17, 3), dtype=np.float32)]
    padded = divisible_pad(images, 16, to_tensor=False)
    assert padded.shape == (2, 2, 32, 16) and padded.dtype == np.float32
    assert padded[0, :, :5, :16].all() and padded[0].sum() == 2 * 5 * 16
    assert padded[1, :, :17, :3].all() and padded[1].sum() == 2 * 17 * 3
    as_tensor = divisible_pad([torch.from_numpy(image) for image in images], 16)
    assert torch.equal(as_tensor, torch.from_numpy(padded))
    assert divisible_pad([np.ones((1, 128, 256))]).shape == (1, 1, 128, 256)


def test_divisible_pad_refuses_images_that_do_not_stack():
    with pytest.raises(ValueError, match="one C"):
        divisible_pad([np.ones((2, 4, 4)), np.ones((3, 4, 4))])
    with pytest.raises(ValueError, match=r"found shapes \[\]"):
        divisible_pad([])


@pytest.mark.parametrize("convert", [lambda a: a, torch.from_numpy])
def test_standardising_per_channel(convert):
    image = np.random.RandomState(0).rand(6, 5, 3) * [1, 10, 100]
    done = mean_std_normalize(convert(image), image.mean(axis=(0, 1)), image.std(axis=(0, 1)))
    assert isinstance(done, type(convert(image)))
    assert np.asarray(done).mean(axis=(0, 1)) == pytest.approx(np.zeros(3), abs=1e-12)
    assert np.asarray(done).std(axis=(0, 1)) == pytest.approx(np.ones(3))
    assert np.array_equal(np.asarray(channel_last_to_first(done)), np.asarray(done).transpose(2, 0, 1))


def test_integer_tensors_are_standardised_as_floats():
    done = mean_std_normalize(torch.tensor([[[3]]]), 1, 4)
    assert done.dtype == torch.float32 and done.item() == 0.5


def test_to_device_keeps_the_structure_and_does_not_copy():
    pair = collections.namedtuple("pair", "left right")
    data = [torch.ones(2), (torch.zeros(1), "name"), {"a": pair(torch.ones(1), None)}]
    moved = to_device(data, torch.device("cpu"))
    assert moved[0] is data[0] and moved[1] == data[1] and isinstance(moved[2]["a"], pair)
    assert moved[2]["a"].left is data[2]["a"].left and moved[2]["a"].right is None
