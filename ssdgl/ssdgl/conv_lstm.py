"""ConvLSTM over the spectral groups: the recurrence of the paper's global convolutional LSTM, as one autograd node.

    i = σ(Wxi∗x + Whi∗h)      f = σ(Wxf∗x + Whf∗h)      o = σ(Wxo∗x + Who∗h)
    c' = f∘c + i∘tanh(Wxc∗x + Whc∗h)                     h' = o∘tanh(c')

Written literally this is eight thin convolutions a step and a dozen element-wise results kept for the backward pass.
Here the eight kernels are one kernel over [x, h] (Wx and Wh side by side, the four gates one below the other), so a
step is one convolution; the first step, whose h is zero, convolves x alone. The backward pass is written out, so
only the gates, c and [x, h] are kept, and it uses contiguous channel slices instead of copies.

The peephole terms of the paper's equations exist in the release as constant zeros and drop out.
"""

from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

try:
    convolution_backward = torch.ops.aten.convolution_backward
except (AttributeError, RuntimeError):  # PyTorch before 1.11 offers no such call
    convolution_backward = None

GATES = "ifoc"  # order of the fused kernel: the three sigmoid gates first, so that one call serves them


def convolution_gradients(grad: Tensor, x: Tensor, weight: Tensor, padding: int) -> Tuple[Tensor, Tensor, Tensor]:
    """Gradients of conv2d(x, weight, bias) with respect to x, weight and bias, in one call where PyTorch has it."""
    if convolution_backward is not None:
        return convolution_backward(
            grad, x, weight, [weight.shape[0]], [1, 1], [padding] * 2, [1, 1], False, [0, 0], 1, [True, True, True]
        )
    with torch.enable_grad():  # differentiate a second forward pass
        x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
        output = F.conv2d(x, weight, padding=padding)
    grad_x, grad_weight = torch.autograd.grad(output, (x, weight), grad)
    return grad_x, grad_weight, grad.sum(dim=(0, 2, 3))


class ConvLSTMRecurrence(torch.autograd.Function):
    """T steps of one cell from h = c = 0.

    Inputs: x (T, N, I, H, W); weight (4·D, I + D, k, k), rows i, f, o, c and columns [x, h]; bias (4·D).
    Output: the hidden states (T, N, D, H, W).
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        steps, batch, inputs = x.shape[:3]
        hidden = weight.shape[0] // 4
        padding = weight.shape[2] // 2
        # signals[t] is [x_t, h_{t-1}]: the step writes its h straight into the next step's place
        signals = x.new_empty((steps + 1, batch, inputs + hidden) + x.shape[3:])
        signals[:steps, :, :inputs] = x
        gates = x.new_empty((steps, batch, 4 * hidden) + x.shape[3:])
        cells = x.new_empty((steps, batch, hidden) + x.shape[3:])
        for t in range(steps):
            if t == 0:
                z = F.conv2d(signals[0, :, :inputs], weight[:, :inputs], bias, padding=padding)
            else:
                z = F.conv2d(signals[t], weight, bias, padding=padding)
            torch.sigmoid(z[:, : 3 * hidden], out=gates[t, :, : 3 * hidden])
            torch.tanh(z[:, 3 * hidden :], out=gates[t, :, 3 * hidden :])
            i, f, o, g = gates[t].split(hidden, dim=1)
            c = torch.mul(i, g, out=cells[t])
            if t > 0:
                c.addcmul_(f, cells[t - 1])
            torch.mul(o, torch.tanh(c), out=signals[t + 1, :, inputs:])
        ctx.save_for_backward(signals, gates, cells, weight)
        return signals[1:, :, inputs:].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_hidden: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        signals, gates, cells, weight = ctx.saved_tensors
        steps, batch, channels = gates.shape[:3]
        hidden = channels // 4
        inputs = signals.shape[2] - hidden
        padding = weight.shape[2] // 2
        grad_x = signals.new_empty((steps, batch, inputs) + signals.shape[3:])
        grad_weight, grad_bias = torch.zeros_like(weight), weight.new_zeros(channels)
        grad_z = torch.empty_like(gates[0])
        grad_h: Optional[Tensor] = None  # what reaches h_t from step t + 1
        grad_c: Optional[Tensor] = None  # what reaches c_t from step t + 1
        for t in range(steps - 1, -1, -1):
            i, f, o, g = gates[t].split(hidden, dim=1)
            grad_i, grad_f, grad_o, grad_g = grad_z.split(hidden, dim=1)
            dh = grad_hidden[t] if grad_h is None else grad_hidden[t] + grad_h
            tanh_c = torch.tanh(cells[t])
            dc = torch.ops.aten.tanh_backward(dh * o, tanh_c)
            if grad_c is not None:
                dc += grad_c
            torch.mul(dc, g, out=grad_i)
            torch.mul(dh, tanh_c, out=grad_o)
            torch.mul(dc, i, out=grad_g)
            if t > 0:
                torch.mul(dc, cells[t - 1], out=grad_f)
                grad_c = dc * f
            else:
                grad_f.zero_()
            sigmoids = grad_z[:, : 3 * hidden]
            sigmoids.copy_(torch.ops.aten.sigmoid_backward(sigmoids, gates[t, :, : 3 * hidden]))
            grad_g.copy_(torch.ops.aten.tanh_backward(grad_g, g))
            if t > 0:
                grad_signal, dw, db = convolution_gradients(grad_z, signals[t], weight, padding)
                grad_weight += dw
                grad_h = grad_signal[:, inputs:]
                grad_x[t] = grad_signal[:, :inputs]
            else:
                grad_x[0], dw, db = convolution_gradients(grad_z, signals[0, :, :inputs], weight[:, :inputs], padding)
                grad_weight[:, :inputs] += dw
            grad_bias += db
        return grad_x, grad_weight, grad_bias


class ConvLSTMCell(nn.Module):
    """The eight kernels of one cell, under the release's names: Wx* with a bias, Wh* without."""

    def __init__(self, channels: int, hidden: int, kernel: int) -> None:
        super().__init__()
        padding = (kernel - 1) // 2
        for gate in "ifco":
            self.add_module("Wx" + gate, nn.Conv2d(channels, hidden, kernel, padding=padding))
            self.add_module("Wh" + gate, nn.Conv2d(hidden, hidden, kernel, padding=padding, bias=False))

    def _kernels(self, source: str) -> List[nn.Conv2d]:
        return [getattr(self, "W" + source + gate) for gate in GATES]

    def forward(self, x: Tensor) -> Tensor:
        """(T, N, I, H, W) signals to the (T, N, D, H, W) hidden states."""
        of_x = torch.cat([kernel.weight for kernel in self._kernels("x")])
        of_h = torch.cat([kernel.weight for kernel in self._kernels("h")])
        bias = torch.cat([kernel.bias for kernel in self._kernels("x")])
        return ConvLSTMRecurrence.apply(x, torch.cat([of_x, of_h], dim=1), bias)


class GlobalConvLSTM(nn.Module):
    """GCL: the C channels, cut into 8 consecutive groups, are 8 time steps through stacked ConvLSTM cells.

    hidden_sizes: one entry per cell; the last cell's 8 hidden states are concatenated to 8·hidden_sizes[-1] channels.
    """

    STEPS = 8

    def __init__(self, channels: int, hidden_sizes: List[int], kernel: int) -> None:
        super().__init__()
        if channels % self.STEPS:
            raise ValueError("the global ConvLSTM needs a multiple of %d channels, not %d" % (self.STEPS, channels))
        sizes = [channels // self.STEPS, *hidden_sizes]
        self.depth = len(hidden_sizes)
        for index in range(self.depth):
            self.add_module("cell%d" % index, ConvLSTMCell(sizes[index], sizes[index + 1], kernel))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 8·D, H, W)."""
        batch, channels, height, width = x.shape
        steps = x.reshape(batch, self.STEPS, channels // self.STEPS, height, width).transpose(0, 1)
        for index in range(self.depth):
            steps = getattr(self, "cell%d" % index)(steps)
        return steps.transpose(0, 1).reshape(batch, -1, height, width)
