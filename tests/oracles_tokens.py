"""Networks of tokens, by the equations of their papers; see `oracles_layers`.

Each returns logits. `weights` maps a layer's name to its list of arrays.
"""

import math
from functools import partial

import numpy as np

from tests.oracles_layers import Network

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
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * gamma + beta

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
