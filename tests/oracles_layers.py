"""The layers of networks in plain numpy, with PyTorch's, Caffe's and TensorFlow's ways to pad; imports nothing of ours.

Images are (batch, height, width, channels), kernels (height, width, in, out).
"""

import numpy as np


def relu(x):
    return np.maximum(x, 0)


def relu6(x):
    return np.clip(x, 0, 6)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def swish(x):
    return x * sigmoid(x)


def hard_sigmoid(x):
    return relu6(x + 3) / 6


def hard_swish(x):
    return x * hard_sigmoid(x)


def linear(x):
    return x


def pad(x, size, stride, padding, fill=0.0):
    """What windows move over.

    Padding: "valid" is none; "symmetric" PyTorch's, half a window on each side; "same" TensorFlow's, one window a
    stride, the odd one behind; "ceil" Caffe's and PyTorch's ceil_mode: the last window may reach over the end.
    """
    around = [(0, 0)]
    for length, window in zip(x.shape[1:3], size, strict=True):
        missing = max((-(-length // stride) - 1) * stride + window - length, 0)
        around.append(
            {
                "valid": (0, 0),
                "symmetric": (window // 2, window // 2),
                "same": (missing // 2, missing - missing // 2),
                "ceil": (0, (window - length) % stride),
            }[padding]
        )
    return np.pad(x, [*around, (0, 0)], constant_values=fill)


def windows(x, size, stride):
    """Yields (row, column of the window, what stands there in every window)."""
    height, width = (
        (length - window) // stride * stride + 1 for length, window in zip(x.shape[1:3], size, strict=True)
    )
    for i, j in np.ndindex(*size):
        yield i, j, x[:, i : i + height : stride, j : j + width : stride]


def max_pool(x, size, stride, padding="valid"):
    padded = pad(x, (size, size), stride, padding, -np.inf)
    return np.max([part for _, _, part in windows(padded, (size, size), stride)], axis=0)


def average_pool(x, size, stride, padding="valid"):
    """PyTorch and Caffe count the zeros around, TensorFlow only what is there."""

    def sums(x):
        return sum(part for _, _, part in windows(pad(x, (size, size), stride, padding), (size, size), stride))

    return sums(x) / (sums(np.ones_like(x)) if padding == "same" else size * size)


def local_response(x, size=5, alpha=1e-4, beta=0.75):
    """Caffe's LRN layer across channels, of which 1 + alpha times the mean square is the divisor's base."""
    half, channels = size // 2, x.shape[-1]
    y = np.empty_like(x)
    for channel in range(channels):
        near = x[..., max(channel - half, 0) : channel + half + 1]
        y[..., channel] = x[..., channel] / (1 + alpha / size * (near**2).sum(-1)) ** beta
    return y


class Network:
    """Layers with weights, found by the names of their places.

    Args:
        weights: by name the arrays of a layer; of `NAME_bn` the normalization behind the layer NAME.
        epsilon: of batch normalization.
        padding: of convolutions, as in `pad`.
    """

    def __init__(self, weights, *, epsilon=1e-5, padding="symmetric"):
        self.weights, self.epsilon, self.padding = weights, epsilon, padding
        self.unused = {name for name, arrays in weights.items() if arrays}

    def take(self, name):
        self.unused.remove(name)  # each is used once
        return self.weights[name]

    def conv(self, x, name, stride=1, *, groups=1, padding=None):
        kernel, *bias = self.take(name)
        x = pad(x, kernel.shape[:2], stride, padding or self.padding)
        y = 0
        for i, j, part in windows(x, kernel.shape[:2], stride):
            pairs = zip(np.split(part, groups, -1), np.split(kernel[i, j], groups, -1), strict=True)
            y = y + np.concatenate([channels @ filters for channels, filters in pairs], -1)
        return y + bias[0] if bias else y

    def depthwise(self, x, name, stride=1):
        kernel, *bias = self.take(name)
        x = pad(x, kernel.shape[:2], stride, self.padding)
        y = sum(part * kernel[i, j, :, 0] for i, j, part in windows(x, kernel.shape[:2], stride))
        return y + bias[0] if bias else y

    def norm(self, x, name):
        *gamma, beta, mean, variance = self.take(name)
        return (x - mean) / np.sqrt(variance + self.epsilon) * (gamma[0] if gamma else 1) + beta

    def unit(self, x, name, stride=1, act=relu, **options):
        """A convolution, batch normalization if there is one, an activation."""
        x = self.conv(x, name, stride, **options)
        return act(self.norm(x, f"{name}_bn") if f"{name}_bn" in self.weights else x)

    def dense(self, x, name):
        kernel, bias = self.take(name)
        return x @ kernel + bias

    def gates(self, x, name, act, gate):
        """Squeeze-and-excitation, arXiv:1709.01507, figure 2."""
        down, down_bias, up, up_bias = self.take(name)
        hidden = act(x.mean((1, 2), keepdims=True) @ down[0, 0] + down_bias)
        return x * gate(hidden @ up[0, 0] + up_bias)

    def finish(self, outputs):
        """Returns the outputs, if every weight had its use."""
        assert not self.unused
        return outputs
