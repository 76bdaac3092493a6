"""The equations in numpy, one by one, with complex numbers as numpy knows them."""

import numpy as np
from scipy.signal import correlate2d


def stacked(x):
    """Complex (..., C) to the real parts, then the imaginary parts, (..., 2·C) float32."""
    return np.concatenate([x.real, x.imag], axis=-1).astype(np.float32)


def as_complex(x):
    """The inverse of `stacked`."""
    real, imaginary = np.split(x, 2, axis=-1)
    return real + 1j * imaginary


def convolve(x, w):
    """(M, H, W, I) with a kernel (s, s, I, O), zero-padded, not flipped; real or complex."""
    result = np.zeros(x.shape[:3] + w.shape[3:], np.result_type(x, w))
    for patch in range(len(x)):
        for given in range(w.shape[2]):
            for made in range(w.shape[3]):
                # numpy's correlation conjugates its second argument; the convolution of R4 does not
                part = correlate2d(x[patch, :, :, given], np.conj(w[:, :, given, made]), "same")
                result[patch, :, :, made] += part
    return result


def sigmoid(x):
    """Of real and imaginary part apart, as R6 says."""
    if np.iscomplexobj(x):
        return sigmoid(x.real) + 1j * sigmoid(x.imag)
    return 1 / (1 + np.exp(-x))


def tanh(x):
    """Of real and imaginary part apart."""
    return np.tanh(x.real) + 1j * np.tanh(x.imag) if np.iscomplexobj(x) else np.tanh(x)


def sample(x, down, right):
    """R5 pixel by pixel: x (M, H, W, C) at (y + Δy, x + Δx), bilinear, coordinates clipped to the patch."""
    _, height, width, _ = x.shape
    result = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        patch, row, column, channel = index
        y = min(max(row + down[index], 0), height - 1)
        z = min(max(column + right[index], 0), width - 1)
        top, left = int(np.floor(y)), int(np.floor(z))
        for a, share_a in ((top, 1 - (y - top)), (min(top + 1, height - 1), y - top)):
            for b, share_b in ((left, 1 - (z - left)), (min(left + 1, width - 1), z - left)):
                result[index] += share_a * share_b * x[patch, a, b, channel]
    return result


def lstm_step(z, cell):
    """R6 from z in the order i, f, o, g; real or complex. Returns h', c'."""
    i, f, o, g = np.split(z, 4, axis=-1)
    one = 1 + 1j if np.iscomplexobj(z) else 1  # the forget bias, on both parts
    cell = sigmoid(f + one) * cell + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(cell), cell


def pd_conv_lstm(x, w, u, b, offsets=None):
    """(T, N, H, W, I) to all hidden states. w, u: kernels to 4·C maps; b (4·C).

    offsets: (kernel, bias) of the convolution that predicts Δy, then Δx, from [re; im]; None without deformation.
    """
    cell, hidden, states = 0, None, []
    for x_t in x:
        if offsets is not None:
            maps = stacked(x_t) if np.iscomplexobj(x) else x_t
            down, right = np.split(convolve(maps, offsets[0]) + offsets[1], 2, axis=-1)
            x_t = sample(x_t, down, right)
        z = convolve(x_t, w) + b
        if hidden is not None:
            z = z + convolve(hidden, u)
        hidden, cell = lstm_step(z, cell)
        states.append(hidden)
    return np.stack(states)
