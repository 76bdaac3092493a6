"""Strides and kernels along the bands for any number of bands.

The network's six stages have to reduce the bands to the three that its head averages. The paper has numbers for 103,
200 and 204 bands: the last stages halve them, a kernel in the first one leaves a number that can be halved twice, and a
kernel of two takes 25 to 24, which are halved to three. `strides_for` and `band_kernels_for` do the same for others,
and give the paper's numbers for the paper's bands.
"""

from typing import List, Sequence

from da_imrn.network import POOLED, WIDTHS

_STAGES = len(WIDTHS)
_HALVED_TWICE = 4
_LARGEST_KERNEL = 8


def strides_for(bands: int) -> List[int]:
    """Six strides: the last ones halve, the first one of very many bands is larger; three or four bands remain."""
    most = (POOLED + 1) * 2 ** (_STAGES - 1)  # that five halvings reduce to four
    first = -(-bands // most)
    if first > 1:
        return [first] + [2] * (_STAGES - 1)
    halvings = 0
    while -(-bands // 2**halvings) > POOLED + 1:
        halvings += 1
    return [1] * (_STAGES - halvings) + [2] * halvings


def band_kernels_for(bands: int, strides: Sequence[int]) -> List[int]:
    """A kernel for each stage, so that three bands remain: as few above 1 as there can be, and those in the first
    stages that serve; all 1 where no small one serves, which the network then refuses or accepts.
    """
    ones = [1] * len(strides)
    strided = -(-bands // strides[0])
    start = list(ones)
    start[0] = strided % _HALVED_TWICE + 1
    for kernels in (start, ones):
        if remaining(bands, strides, kernels) < POOLED:
            continue
        for more in range(_LARGEST_KERNEL):
            for stage in range(len(strides)):
                tried = list(kernels)
                tried[stage] += more
                if remaining(bands, strides, tried) == POOLED:
                    return tried
    return ones


def remaining(bands: int, strides: Sequence[int], kernels: Sequence[int]) -> int:
    """The bands after the last stage; 0 where some stage has fewer than its kernel."""
    for stride, kernel in zip(strides, kernels):
        bands = max(-(-bands // stride) - kernel + 1, 0)
    return bands
