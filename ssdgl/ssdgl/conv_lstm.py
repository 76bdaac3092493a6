"""ConvLSTM over the spectral groups: the recurrence of the paper's global convolutional LSTM, as one autograd node.

    i = σ(Wxi∗x + Whi∗h)      f = σ(Wxf∗x + Whf∗h)      o = σ(Wxo∗x + Who∗h)
    c' = f∘c + i∘tanh(Wxc∗x + Whc∗h)                     h' = o∘tanh(c')

Written literally this is eight thin convolutions a step and a dozen element-wise results kept for the backward pass.
Here the four gates are the rows of one kernel Wx and one kernel Wh; Wx convolves the signals of all steps at once, Wh
every hidden state but the first, which is zero. The backward pass is written out: beside x and the hidden states, only
the gates and c are kept, and it works on contiguous channel slices instead of copies.

The peephole terms of the paper's equations exist in the release as constant zeros and drop out.
"""

from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ssdgl.convolution import convolution_gradients
from ssdgl.stages import Local, Stages

GATES = "ifoc"  # order of the fused kernel: the three sigmoid gates first, so that one call serves them


class ConvLSTMRecurrence(torch.autograd.Function):
    """T steps of one cell from h = c = 0.

    Inputs: x (T, N, I, H, W); weight_x (4·D, I, k, k), weight_h (4·D, D, k, k), bias (4·D), rows i, f, o, c.
    Output: the hidden states (T, N, D, H, W).
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight_x: Tensor, weight_h: Tensor, bias: Tensor) -> Tensor:
        hidden, padding = weight_h.shape[1], weight_h.shape[2] // 2
        # the input convolution of all steps; its output becomes the gates in place
        gates = F.conv2d(x.flatten(0, 1), weight_x, bias, padding=padding)
        gates = gates.view(x.shape[:2] + gates.shape[1:])
        cells = x.new_empty(x.shape[:2] + (hidden,) + x.shape[3:])
        states = torch.empty_like(cells)
        for t in range(x.shape[0]):
            if t > 0:
                gates[t] += F.conv2d(states[t - 1], weight_h, padding=padding)
            gates[t, :, : 3 * hidden].sigmoid_()
            gates[t, :, 3 * hidden :].tanh_()
            i, f, o, g = gates[t].split(hidden, dim=1)
            c = torch.mul(i, g, out=cells[t])
            if t > 0:
                c.addcmul_(f, cells[t - 1])
            torch.mul(o, torch.tanh(c), out=states[t])
        ctx.save_for_backward(x, weight_x, weight_h, gates, cells, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_states: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        x, weight_x, weight_h, gates, cells, states = ctx.saved_tensors
        hidden = weight_h.shape[1]
        grad_x, grad_z = torch.empty_like(x), torch.empty_like(gates[0])
        grad_weight_x, grad_weight_h = torch.zeros_like(weight_x), torch.zeros_like(weight_h)
        grad_bias = weight_x.new_zeros(4 * hidden)
        grad_h: Optional[Tensor] = None  # gradient with respect to h_t from step t + 1
        grad_c: Optional[Tensor] = None  # gradient with respect to c_t from step t + 1
        for t in range(x.shape[0] - 1, -1, -1):
            i, f, o, g = gates[t].split(hidden, dim=1)
            grad_i, grad_f, grad_o, grad_g = grad_z.split(hidden, dim=1)
            dh = grad_states[t] if grad_h is None else grad_states[t] + grad_h
            tanh_c = torch.tanh(cells[t])
            dc = torch.ops.aten.tanh_backward(dh * o, tanh_c)
            if grad_c is not None:
                dc += grad_c
            torch.mul(dc, g, out=grad_i)
            torch.mul(dh, tanh_c, out=grad_o)
            torch.mul(dc, i, out=grad_g)
            if t > 0:
                torch.mul(dc, cells[t - 1], out=grad_f)
                grad_c = dc.mul_(f)
            else:
                grad_f.zero_()
            sigmoids = grad_z[:, : 3 * hidden]
            sigmoids.copy_(torch.ops.aten.sigmoid_backward(sigmoids, gates[t, :, : 3 * hidden]))
            grad_g.copy_(torch.ops.aten.tanh_backward(grad_g, g))
            grad_x[t], dw = convolution_gradients(grad_z, x[t], weight_x)
            grad_weight_x += dw
            grad_bias += grad_z.sum(dim=(0, 2, 3))
            if t > 0:
                grad_h, dw = convolution_gradients(grad_z, states[t - 1], weight_h)
                grad_weight_h += dw
        return grad_x, grad_weight_x, grad_weight_h, grad_bias


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
        weight_x = torch.cat([kernel.weight for kernel in self._kernels("x")])
        weight_h = torch.cat([kernel.weight for kernel in self._kernels("h")])
        bias = torch.cat([kernel.bias for kernel in self._kernels("x")])
        return ConvLSTMRecurrence.apply(x, weight_x, weight_h, bias)


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
        self.depth, self.kernel = len(hidden_sizes), kernel
        for index in range(self.depth):
            self.add_module("cell%d" % index, ConvLSTMCell(sizes[index], sizes[index + 1], kernel))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 8·D, H, W)."""
        batch, channels, height, width = x.shape
        steps = x.reshape(batch, self.STEPS, channels // self.STEPS, height, width).transpose(0, 1)
        for index in range(self.depth):
            steps = getattr(self, "cell%d" % index)(steps)
        return steps.transpose(0, 1).reshape(batch, -1, height, width)

    def stages(self) -> Stages:
        """The receptive-field radius from the first signal to the last hidden state: one input convolution per cell and
        seven recurrent ones."""
        convolutions = self.depth + self.STEPS - 1
        reason = "half the %d×%d kernel, %d times in a row" % (self.kernel, self.kernel, convolutions)
        yield Local(self, convolutions * (self.kernel // 2), reason)
