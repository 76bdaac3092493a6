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

from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from full_scene.convolution import convolution_gradients

GATES = "ifoc"  # order of the rows of a fused kernel


def empty_slices(like: Tensor, depth: int, channels: int) -> Tensor:
    """(D, C, H, W) for D depth slices with the sides of `like`, laid out channels-last.

    This is the one place where the layout is chosen: on a CPU a thin convolution then takes half the time.
    """
    return like.new_empty((depth,) + tuple(like.shape[-2:]) + (channels,)).permute(0, 3, 1, 2)


def with_neighbours(padded: Tensor, kernel: int) -> Tensor:
    """(D + kernel − 1, C, H, W), slices and their halo in depth, to (D, kernel·C, H, W)."""
    depth = padded.shape[0] - kernel + 1
    return torch.cat([padded[offset : offset + depth] for offset in range(kernel)], dim=1)


def sum_neighbours(grad: Tensor, kernel: int) -> Tensor:
    """The adjoint of `with_neighbours`, halo left out: (D, kernel·C, H, W) to (D, C, H, W)."""
    depth, halo = grad.shape[0], kernel // 2
    parts = grad.chunk(kernel, dim=1)
    total = parts[halo].clone(memory_format=torch.channels_last)
    for reach in range(1, halo + 1):
        total[: depth - reach] += parts[halo - reach][reach:]
        total[reach:] += parts[halo + reach][: depth - reach]
    return total


class Cell:
    """One cell in its steps. c stands for twice the cell of the equations, so that tanh is one sigmoid: 2σ(c) − 1."""

    def __init__(self, volumes: Tensor, depth_kernel: int, weight: Tensor, bias: Tensor) -> None:
        depth, halo = volumes.shape[1], depth_kernel // 2
        self.depth_kernel, self.weight, self.bias = depth_kernel, weight, bias
        self.hidden = weight.shape[0] // len(GATES)
        self.signals = weight.shape[1] // depth_kernel - self.hidden
        self.padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        # [x, h] with a halo of zero slices; h = 0 before step 0
        self.padded = empty_slices(volumes, depth + 2 * halo, self.signals + self.hidden).zero_()
        self.interior = self.padded[halo : halo + depth]
        self.c: Optional[Tensor] = None

    def step(self, x: Tensor) -> Tuple[Tensor, Tuple[Tensor, Tensor, Tensor]]:
        """Signal x (D, I, H, W) to h (D, hidden, H, W), and what the backward pass needs: [x, h], gates, c."""
        self.interior[:, : self.signals] = x
        folded = with_neighbours(self.padded, self.depth_kernel)
        gates = F.conv2d(folded, self.weight, self.bias, padding=self.padding).sigmoid_()
        i, f, o, s = gates.split(self.hidden, dim=1)
        c = torch.rsub(s, -2, alpha=-4).mul_(i)
        if self.c is not None:
            c.addcmul_(f, self.c)
        h = torch.rsub(torch.sigmoid(c), -1, alpha=-2).mul_(o)
        self.interior[:, self.signals :] = h
        self.c = c
        return h, (folded, gates, c)


def gate_gradients(
    dh: Tensor, dc: Optional[Tensor], gates: Tensor, c: Tensor, previous_c: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    """Gradients with respect to the convolution's output (D, 4·hidden, H, W), and to the c of the step before.

    dh, dc: what reaches h and c of this step; previous_c is None at step 0.
    """
    hidden = c.shape[1]
    i, f, o, s = gates.split(hidden, dim=1)
    grad = torch.empty_like(gates)
    grad_i, grad_f, grad_o, grad_s = grad.split(hidden, dim=1)
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
        for signal in volumes:
            for cell in cells:
                signal, needed = cell.step(signal)
                if keep:
                    kept += needed
        ctx.depth_kernel, ctx.signals = depth_kernel, [cell.signals for cell in cells]
        ctx.save_for_backward(*parameters[::2], *kept)
        return signal

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_state: Tensor) -> Tuple[Optional[Tensor], ...]:
        cells = len(ctx.signals)
        weights, kept = ctx.saved_tensors[:cells], ctx.saved_tensors[cells:]
        kept = [kept[start : start + 3] for start in range(0, len(kept), 3)]  # of step t and cell k at t·cells + k
        grad_weights, grad_biases = [torch.zeros_like(w) for w in weights], [w.new_zeros(w.shape[0]) for w in weights]
        grad_volumes: List[Tensor] = []
        dh: List[Optional[Tensor]] = [None] * (cells - 1) + [grad_state]  # what reaches h and c of every cell
        dc: List[Optional[Tensor]] = [None] * cells  # from the step after
        for index in range(len(kept) - 1, -1, -1):
            k = index % cells
            folded, gates, c = kept[index]
            previous_c = kept[index - cells][2] if index >= cells else None
            grad, dc[k] = gate_gradients(dh[k], dc[k], gates, c, previous_c)
            grad_folded, grad_weight = convolution_gradients(grad, folded, weights[k])
            grad_weights[k] += grad_weight
            grad_biases[k] += grad.sum(dim=(0, 2, 3))
            grad_input = sum_neighbours(grad_folded, ctx.depth_kernel)
            below, dh[k] = grad_input[:, : ctx.signals[k]], grad_input[:, ctx.signals[k] :]
            if k == 0:
                grad_volumes.append(below)
            else:
                dh[k - 1] = below if dh[k - 1] is None else dh[k - 1] + below
        gradients = [part for pair in zip(grad_weights, grad_biases) for part in pair]
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
        return weight.contiguous(memory_format=torch.channels_last), torch.cat(biases)


class GlobalConvLSTM3d(nn.Module):
    """The C channels, cut into 8 consecutive groups, are 8 volumes of depth C/8 through two stacked 3-D cells.

    Only the last hidden state of the second cell is used: its 4 volumes are C/2 channels, hidden channel major.
    """

    STEPS, HIDDEN = 8, 4

    def __init__(self, channels: int, kernel: Tuple[int, int, int]) -> None:
        super().__init__()
        if channels % self.STEPS:
            raise ValueError("the 3-D ConvLSTM needs a multiple of %d channels, not %d" % (self.STEPS, channels))
        self.depth_kernel = kernel[0]
        self.cell0 = ConvLSTM3dCell(1, self.HIDDEN, kernel)
        self.cell1 = ConvLSTM3dCell(self.HIDDEN, self.HIDDEN, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C/2, H, W)."""
        parameters = self.cell0.fused() + self.cell1.fused()
        return torch.stack([self._recur(scene, parameters) for scene in x])

    def _recur(self, scene: Tensor, parameters: Tuple[Tensor, ...]) -> Tensor:
        volumes = scene.reshape(self.STEPS, -1, 1, *scene.shape[1:])
        state = StackedRecurrence.apply(volumes, self.depth_kernel, torch.is_grad_enabled(), *parameters)
        return state.transpose(0, 1).flatten(0, 1)
