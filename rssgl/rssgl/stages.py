# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""The stages of a module: the description that lets it be applied in tiles with the result of the whole map.

A module's method `stages` is a generator. It yields what the module does to a feature map, one stage after another:

- `Local`: the value at a pixel depends on no pixel beyond its receptive field, so a tile read with a margin of that
  radius (`reach`) gives the values of the whole map. At the scene's border there is no margin: the operation pads with
  zeros.
- `STATISTICS`: the yield returns the `Moments` of the whole map at this point, and the map stays as it is.

        def stages(self):
            whole = yield STATISTICS
            gate = self.gate_of(whole.mean)
            yield Local(lambda x: x * gate, 0, "one factor per channel")

`stages_of` knows PyTorch's own modules that the networks here use. A class without stages, or with another forward than
its stages describe, is an error.
"""

from abc import ABC, abstractmethod
from typing import Any, Callable, Dict, Generator, Generic, NamedTuple, Optional, TypeVar, Union

import torch
from torch import Tensor, nn

from shared_data.errors import SettingsError


class Local(NamedTuple):
    """function: (1, C, h, w) to (1, C', h·grow/shrink, w·grow/shrink); it may overwrite its input.

    reach: the receptive-field radius in pixels of the input; reason: how that number follows. shrink: the stride; grow:
    the factor of an upsampling.
    """

    function: Callable[[Tensor], Tensor]
    reach: int
    reason: str
    shrink: int = 1
    grow: int = 1


class Statistics(NamedTuple):
    """Requests the `Moments` of the whole map."""


STATISTICS = Statistics()


class Moments(NamedTuple):
    """Of every channel of a whole map, (C) float64: mean, population variance, maximum."""

    mean: Tensor
    variance: Tensor
    maximum: Tensor


Stages = Generator[Union[Local, Statistics], Optional[Moments], None]
Map = TypeVar("Map")


class Execution(ABC, Generic[Map]):
    """Executes the stages of a network that is more than a chain of modules; see `EncoderDecoder.tiled`."""

    @abstractmethod
    def through(self, stages: Stages, x: Map) -> Map:
        """The map after the stages."""

    @abstractmethod
    def sum(self, x: Map, y: Map) -> Map:
        """x + y, pixel by pixel."""


def stages_of(module: nn.Module) -> Stages:
    """The stages of a module. Raises: SettingsError where it has none, or only inherited ones that do not fit."""
    kind = type(module)
    if kind in _KNOWN:
        return _KNOWN[kind](module)
    check_described(kind, "forward", "stages")
    return module.stages()


def check_described(kind: type, operation: str, description: str) -> None:
    """Check that a class that replaces an operation also replaces its description (name of the method with the stages).

    Raises: SettingsError.
    """
    owners = [_owner(kind, name) for name in (description, operation)]
    if owners[0] is None:
        raise SettingsError(
            "%s cannot be applied tile by tile, because it has no method '%s' that says how far it reaches; write one "
            "(stages.py says how) or leave --tile away" % (kind.__name__, description)
        )
    if not issubclass(*owners):
        raise SettingsError(
            "%s cannot be applied tile by tile, because '%s' describes the '%s' of %s, not that of %s; write its own "
            "or leave --tile away" % (kind.__name__, description, operation, owners[0].__name__, owners[1].__name__)
        )


def _owner(kind: type, name: str) -> Any:
    return next((base for base in kind.__mro__ if name in vars(base)), None)


def _sequential(modules: nn.Sequential) -> Stages:
    for module in modules:
        yield from stages_of(module)


def _pixel_by_pixel(module: nn.Module) -> Stages:
    yield Local(module, 0, "%s looks at one value" % type(module).__name__)


def _convolution(convolution: nn.Conv2d) -> Stages:
    """Same-size convolutions, and strided ones whose output pixel i is centred on the input pixel stride·i."""
    reaches = [step * (side - 1) // 2 for step, side in zip(convolution.dilation, convolution.kernel_size)]
    odd = all(side % 2 for side in convolution.kernel_size)
    stride = convolution.stride[0]
    if not odd or tuple(convolution.padding) != tuple(reaches) or convolution.padding_mode != "zeros":
        raise SettingsError(
            "%s cannot be applied tile by tile; only convolutions with odd kernels and half as much zero padding can"
            % convolution
        )
    if convolution.stride != (stride, stride):
        raise SettingsError("%s cannot be applied tile by tile; its two strides differ" % convolution)
    kernel = "×".join(str(side) for side in convolution.kernel_size)
    yield Local(convolution, max(reaches), "half the %s kernel" % kernel, shrink=stride)


def _group_norm(norm: nn.GroupNorm) -> Stages:
    whole = yield STATISTICS
    assert whole is not None  # requested by STATISTICS
    means = whole.mean.view(norm.num_groups, -1)
    mean = means.mean(dim=1, keepdim=True)
    # the spread within the channels and that of their means
    variance = (whole.variance.view_as(means) + (means - mean) ** 2).mean(dim=1, keepdim=True)
    scale = (variance + norm.eps).rsqrt().expand_as(means)
    shift = -mean * scale
    if norm.affine:
        scale = scale * norm.weight.view_as(means)
        shift = shift * norm.weight.view_as(means) + norm.bias.view_as(means)
    scale, shift = (values.reshape(1, -1, 1, 1) for values in (scale, shift))

    def normalise(x: Tensor) -> Tensor:
        return torch.addcmul(shift.to(x.dtype), x, scale.to(x.dtype))

    yield Local(normalise, 0, "one factor and one summand per channel, from the statistics of the whole map")


_KNOWN: Dict[type, Callable[[Any], Stages]] = {
    nn.Sequential: _sequential,
    nn.Identity: _pixel_by_pixel,
    nn.ReLU: _pixel_by_pixel,
    nn.Conv2d: _convolution,
    nn.GroupNorm: _group_norm,
}
