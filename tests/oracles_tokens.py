"""Networks of tokens, by the equations of their papers; see `oracles_layers`.

Each returns logits. `weights` maps a layer's name to its list of arrays.
"""

import math
from functools import partial

import numpy as np

from tests.oracles_layers import Network, linear, relu

_erf = np.vectorize(math.erf)


def gelu(x):
    return x * (1 + _erf(x / math.sqrt(2))) / 2


def gelu_by_tanh(x):
    """arXiv:1606.08415, section 2."""
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    y = np.exp(x - x.max(-1, keepdims=True))
    return y / y.sum(-1, keepdims=True)


class Tokens(Network):
    def __init__(self, weights, epsilon=1e-6):
        super().__init__(weights, epsilon=epsilon)

    def patches(self, x, size):
        """Each patch flattened, times a matrix."""
        kernel, bias = self.take("patches")
        batch, height, width, _ = x.shape
        found = [
            x[:, i : i + size, j : j + size].reshape(batch, -1)
            for i in range(0, height, size)
            for j in range(0, width, size)
        ]
        return np.stack(found, 1) @ kernel.reshape(-1, kernel.shape[-1]) + bias

    def layer_norm(self, x, name):
        gamma, beta = self.take(name)
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self.epsilon) * gamma + beta

    def affine(self, x, name):
        gamma, beta = self.take(name)
        return x * gamma + beta

    def mlp(self, x, name, act):
        return self.dense(act(self.dense(x, f"{name}_expand")), f"{name}_project")

    def attention(self, x, name):
        """arXiv:1706.03762, section 3.2, head by head."""
        wq, bq, wk, bk, wv, bv, wo, bo = self.take(name)
        y = bo
        for head in range(wq.shape[1]):
            q, k, v = (x @ w[:, head] + b[head] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
            y = y + softmax(q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])) @ v @ wo[head]
        return y

    def window_attention(self, x, name, heads, size, shift):
        """arXiv:2103.14030, eq. 4, window by window and pair by pair; pads and shifts as the published code does."""
        table, qkv, qkv_bias, out, out_bias = self.take(name)
        y = window_attention(x, table, qkv, qkv_bias, heads, (size, size), (shift, shift))
        return y @ out + out_bias


def window_attention(x, table, qkv, qkv_bias, heads, window, shift):
    """What the heads of one layer see, next to each other, before they are projected."""
    batch, height, width, channels = x.shape
    tall, wide = window
    rows, columns = -(-height // tall) * tall, -(-width // wide) * wide
    padded = np.pad(x, ((0, 0), (0, rows - height), (0, columns - width), (0, 0)))
    down, right = (0 if rows <= tall else shift[0]), (0 if columns <= wide else shift[1])
    size, result = channels // heads, np.zeros((batch, rows, columns, channels))
    for top in range(0, rows, tall):
        for left in range(0, columns, wide):
            # Where each place of the window lies before the maps are shifted, and whether it came around an end.
            places = [
                ((i + down) % rows, (j + right) % columns)
                for i in range(top, top + tall)
                for j in range(left, left + wide)
            ]
            around = [
                (i + down >= rows, j + right >= columns)
                for i in range(top, top + tall)
                for j in range(left, left + wide)
            ]
            tokens = np.stack([padded[:, i, j] for i, j in places], 1) @ qkv + qkv_bias
            for head in range(heads):
                q, k, v = (tokens[..., part * channels + head * size :][..., :size] for part in range(3))
                scores = q @ k.transpose(0, 2, 1) / math.sqrt(size)
                for a in range(tall * wide):
                    for b in range(tall * wide):
                        offset = (a // wide - b // wide + tall - 1) * (2 * wide - 1) + a % wide - b % wide + wide - 1
                        scores[:, a, b] += table[offset, head] - 100 * (around[a] != around[b])
                seen = softmax(scores) @ v
                for token, (i, j) in enumerate(places):
                    result[:, i, j, head * size : (head + 1) * size] = seen[:, token]
    return result[:, :height, :width]


def dynamic_depthwise(x, kernels, kernel_size):
    """arXiv:2106.04263, eq. 8 and 9, place by place and channel by channel."""
    batch, height, width, channels = x.shape
    tall, wide = kernel_size
    groups, result = kernels.shape[-1] // (tall * wide), np.zeros(x.shape)
    kernels = np.broadcast_to(kernels, (batch, height, width, kernels.shape[-1]))
    for row, column, i, j in np.ndindex(height, width, tall, wide):
        near_row, near_column = row + i - (tall - 1) // 2, column + j - (wide - 1) // 2
        if 0 <= near_row < height and 0 <= near_column < width:
            for channel in range(channels):
                weight = kernels[:, row, column, (i * wide + j) * groups + channel * groups // channels]
                result[:, row, column, channel] += weight * x[:, near_row, near_column, channel]
    return result


def turned(x):
    return x.transpose(0, 2, 1)


def mixer(x, weights, *, size, blocks, approximate=False):
    """MLP-Mixer, arXiv:2105.01601, eq. 1."""
    net, act = Tokens(weights), gelu_by_tanh if approximate else gelu
    x = net.patches(x, size)
    for block in range(1, blocks + 1):
        tokens, channels = f"stage1_block{block}_tokens", f"stage1_block{block}_channels"
        x = x + turned(net.mlp(turned(net.layer_norm(x, f"{tokens}_norm")), tokens, act))
        x = x + net.mlp(net.layer_norm(x, f"{channels}_norm"), channels, act)
    return net.finish(net.dense(net.layer_norm(x, "stage1_norm").mean(1), "predictions"))


def resmlp(x, weights, *, size, blocks):
    """ResMLP, arXiv:2105.03404, eq. 1 to 4."""
    net = Tokens(weights)
    x = net.patches(x, size)
    for block in range(1, blocks + 1):
        for part in ("tokens", "channels"):
            name = f"stage1_block{block}_{part}"
            y = net.affine(x, f"{name}_affine")
            y = turned(net.dense(turned(y), name)) if part == "tokens" else net.mlp(y, name, gelu)
            (scale,) = net.take(f"{name}_scale")
            x = x + scale * y
    return net.finish(net.dense(net.affine(x, "stage1_affine").mean(1), "predictions"))


def vit(x, weights, *, size, blocks, approximate=False):
    """ViT, arXiv:2010.11929, eq. 1 to 4."""
    net = Tokens(weights)
    x = net.patches(x, size)
    (token,), (positions,) = net.take("class_token"), net.take("positions")
    x = np.concatenate([np.stack([token] * len(x)), x], 1) + positions
    mlp = partial(net.mlp, act=gelu_by_tanh if approximate else gelu)
    for block in range(1, blocks + 1):
        for part, mix in (("attention", net.attention), ("mlp", mlp)):
            name = f"stage1_block{block}_{part}"
            x = x + mix(net.layer_norm(x, f"{name}_norm"), name)
    return net.finish(net.dense(net.layer_norm(x, "stage1_norm")[:, 0], "predictions"))


def swin(x, weights, *, blocks, heads, window):
    """Swin, arXiv:2103.14030, eq. 3; the squares of a merge row by row."""
    net = Tokens(weights, epsilon=1e-5)
    batch, height, width, _ = x.shape
    x = net.patches(x, 4).reshape(batch, height // 4, width // 4, -1)
    x = net.layer_norm(x, "patches_norm")
    for stage, count in enumerate(blocks, start=1):
        if stage > 1:
            x = np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)))
            x = np.concatenate([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], -1)
            (kernel,) = net.take(f"merge{stage - 1}")
            x = net.layer_norm(x, f"merge{stage - 1}_norm") @ kernel
        for block in range(1, count + 1):
            at = f"stage{stage}_block{block}"
            shift = 0 if block % 2 else window // 2
            y = net.layer_norm(x, f"{at}_attention_norm")
            x = x + net.window_attention(y, f"{at}_attention", heads[stage - 1], window, shift)
            x = x + net.mlp(net.layer_norm(x, f"{at}_mlp_norm"), f"{at}_mlp", gelu)
    return net.finish(net.dense(net.layer_norm(x, f"stage{len(blocks)}_norm").mean((1, 2)), "predictions"))


def dwnet(x, weights, *, blocks, kernels):
    """DWNet, arXiv:2106.04263, section 3.3, with the normalizations of its published code."""
    net = Tokens(weights, epsilon=1e-5)
    batch, height, width, _ = x.shape
    x = net.patches(x, 4).reshape(batch, height // 4, width // 4, -1)
    x = net.layer_norm(x, "patches_norm")
    for stage, count in enumerate(blocks, start=1):
        if stage > 1:
            x = np.concatenate([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], -1)
            (kernel,) = net.take(f"merge{stage - 1}")
            x = net.layer_norm(x, f"merge{stage - 1}_norm") @ kernel
        for block in range(1, count + 1):
            at, mlp = f"stage{stage}_block{block}_spatial", f"stage{stage}_block{block}_mlp"
            y = net.unit(x, f"{at}_before")
            if kernels == "static":
                kernel, bias = net.take(at)
                of_all = kernel[..., 0].reshape(1, 1, 1, -1)
            else:
                source = y.mean((1, 2), keepdims=True) if kernels == "homogeneous" else y
                of_all = net.conv(net.unit(source, f"{at}_reduce"), f"{at}_kernels")
                (bias,) = net.take(f"{at}_bias") if kernels == "homogeneous" else (0,)
            y = relu(net.norm(dynamic_depthwise(y, of_all, (7, 7)) + bias, f"{at}_bn"))
            x = x + net.unit(y, f"{at}_after", act=linear)
            x = x + net.mlp(net.norm(x, f"{mlp}_norm"), mlp, gelu)
    return net.finish(net.dense(net.layer_norm(x, f"stage{len(blocks)}_norm").mean((1, 2)), "predictions"))
