"""Whole networks in plain numpy, by the papers' figures; imports no keraslayers and no keras.

`weights` maps a layer's name to its list of arrays, kernels as (height, width, in, out).
"""

import numpy as np


def convolve(x, kernel, stride=1, same=True):
    """Convolution with TensorFlow's padding: what is missing on one side only is missing at the end."""
    size = kernel.shape[0]
    x, out = _windows(x, size, stride, same, 0.0)
    y = np.zeros((x.shape[0], *out, kernel.shape[3]))
    for i in range(size):
        for j in range(size):
            y += _shifted(x, i, j, out, stride) @ kernel[i, j]
    return y


def convolve_depthwise(x, kernel, stride=1, same=True):
    size = kernel.shape[0]
    x, out = _windows(x, size, stride, same, 0.0)
    y = np.zeros((x.shape[0], *out, x.shape[3]))
    for i in range(size):
        for j in range(size):
            y += _shifted(x, i, j, out, stride) * kernel[i, j, :, 0]
    return y


def convolve_grouped(x, kernel, groups):
    """Each group of filters sees its own group of channels."""
    parts = zip(np.split(x, groups, -1), np.split(kernel, groups, -1), strict=True)
    return np.concatenate([convolve(part, filters) for part, filters in parts], -1)


def pool(x, size, stride, same, take):
    """`take` is np.max or np.mean, over the places of each window."""
    x, out = _windows(x, size, stride, same, -np.inf)
    shifted = [_shifted(x, i, j, out, stride) for i in range(size) for j in range(size)]
    return take(np.stack(shifted), axis=0)


def _windows(x, size, stride, same, fill):
    if not same:
        return x, tuple((n - size) // stride + 1 for n in x.shape[1:3])
    out = tuple(-(-n // stride) for n in x.shape[1:3])
    missing = [max((o - 1) * stride + size - n, 0) for o, n in zip(out, x.shape[1:3], strict=True)]
    padding = [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)]
    return np.pad(x, padding, constant_values=fill), out


def _shifted(x, i, j, out, stride):
    return x[:, i : i + out[0] * stride : stride, j : j + out[1] * stride : stride][:, : out[0], : out[1]]


def relu(x):
    return np.maximum(x, 0)


def normalize(x, gamma, beta, mean, variance, epsilon):
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def shuffle(x, groups):
    """First channel of the first group, first of the second group, ..., second of the first group, ..."""
    size = x.shape[-1] // groups
    return np.stack([x[..., group * size + i] for i in range(size) for group in range(groups)], -1)


def halved(x, symmetric):
    """What a 3x3 window of stride 2 moves over, and `same`: PyTorch puts a zero on each side."""
    return (np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), False) if symmetric else (x, True)


def shufflenet_v2(x, weights, symmetric=False):
    """Logits of ShuffleNet V2 (arXiv:1807.11164, figure 3 (c) and (d), table 5), at any width."""
    x = np.asarray(x, "float64")

    def conv(x, name, stride=1, same=True):
        return relu(normalize(convolve(x, *weights[name], stride, same), *weights[f"{name}_bn"], 1e-5))

    def depthwise(x, name, stride=1):
        x, same = halved(x, symmetric and stride == 2)
        return normalize(convolve_depthwise(x, *weights[name], stride, same), *weights[f"{name}_bn"], 1e-5)

    def branch(x, place, stride):
        x = conv(x, f"{place}_expand")
        x = depthwise(x, f"{place}_depthwise", stride)
        return conv(x, f"{place}_project")

    x, same = halved(x, symmetric)
    x, same = halved(conv(x, "stem", 2, same), symmetric)
    x = pool(x, 3, 2, same, np.max)
    for stage, units in ((2, 4), (3, 8), (4, 4)):
        place = f"stage{stage}_unit1"
        left = conv(depthwise(x, f"{place}_shortcut_depthwise", 2), f"{place}_shortcut_project")
        x = shuffle(np.concatenate([left, branch(x, place, 2)], -1), 2)
        for unit in range(2, units + 1):
            half = x.shape[-1] // 2
            right = branch(x[..., half:], f"stage{stage}_unit{unit}", 1)
            x = shuffle(np.concatenate([x[..., :half], right], -1), 2)
    kernel, bias = weights["predictions"]
    return conv(x, "head").mean((1, 2)) @ kernel + bias


def shufflenet(x, weights, groups, symmetric=False):
    """Logits of ShuffleNet (arXiv:1707.01083, figure 2 (b) and (c), table 1), at any width."""
    x = np.asarray(x, "float64")

    def norm(x, name):
        return normalize(x, *weights[f"{name}_bn"], 1e-5)

    def branch(x, place, first_groups, stride):
        x = relu(norm(convolve_grouped(x, *weights[f"{place}_squeeze"], first_groups), f"{place}_squeeze"))
        x, same = halved(shuffle(x, groups), symmetric and stride == 2)
        x = norm(convolve_depthwise(x, *weights[f"{place}_depthwise"], stride, same), f"{place}_depthwise")
        return norm(convolve_grouped(x, *weights[f"{place}_expand"], groups), f"{place}_expand")

    def average(x):
        def sums(x):
            x, same = halved(x, symmetric)
            return convolve_depthwise(x, np.ones((3, 3, x.shape[-1], 1)), 2, same)

        # PyTorch counts the zeros around, TensorFlow only what is there.
        return sums(x) / (9 if symmetric else sums(np.ones_like(x)))

    x, same = halved(x, symmetric)
    x, same = halved(relu(norm(convolve(x, *weights["stem"], 2, same), "stem")), symmetric)
    x = pool(x, 3, 2, same, np.max)
    for stage, units in ((2, 4), (3, 8), (4, 4)):
        first_groups = 1 if stage == 2 else groups
        x = relu(np.concatenate([average(x), branch(x, f"stage{stage}_unit1", first_groups, 2)], -1))
        for unit in range(2, units + 1):
            x = relu(x + branch(x, f"stage{stage}_unit{unit}", groups, 1))
    kernel, bias = weights["predictions"]
    return x.mean((1, 2)) @ kernel + bias


def lenet5(x, weights, modern):
    """Logits of LeNet-5 with every map of S2 in C3, and plain means or maxima as subsampling."""
    activate, take = (relu, np.max) if modern else (lambda a: 1 / (1 + np.exp(-a)), np.mean)
    x = np.asarray(x, "float64")
    for convolution in ("c1", "c3"):
        kernel, bias = weights[convolution]
        x = pool(activate(convolve(x, kernel, same=False) + bias), 2, 2, False, take)
    x = x.reshape(len(x), -1)
    for dense in ("c5", "f6"):
        kernel, bias = weights[dense]
        x = activate(x @ kernel + bias)
    kernel, bias = weights["predictions"]
    return x @ kernel + bias
