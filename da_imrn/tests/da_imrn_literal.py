"""DA-IMRN equation by equation in numpy, float64, in inference mode: the slow oracle our network is measured against.

Arrays are (N, b, b, D, F). Nothing here knows Keras: weights are taken from `Weights` in the order in which the
equations name them.
"""

import numpy as np

WIDTHS = ((32, 64), (32, 64), (64, 128), (64, 128), (128, 256), (128, 256))
SPECTRAL = ((1, 1, 3), (1, 1, 5), (1, 1, 7))
SPATIAL = {"three_kernels": ((3, 3, 1), (5, 5, 1), (7, 7, 1)), "pointwise": ((1, 1, 1),)}


class Weights:
    """Weights by kind of layer, in the order of making: conv and dense (kernel, bias), norm (γ, β, μ, σ²)."""

    def __init__(self, conv, dense, norm):
        self.conv, self.dense, self.norm = iter(conv), iter(dense), iter(norm)

    def all_used(self):
        return all(next(kind, None) is None for kind in (self.conv, self.dense, self.norm))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def convolution(x, kernel, bias, strides=(1, 1, 1), same=False):
    """out[n, i, j, k] = bias + Σ over positions (u, v, w) of x[n, i·s+u, j·s+v, k·s+w] · kernel[u, v, w]."""
    size = kernel.shape[:3]
    if same:
        before = [(length - 1) // 2 for length in size]
        x = np.pad(x, [(0, 0)] + [(k, length - 1 - k) for k, length in zip(before, size)] + [(0, 0)], mode="constant")
    out = [(x.shape[axis + 1] - size[axis]) // strides[axis] + 1 for axis in range(3)]
    result = np.zeros([len(x)] + out + [kernel.shape[4]]) + bias
    for u, v, w in np.ndindex(*size):
        window = x[
            :,
            u : u + strides[0] * (out[0] - 1) + 1 : strides[0],
            v : v + strides[1] * (out[1] - 1) + 1 : strides[1],
            w : w + strides[2] * (out[2] - 1) + 1 : strides[2],
        ]
        result += window @ kernel[u, v, w]
    return result


def batch_norm(x, weights):
    """Every band with its own γ, β, μ, σ²."""
    gamma, beta, mean, variance = next(weights.norm)
    result = np.empty_like(x)
    for band in range(x.shape[3]):
        scale = gamma[band] / np.sqrt(variance[band] + 1e-6)
        result[:, :, :, band] = scale * (x[:, :, :, band] - mean[band]) + beta[band]
    return result


def upsample(x, factor):
    return x.repeat(factor, axis=1).repeat(factor, axis=2)


def scam(x, weights):
    half = x.shape[1] // 2
    kernel, bias = next(weights.dense)
    hidden = relu(x.mean(axis=(1, 2, 3)) @ kernel + bias)
    kernel, bias = next(weights.dense)
    g = sigmoid(hidden @ kernel + bias)[:, None, None, None, :]
    a1 = sigmoid(convolution(x, *next(weights.conv)))
    a2 = upsample(sigmoid(convolution(x, *next(weights.conv), strides=(half, half, 1))), half)
    m = (g + a2 + a1) / 3
    return m * x + x


def sam(x, weights):
    side = x.shape[1]
    s = upsample(sigmoid(convolution(x, *next(weights.conv), strides=(side, side, 1))), side)
    return s * x + x


def block(x, weights, kernels, stride):
    """MSpeRB or MSpaRB, by its kernels."""
    shortcut = batch_norm(convolution(x, *next(weights.conv), strides=(1, 1, stride)), weights)
    parallel = []
    for size in kernels:
        kernel, bias = next(weights.conv)
        assert kernel.shape[:3] == size
        parallel.append(convolution(shortcut, kernel, bias, same=True))
    residual = batch_norm(convolution(np.concatenate(parallel, axis=4), *next(weights.conv)), weights)
    x = relu(residual + shortcut)
    return relu(batch_norm(convolution(x, *next(weights.conv)), weights))


def network(x, weights, strides, form):
    """(N, b, b, B, 1) to (N, b, b, 1, K)."""
    a = s = x
    for stride in strides:
        c = scam(a, weights)
        q = sam(s, weights)
        a_next = block(np.concatenate([a, q], axis=4), weights, SPATIAL[form], stride)
        s_next = block(np.concatenate([s, c], axis=4), weights, SPECTRAL, stride)
        a, s = a_next, s_next
    x = np.concatenate([a, s], axis=4)[:, :, :, :3].mean(axis=3, keepdims=True)
    logits = convolution(x, *next(weights.conv))
    exponential = np.exp(logits - logits.max(axis=4, keepdims=True))
    return exponential / exponential.sum(axis=4, keepdims=True)


def focal_loss(y, p):
    """Position by position."""
    total = 0.0
    for place in np.ndindex(*y.shape[:-1]):
        q = p[place] + 1e-9
        total += max(0.5 * y[place] * (1 - q) ** 2 * -np.log(q))
    return total / np.prod(y.shape[:-1])
