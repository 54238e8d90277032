"""Transformers for images, in the style of the examples on keras.io."""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.others.data import images, settle


class Patches(layers.Layer):
    """Cuts images into patches and lays each patch flat."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        _, height, width, channels = x.shape
        patches = ops.image.extract_patches(x, size=self.size)
        return ops.reshape(patches, (-1, (height // self.size) * (width // self.size), self.size**2 * channels))


class PatchEncoder(layers.Layer):
    """A dense layer on each patch, and what the model learned of its place."""

    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.count = count
        self.project = layers.Dense(width)
        self.places = layers.Embedding(count, width)

    def call(self, patches):
        places = ops.expand_dims(ops.arange(self.count), axis=0)
        return self.project(patches) + self.places(places)


def mlp(x, widths, dropout=0.1):
    for width in widths:
        x = layers.Dropout(dropout)(layers.Dense(width, activation=keras.activations.gelu)(x))
    return x


def encoded(inputs, size=8, width=32):
    x = Patches(size)(inputs)
    return PatchEncoder(x.shape[1], width)(x)


def vit():
    """Attention over patches, all of them flat before the head."""
    inputs = keras.Input((48, 48, 3))
    x = encoded(inputs)
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([layers.MultiHeadAttention(2, 32, dropout=0.1)(y, y), x])
        x = layers.Add()([mlp(layers.LayerNormalization(epsilon=1e-6)(x), (64, 32)), x])
    x = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(x))
    x = layers.Dense(10)(mlp(layers.Dropout(0.5)(x), (64, 32), 0.5))
    model, x = keras.Model(inputs, x), images(48, 48, 3)
    return settle(model, x), x


def eanet():
    """External attention: two dense layers are the memory that all images share; normalized twice."""

    def attention(x, width, heads=4, factor=4):
        _, count, channels = x.shape
        heads = heads * factor
        x = layers.Dense(width * factor)(x)
        x = ops.transpose(ops.reshape(x, (-1, count, heads, width * factor // heads)), (0, 2, 1, 3))
        scores = layers.Dense(16)(x)
        scores = layers.Activation("softmax")(scores)
        scores = scores / (1e-9 + ops.sum(scores, axis=-1, keepdims=True))
        x = layers.Dense(width * factor // heads)(layers.Dropout(0.2)(scores))
        x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, count, width * factor))
        return layers.Dropout(0.2)(layers.Dense(channels)(x))

    inputs = keras.Input((32, 32, 3))
    x = encoded(inputs, size=4, width=32)
    for _ in range(2):
        x = layers.add([attention(layers.LayerNormalization(epsilon=1e-5)(x), 32), x])
        x = layers.add([mlp(layers.LayerNormalization(epsilon=1e-5)(x), (32, 32)), x])
    x = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    model, x = keras.Model(inputs, x), images(32, 32, 3)
    return settle(model, x), x


class MixerBlock(layers.Layer):
    """A network across patches, then one across channels."""

    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.across = keras.Sequential(
            [layers.Dense(count, activation="gelu"), layers.Dense(count), layers.Dropout(0.2)]
        )
        self.along = keras.Sequential(
            [layers.Dense(width, activation="gelu"), layers.Dense(width), layers.Dropout(0.2)]
        )
        self.norm = layers.LayerNormalization(epsilon=1e-6)

    def build(self, shape):
        self.across.build((shape[0], shape[2], shape[1]))
        self.along.build(shape)
        self.norm.build(shape)

    def call(self, x):
        y = ops.transpose(self.norm(x), (0, 2, 1))
        x = ops.transpose(self.across(y), (0, 2, 1)) + x
        return self.along(self.norm(x)) + x


class GatingBlock(layers.Layer):
    """gMLP: half of the channels, mixed across patches, is the gate of the other half."""

    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.Sequential([layers.Dense(2 * width, activation="gelu"), layers.Dropout(0.2)])
        self.last = layers.Dense(width)
        self.spatial = layers.Dense(count, bias_initializer="ones")
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]

    def call(self, x):
        u, v = ops.split(self.first(self.norms[0](x)), 2, axis=2)
        v = ops.transpose(self.spatial(ops.transpose(self.norms[1](v), (0, 2, 1))), (0, 2, 1))
        return x + self.last(u * v)


class FourierBlock(layers.Layer):
    """FNet: the real part of a Fourier transform over patches and channels takes the place of attention."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.along = keras.Sequential(
            [layers.Dense(width, activation="gelu"), layers.Dropout(0.2), layers.Dense(width)]
        )
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]

    def call(self, x):
        real, _ = ops.fft2((x, ops.zeros_like(x)))
        x = self.norms[0](x + real)
        return self.norms[1](x + self.along(x))


def _of_blocks(block):
    inputs = keras.Input((32, 32, 3))
    x = encoded(inputs, size=4, width=32)
    for _ in range(2):
        x = block(x.shape[1])(x)
    x = layers.Dense(10)(layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(x)))
    model, x = keras.Model(inputs, x), images(32, 32, 3)
    return settle(model, x), x


def mlp_mixer():
    return _of_blocks(lambda count: MixerBlock(count, 32))


def gmlp():
    return _of_blocks(lambda count: GatingBlock(count, 32))


def fnet():
    return _of_blocks(lambda count: FourierBlock(32))


class WindowAttention(layers.Layer):
    """Attention inside a window, with a bias for each distance."""

    def __init__(self, width, window, heads, **kwargs):
        super().__init__(**kwargs)
        self.width, self.window, self.heads = width, window, heads
        self.qkv, self.project = layers.Dense(3 * width), layers.Dense(width)

    def build(self, shape):
        span = 2 * self.window - 1
        self.table = self.add_weight(shape=(span * span, self.heads), initializer="zeros", name="table")
        places = np.stack(np.divmod(np.arange(self.window**2), self.window), axis=-1)
        apart = places[:, None] - places[None] + self.window - 1
        self.index = (apart[..., 0] * span + apart[..., 1]).reshape(-1)
        super().build(shape)

    def call(self, x, apart=None):
        _, size, channels = x.shape
        head = channels // self.heads
        qkv = ops.transpose(ops.reshape(self.qkv(x), (-1, size, 3, self.heads, head)), (2, 0, 3, 1, 4))
        q, k, v = qkv[0] * head**-0.5, qkv[1], qkv[2]
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))
        bias = ops.reshape(ops.take(self.table, self.index, axis=0), (size, size, self.heads))
        scores = scores + ops.expand_dims(ops.transpose(bias, (2, 0, 1)), 0)
        if apart is not None:
            windows = apart.shape[0]
            scores = ops.reshape(scores, (-1, windows, self.heads, size, size))
            scores = scores + ops.expand_dims(ops.expand_dims(apart, 1), 0)
            scores = ops.reshape(scores, (-1, self.heads, size, size))
        x = ops.transpose(ops.matmul(ops.softmax(scores), v), (0, 2, 1, 3))
        return self.project(ops.reshape(x, (-1, size, channels)))


class SwinBlock(layers.Layer):
    """Attention in windows, shifted ones every second time."""

    def __init__(self, width, side, window, heads, shift, **kwargs):
        super().__init__(**kwargs)
        self.side, self.window, self.shift = side, window, shift
        self.norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]
        self.attention = WindowAttention(width, window, heads)
        self.mlp = keras.Sequential([layers.Dense(2 * width, activation="gelu"), layers.Dense(width)])

    def _cut(self, x):
        parts, window, channels = self.side // self.window, self.window, x.shape[-1]
        x = ops.reshape(x, (-1, parts, window, parts, window, channels))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, window * window, channels))

    def _joined(self, x):
        parts, window, channels = self.side // self.window, self.window, x.shape[-1]
        x = ops.reshape(x, (-1, parts, parts, window, window, channels))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, self.side, self.side, channels))

    def build(self, shape):
        self.mask = None
        if self.shift:
            region = [0] * (self.side - self.window) + [1] * (self.window - self.shift) + [2] * self.shift
            parts, window = self.side // self.window, self.window
            regions = 3 * np.array(region)[:, None] + np.array(region)
            ids = regions.reshape(parts, window, parts, window).transpose(0, 2, 1, 3).reshape(-1, window**2)
            self.mask = np.where(ids[:, None] != ids[:, :, None], -100.0, 0.0).astype("float32")
        super().build(shape)

    def call(self, x):
        count, channels = x.shape[1:]
        kept, x = x, ops.reshape(self.norms[0](x), (-1, self.side, self.side, channels))
        x = ops.roll(x, shift=(-self.shift, -self.shift), axis=(1, 2)) if self.shift else x
        x = self._joined(self.attention(self._cut(x), self.mask))
        x = ops.roll(x, shift=(self.shift, self.shift), axis=(1, 2)) if self.shift else x
        x = kept + ops.reshape(x, (-1, count, channels))
        return x + self.mlp(self.norms[1](x))


class PatchMerging(layers.Layer):
    """Four neighbours become one of twice the channels."""

    def __init__(self, side, width, **kwargs):
        super().__init__(**kwargs)
        self.side = side
        self.reduce = layers.Dense(2 * width, use_bias=False)

    def call(self, x):
        channels = x.shape[-1]
        x = ops.reshape(x, (-1, self.side, self.side, channels))
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduce(ops.reshape(ops.concatenate(parts, axis=-1), (-1, self.side**2 // 4, 4 * channels)))


def swin():
    inputs = keras.Input((32, 32, 3))
    x = encoded(inputs, size=2, width=32)
    for shift in (0, 2):
        x = SwinBlock(32, 16, 4, 4, shift)(x)
    x = PatchMerging(16, 32)(x)
    x = SwinBlock(64, 8, 4, 4, 0)(x)
    x = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    model, x = keras.Model(inputs, x), images(32, 32, 3)
    return settle(model, x), x


def mobile_vit():
    """Convolutions, and transformers over pixels of the same place in their patches."""

    def conv(x, filters, kernel=3, strides=1):
        return layers.Conv2D(filters, kernel, strides=strides, activation="swish", padding="same")(x)

    def inverted(x, expanded, filters, strides=1):
        y = layers.Activation("swish")(layers.BatchNormalization()(layers.Conv2D(expanded, 1, use_bias=False)(x)))
        if strides == 2:
            y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
        padding = "same" if strides == 1 else "valid"
        y = layers.DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False)(y)
        y = layers.Activation("swish")(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(y))
        return layers.Add()([y, x]) if x.shape[-1] == filters and strides == 1 else y

    def block(x, depth, width):
        y = conv(conv(x, width), width, kernel=1)
        _, height, across, _ = y.shape
        y = layers.Reshape((4, height * across // 4, width))(y)
        for _ in range(depth):
            z = layers.LayerNormalization(epsilon=1e-6)(y)
            y = layers.Add()([layers.MultiHeadAttention(2, width, dropout=0.1)(z, z), y])
            z = layers.Dense(2 * width, activation="swish")(layers.LayerNormalization(epsilon=1e-6)(y))
            y = layers.Add()([layers.Dense(width)(z), y])
        y = conv(layers.Reshape((height, across, width))(y), x.shape[-1], kernel=1)
        return conv(layers.Concatenate(axis=-1)([x, y]), width)

    inputs = keras.Input((64, 64, 3))
    x = conv(layers.Rescaling(2.0, offset=-1)(inputs), 16, strides=2)
    x = inverted(inverted(x, 32, 16), 32, 24, strides=2)
    x = block(inverted(x, 48, 48, strides=2), 2, 32)
    x = layers.Dense(5, activation="softmax")(layers.GlobalAvgPool2D()(x))
    model, x = keras.Model(inputs, x), images(64, 64, 3)
    return settle(model, x), x


def perceiver():
    """A few learned vectors ask all patches, then one another."""

    class Latents(layers.Layer):
        def build(self, shape):
            self.latents = self.add_weight(shape=(16, 32), initializer="random_normal", name="latents")

        def call(self, x):
            return ops.expand_dims(self.latents, 0) + ops.zeros_like(x[:, :1, :1])

    inputs = keras.Input((32, 32, 3))
    patches = encoded(inputs, size=4, width=32)
    x = Latents()(patches)
    for _ in range(2):
        query = layers.Dense(32)(layers.LayerNormalization(epsilon=1e-6)(x))
        seen = layers.LayerNormalization(epsilon=1e-6)(patches)
        x = layers.Add()([layers.Attention(use_scale=True)([query, layers.Dense(32)(seen), layers.Dense(32)(seen)]), x])
        for _ in range(2):
            y = layers.LayerNormalization(epsilon=1e-6)(x)
            x = layers.Add()([layers.MultiHeadAttention(4, 8)(y, y), x])
            x = layers.Add()([mlp(layers.LayerNormalization(epsilon=1e-6)(x), (32, 32)), x])
    x = layers.Dense(10)(layers.GlobalAveragePooling1D()(x))
    model, x = keras.Model(inputs, x), images(32, 32, 3)
    return settle(model, x), x


class LayerScale(layers.Layer):
    """A learned factor for each channel."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), initializer=keras.initializers.Constant(0.1), name="gamma")

    def call(self, x):
        return x * self.gamma


class TalkingHeads(layers.Layer):
    """Attention whose heads are mixed by dense layers before and after softmax."""

    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.head = heads, width // heads
        self.qkv, self.before, self.after = layers.Dense(3 * width), layers.Dense(heads), layers.Dense(heads)
        self.project = layers.Dense(width)

    def call(self, x):
        count, width = x.shape[1:]
        qkv = ops.reshape(self.qkv(x), (-1, count, 3, self.heads, self.head))
        qkv = ops.transpose(qkv, (2, 0, 3, 1, 4))
        q, k, v = qkv[0] * self.head**-0.5, qkv[1], qkv[2]
        scores = ops.transpose(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))), (0, 2, 3, 1))
        scores = ops.softmax(ops.transpose(self.before(scores), (0, 3, 1, 2)))
        scores = ops.transpose(self.after(ops.transpose(scores, (0, 2, 3, 1))), (0, 3, 1, 2))
        return self.project(ops.reshape(ops.transpose(ops.matmul(scores, v), (0, 2, 1, 3)), (-1, count, width)))


class ClassAttention(layers.Layer):
    """The token of the class asks the patches."""

    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.head = heads, width // heads
        self.q, self.k, self.v, self.project = (layers.Dense(width) for _ in range(4))

    def call(self, x):
        count, width = x.shape[1:]
        q = ops.expand_dims(self.q(x[:, 0]), axis=1)
        q = ops.transpose(ops.reshape(q, (-1, 1, self.heads, self.head)), (0, 2, 1, 3)) * self.head**-0.5
        k = ops.transpose(ops.reshape(self.k(x), (-1, count, self.heads, self.head)), (0, 2, 3, 1))
        v = ops.transpose(ops.reshape(self.v(x), (-1, count, self.heads, self.head)), (0, 2, 1, 3))
        x = ops.matmul(ops.softmax(ops.matmul(q, k)), v)
        return self.project(ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, 1, width)))


class CaiT(keras.Model):
    """A subclassed model: patches attend among themselves, then a class token joins."""

    def __init__(self, width=32, heads=4, classes=10):
        super().__init__()
        self.project = keras.Sequential([layers.Conv2D(width, 8, strides=8), layers.Reshape((-1, width))])
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(7)]
        self.attention = [TalkingHeads(width, heads) for _ in range(2)]
        self.asking = ClassAttention(width, heads)
        self.scales = [LayerScale() for _ in range(6)]
        self.mlps = [keras.Sequential([layers.Dense(64, activation="gelu"), layers.Dense(width)]) for _ in range(3)]
        self.head = layers.Dense(classes)

    def build(self, shape):
        self.place = self.add_weight(shape=(1, 36, 32), initializer="zeros", name="place")
        self.token = self.add_weight(shape=(1, 1, 32), initializer="zeros", name="token")
        self.built = True

    def call(self, image, training=False):
        x = self.project(image) + self.place
        for i in range(2):
            x = x + self.scales[2 * i](self.attention[i](self.norms[2 * i](x)))
            x = x + self.scales[2 * i + 1](self.mlps[i](self.norms[2 * i + 1](x)))
        token = ops.tile(self.token, (ops.shape(x)[0], 1, 1))
        token = token + self.scales[4](self.asking(self.norms[4](ops.concatenate([token, x], axis=1))))
        token = token + self.scales[5](self.mlps[2](self.norms[5](token)))
        return self.head(self.norms[6](token)[:, 0])


def cait():
    x = images(48, 48, 3)
    return settle(CaiT(), x), x


class SequencePooling(layers.Layer):
    """Patches weighed by a dense layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.Dense(1)

    def call(self, x):
        weights = ops.transpose(ops.softmax(self.attention(x), axis=1), axes=(0, 2, 1))
        return ops.squeeze(ops.matmul(weights, x), -2)


def cct():
    """The compact convolutional transformer: convolutions make the tokens, a weighed mean ends it."""
    inputs = x = keras.Input((32, 32, 3))
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, padding="valid", use_bias=False, activation="relu")(layers.ZeroPadding2D(1)(x))
        x = layers.MaxPooling2D(3, 2, "same")(x)
    x = layers.Reshape((-1, x.shape[-1]))(x)
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        x = layers.Add()([layers.MultiHeadAttention(2, 32, dropout=0.1)(y, y), x])
        x = layers.Add()([mlp(layers.LayerNormalization(epsilon=1e-5)(x), (32, 32)), x])
    x = SequencePooling()(layers.LayerNormalization(epsilon=1e-5)(x))
    model, x = keras.Model(inputs, layers.Dense(10)(x)), images(32, 32, 3)
    return settle(model, x), x


MODELS = (vit, swin, eanet, mlp_mixer, gmlp, fnet, mobile_vit, perceiver, cait, cct)
