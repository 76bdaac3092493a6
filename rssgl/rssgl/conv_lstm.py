"""3-D ConvLSTM over the spectral groups: all steps of the stacked cells as one autograd node, with 2-D convolutions.

    i = σ(Wxi∗x + Whi∗h)      f = σ(Wxf∗x + Whf∗h)      o = σ(Wxo∗x + Who∗h)
    c' = f∘c + i∘tanh(Wxc∗x + Whc∗h)                     h' = o∘tanh(c')

x, h and c are volumes (channels, depth, height, width); ∗ is a 3-D convolution. Written literally these are eight thin
Conv3d a cell and step, for which PyTorch has no fast kernel on a CPU. Here

- a depth slice is an image of the batch and its neighbours in depth become channels: Conv3d(I → O, kernel kd×kh×kw)
  is Conv2d(kd·I → O, kernel kh×kw) over D images, laid out channels-last;
- x and h are channels of one tensor and the four gates are rows of one kernel: one convolution a cell and step;
- tanh(z) = 2σ(2z) − 1, with the inner 2 in the kernel, so that one contiguous call computes all gates;
- the backward pass is written out and needs [x, h], the gates and c of every cell and step, nothing else.

The peephole terms of the paper's equations exist in the release as constant zeros and drop out.
"""

from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rssgl.convolution import convolution_gradients
from rssgl.stages import Local, Stages

GATES = "ifoc"  # order of the rows of a fused kernel
HIDDEN = 4  # hidden channels of a cell
CHUNK_BYTES = 8 << 20  # bytes of the gates of a chunk of depth slices


def layout(device: torch.device) -> torch.memory_format:
    """Channels-last on a CPU, where a thin convolution then takes half the time; PyTorch's default elsewhere."""
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def empty_slices(like: Tensor, depth: int, channels: int) -> Tensor:
    """(D, C, H, W) for D depth slices with the sides of `like`."""
    shape = (depth, channels) + tuple(like.shape[-2:])
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout(like.device))


def chunks_of(depth: int, like: Tensor) -> List[slice]:
    """Chunks of depth slices whose gates stay in a CPU's cache between operations; one chunk on a GPU."""
    slice_bytes = like.element_size() * len(GATES) * HIDDEN * like.shape[-2] * like.shape[-1]
    count = max(1, CHUNK_BYTES // slice_bytes) if like.device.type == "cpu" else depth
    return [slice(start, min(start + count, depth)) for start in range(0, depth, count)]


def with_neighbours(padded: Tensor, chunk: slice, kernel: int) -> Tensor:
    """The slices of a chunk (n, kernel·C, H, W), each with its neighbours in depth; padded: all slices with their
    halo."""
    return torch.cat([padded[chunk.start + offset : chunk.stop + offset] for offset in range(kernel)], dim=1)


def add_to_neighbours(total: Tensor, chunk: slice, grad: Tensor, kernel: int) -> None:
    """The adjoint of `with_neighbours`: total, all slices with their halo, receives the gradient of a chunk."""
    for offset, part in enumerate(grad.chunk(kernel, dim=1)):
        total[chunk.start + offset : chunk.stop + offset] += part


class Cell:
    """The steps of one cell. c is twice the cell state of the equations, so that tanh is one sigmoid: 2σ(c) − 1."""

    def __init__(self, volumes: Tensor, depth_kernel: int, weight: Tensor, bias: Tensor) -> None:
        self.volumes, self.depth_kernel, self.weight, self.bias = volumes, depth_kernel, weight, bias
        self.depth, self.halo = volumes.shape[1], depth_kernel // 2
        self.signals = weight.shape[1] // depth_kernel - HIDDEN
        self.padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        self.chunks = chunks_of(self.depth, volumes)
        self.c: List[Optional[Tensor]] = [None] * len(self.chunks)
        self.dc: List[Optional[Tensor]] = [None] * len(self.chunks)

    def begin(self) -> None:
        """Zero [x, h] of step 0, and of the step that follows."""
        self.inputs, self.following = self.empty_inputs().zero_(), self.empty_inputs().zero_()

    def empty_inputs(self) -> Tensor:
        """[x, h] with a halo of slices in depth."""
        return empty_slices(self.volumes, self.depth + 2 * self.halo, self.signals + HIDDEN)

    def interior(self, padded: Tensor) -> Tensor:
        return padded[self.halo : self.halo + self.depth]

    def step(self, x: Tensor, keep: bool) -> Tuple[Tensor, List[Tensor]]:
        """Signal x (D, I, H, W) to h (D, hidden, H, W) and, with `keep`, the tensors for the backward pass: [x, h],
        then the gates and c of every chunk.
        """
        self.interior(self.inputs)[:, : self.signals] = x
        h = self.interior(self.following)[:, self.signals :]
        kept = [self.inputs]
        for index, chunk in enumerate(self.chunks):
            folded = with_neighbours(self.inputs, chunk, self.depth_kernel)
            gates = F.conv2d(folded, self.weight, self.bias, padding=self.padding).sigmoid_()
            i, f, o, s = gates.split(HIDDEN, dim=1)
            c, previous_c = torch.rsub(s, -2, alpha=-4).mul_(i), self.c[index]
            if previous_c is not None:
                c.addcmul_(f, previous_c)
            torch.mul(torch.rsub(torch.sigmoid(c), -1, alpha=-2), o, out=h[chunk])
            self.c[index] = c
            kept += [gates, c]
        self._advance(keep)
        return h, kept if keep else []

    def _advance(self, keep: bool) -> None:
        """Make the next step's [x, h] the current one; without `keep` two buffers alternate."""
        self.inputs, self.following = self.following, self.empty_inputs() if keep else self.inputs
        if keep:
            self.following[: self.halo].zero_()
            self.following[self.halo + self.depth :].zero_()

    def step_backward(
        self, dh: Tensor, kept: Sequence[Tensor], before: Optional[Sequence[Tensor]]
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Gradients with respect to [x, h] (D, I + hidden, H, W), kernel and bias, from what `step` kept.

        Called for the last step first; before: the tensors kept by the previous step, None at step 0.
        """
        inputs, *gates_and_cells = kept
        grad_inputs = self.empty_inputs().zero_()
        grad_weight, grad_bias = torch.zeros_like(self.weight), torch.zeros_like(self.bias)
        for index, chunk in enumerate(self.chunks):
            gates, c = gates_and_cells[2 * index : 2 * index + 2]
            previous_c = None if before is None else before[2 * index + 2]
            grad, self.dc[index] = gate_gradients(dh[chunk], self.dc[index], gates, c, previous_c)
            folded = with_neighbours(inputs, chunk, self.depth_kernel)
            grad_folded, grad_kernel = convolution_gradients(grad, folded, self.weight)
            add_to_neighbours(grad_inputs, chunk, grad_folded, self.depth_kernel)
            grad_weight += grad_kernel
            grad_bias += grad.sum(dim=(0, 2, 3))
        return self.interior(grad_inputs), grad_weight, grad_bias


def gate_gradients(
    dh: Tensor, dc: Optional[Tensor], gates: Tensor, c: Tensor, previous_c: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    """Gradients with respect to the convolution's output (n, 4·hidden, H, W), and to the c of the step before.

    dh, dc: the gradients with respect to h and c of this step; previous_c is None at step 0.
    """
    i, f, o, s = gates.split(HIDDEN, dim=1)
    grad = torch.empty_like(gates)
    grad_i, grad_f, grad_o, grad_s = grad.split(HIDDEN, dim=1)
    sigmoid_c = torch.sigmoid(c)
    torch.mul(dh, torch.rsub(sigmoid_c, -1, alpha=-2), out=grad_o)
    through_h = torch.ops.aten.sigmoid_backward(dh * o, sigmoid_c)
    dc = through_h.mul_(2) if dc is None else dc.add_(through_h, alpha=2)
    dc4 = dc * 4
    torch.mul(dc4, i, out=grad_s)
    torch.mul(dc4, s - 0.5, out=grad_i)
    if previous_c is None:
        grad_f.zero_()
    else:
        torch.mul(dc, previous_c, out=grad_f)
    return torch.ops.aten.sigmoid_backward(grad, gates), dc.mul_(f)


class StackedRecurrence(torch.autograd.Function):
    """T steps through the stacked cells from h = c = 0; the result is the last cell's last hidden state.

    Inputs: volumes (T, D, 1, H, W); depth_kernel, kd; keep, whether a backward pass will follow; then weight
    (4·hidden, kd·(I + hidden), kh, kw), rows i, f, o, 2c, and bias (4·hidden) of every cell.
    Output: (D, hidden, H, W).
    """

    @staticmethod
    def forward(ctx, volumes: Tensor, depth_kernel: int, keep: bool, *parameters: Tensor) -> Tensor:
        cells = [Cell(volumes, depth_kernel, *pair) for pair in zip(parameters[::2], parameters[1::2])]
        kept: List[Tensor] = []
        for cell in cells:
            cell.begin()
        for signal in volumes:
            for cell in cells:
                signal, needed = cell.step(signal, keep)
                kept += needed
        ctx.depth_kernel, ctx.count = depth_kernel, len(cells)
        ctx.save_for_backward(volumes, *parameters, *kept)
        return signal.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_state: Tensor) -> Tuple[Optional[Tensor], ...]:
        count = ctx.count
        volumes, saved = ctx.saved_tensors[0], ctx.saved_tensors[1:]
        parameters, kept = saved[: 2 * count], saved[2 * count :]
        cells = [Cell(volumes, ctx.depth_kernel, *pair) for pair in zip(parameters[::2], parameters[1::2])]
        size = 1 + 2 * len(cells[0].chunks)
        kept = [kept[start : start + size] for start in range(0, len(kept), size)]  # step t of cell k: t·cells + k
        gradients = [torch.zeros_like(parameter) for parameter in parameters]
        grad_volumes: List[Tensor] = []
        dh: List[Optional[Tensor]] = [None] * (count - 1) + [grad_state]  # gradients with respect to h of every cell
        for index in range(len(kept) - 1, -1, -1):
            k = index % count
            before = kept[index - count] if index >= count else None
            grad_input, grad_weight, grad_bias = cells[k].step_backward(dh[k], kept[index], before)
            gradients[2 * k] += grad_weight
            gradients[2 * k + 1] += grad_bias
            below, dh[k] = grad_input[:, : cells[k].signals], grad_input[:, cells[k].signals :]
            if k == 0:
                grad_volumes.append(below)
            else:
                dh[k - 1] = below if dh[k - 1] is None else dh[k - 1] + below
        return (torch.stack(grad_volumes[::-1]), None, None, *gradients)


class ConvLSTM3dCell(nn.Module):
    """The eight kernels of one cell, under the release's names: Wx* with a bias, Wh* without."""

    def __init__(self, channels: int, hidden: int, kernel: Tuple[int, int, int]) -> None:
        super().__init__()
        padding = tuple((side - 1) // 2 for side in kernel)
        for gate in "ifco":
            self.add_module("Wx" + gate, nn.Conv3d(channels, hidden, kernel, padding=padding))
            self.add_module("Wh" + gate, nn.Conv3d(hidden, hidden, kernel, padding=padding, bias=False))

    def fused(self) -> Tuple[Tensor, Tensor]:
        """Kernel (4·hidden, kd·(I + hidden), kh, kw) and bias (4·hidden) of all gates, the rows of c doubled."""
        weights, biases = [], []
        for gate in GATES:
            signal, state = getattr(self, "Wx" + gate), getattr(self, "Wh" + gate)
            scale = 2 if gate == "c" else 1
            weights.append(scale * torch.cat([signal.weight, state.weight], dim=1))
            biases.append(scale * signal.bias)
        weight = torch.cat(weights).transpose(1, 2).flatten(1, 2)
        return weight.contiguous(memory_format=layout(weight.device)), torch.cat(biases)


class GlobalConvLSTM3d(nn.Module):
    """The C channels, cut into 8 consecutive groups, are 8 volumes of depth C/8 through two stacked 3-D cells.

    Only the last hidden state of the second cell is used: its 4 volumes are C/2 channels, hidden channel major.
    """

    STEPS = 8

    def __init__(self, channels: int, kernel: Tuple[int, int, int]) -> None:
        super().__init__()
        if channels % self.STEPS:
            raise ValueError("the 3-D ConvLSTM needs a multiple of %d channels, not %d" % (self.STEPS, channels))
        self.depth_kernel, self.sides = kernel[0], kernel[1:]
        self.cell0 = ConvLSTM3dCell(1, HIDDEN, kernel)
        self.cell1 = ConvLSTM3dCell(HIDDEN, HIDDEN, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C/2, H, W)."""
        parameters = self.cell0.fused() + self.cell1.fused()
        return torch.stack([self._recur(scene, parameters) for scene in x])

    def _recur(self, scene: Tensor, parameters: Tuple[Tensor, ...]) -> Tensor:
        volumes = scene.reshape(self.STEPS, -1, 1, *scene.shape[1:])
        state = StackedRecurrence.apply(volumes, self.depth_kernel, torch.is_grad_enabled(), *parameters)
        return state.transpose(0, 1).flatten(0, 1)

    def stages(self) -> Stages:
        """The receptive-field radius from the first volume to the last hidden state: one input convolution per cell and
        seven recurrent ones."""
        convolutions = 2 + self.STEPS - 1
        reason = "half the %d×%d kernel, %d times in a row" % (*self.sides, convolutions)
        yield Local(self, convolutions * (max(self.sides) // 2), reason)
