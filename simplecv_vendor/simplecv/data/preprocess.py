"""Array preprocessing for whole images."""

from typing import Any, Sequence, Union

import numpy as np
import torch

Array = Union[np.ndarray, torch.Tensor]


def divisible_pad(images: Sequence[Array], size_divisor: int = 128, to_tensor: bool = True) -> Array:
    """Stack (C, H, W) images as float32 (N, C, H', W'), zero-padded at the bottom and right.

    H' and W' are the next multiples of `size_divisor` of the largest height and width. Returns a tensor, or a numpy
    array with to_tensor=False. Raises: ValueError when there is no image, or the channel counts differ.
    """
    arrays = [np.asarray(image) for image in images]
    if not arrays or any(array.ndim != 3 or array.shape[0] != arrays[0].shape[0] for array in arrays):
        raise ValueError(f"Expected (C, H, W) images with one C, found shapes {[array.shape for array in arrays]}.")
    height, width = (-(-max(a.shape[axis] for a in arrays) // size_divisor) * size_divisor for axis in (1, 2))
    padded = np.zeros((len(arrays), arrays[0].shape[0], height, width), dtype=np.float32)
    for target, array in zip(padded, arrays):
        target[:, : array.shape[1], : array.shape[2]] = array
    return torch.from_numpy(padded) if to_tensor else padded


def mean_std_normalize(image: Array, mean: Any, std: Any) -> Array:
    """(image - mean) / std per channel of an (H, W, C) image; mean and std: C values or one each.

    A tensor gives a tensor of its dtype (floating), an array gives an array.
    """
    if isinstance(image, torch.Tensor):
        dtype = image.dtype if image.is_floating_point() else torch.get_default_dtype()
        mean, std = (torch.as_tensor(value, dtype=dtype, device=image.device) for value in (mean, std))
        return (image.to(dtype) - mean) / std
    return (image - np.asarray(mean)) / np.asarray(std)


def channel_last_to_first(image: Array) -> Array:
    """(H, W, C) to (C, H, W), a view."""
    return image.permute(2, 0, 1) if isinstance(image, torch.Tensor) else np.transpose(image, (2, 0, 1))
