"""Networks for images, in the style of the examples on keras.io: of stock layers and small layers of their own."""

import keras
from keras import layers, ops

from benchmarks.others.data import images, settle


def oxford_pets_unet():
    """Segmentation with separable convolutions, residuals of strided ones, and upsampling."""
    inputs = x = keras.Input((64, 64, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same")(x)
    x = kept = layers.Activation("relu")(layers.BatchNormalization()(x))
    for filters in (32, 64):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = kept = layers.add([x, layers.Conv2D(filters, 1, strides=2, padding="same")(kept)])
    for filters in (64, 32, 16):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.Conv2DTranspose(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
        x = layers.UpSampling2D(2)(x)
        x = kept = layers.add([x, layers.Conv2D(filters, 1, padding="same")(layers.UpSampling2D(2)(kept))])
    x = layers.Conv2D(3, 3, activation="softmax", padding="same")(x)
    model, x = keras.Model(inputs, x), images(64, 64, 3)
    return settle(model, x), x


def attention_unet():
    """A U-Net whose skips pass a gate of additive attention; GELU."""

    def block(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same")(x)
            x = layers.Activation("gelu")(layers.BatchNormalization()(x))
        return x

    def gate(skip, signal, filters):
        both = layers.Add()([layers.Conv2D(filters, 1)(skip), layers.Conv2D(filters, 1)(signal)])
        weights = layers.Conv2D(1, 1, activation="sigmoid")(layers.Activation("relu")(both))
        return layers.Multiply()([skip, weights])

    inputs = x = keras.Input((64, 64, 1))
    skips = []
    for filters in (8, 16, 32):
        x = block(x, filters)
        skips.append((filters, x))
        x = layers.MaxPooling2D()(x)
    x = block(x, 64)
    for filters, skip in reversed(skips):
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = block(layers.Concatenate()([x, gate(skip, x, filters)]), filters)
    model, x = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x)), images(64, 64, 1)
    return settle(model, x), x


def deeplab_v3_plus():
    """Dilated convolutions of several rates beside a mean of the whole, resized and merged with early features."""

    def block(x, filters=32, kernel=3, rate=1, bias=False):
        x = layers.Conv2D(filters, kernel, dilation_rate=rate, padding="same", use_bias=bias)(x)
        return ops.nn.relu(layers.BatchNormalization()(x))

    inputs = keras.Input((64, 64, 3))
    low = layers.Conv2D(16, 3, strides=4, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(low)
    side = x.shape[1]
    pooled = layers.AveragePooling2D((side, side))(x)
    pooled = layers.UpSampling2D((side, side), interpolation="bilinear")(block(pooled, kernel=1, bias=True))
    x = layers.Concatenate()([pooled, block(x, kernel=1), *[block(x, rate=rate) for rate in (2, 4, 6)]])
    x = layers.UpSampling2D(2, interpolation="bilinear")(block(x, kernel=1))
    x = layers.Concatenate()([x, block(low, 12, kernel=1)])
    x = layers.UpSampling2D(4, interpolation="bilinear")(block(block(x)))
    model, x = keras.Model(inputs, layers.Conv2D(5, 1)(x)), images(64, 64, 3)
    return settle(model, x), x


def conv_mixer():
    """Patches mixed by large depthwise convolutions."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 0.5, offset=-1)(inputs)
    x = layers.BatchNormalization()(layers.Activation("gelu")(layers.Conv2D(32, 2, strides=2)(x)))
    for _ in range(4):
        mixed = layers.DepthwiseConv2D(5, padding="same")(x)
        x = layers.Add()([layers.BatchNormalization()(layers.Activation("gelu")(mixed)), x])
        x = layers.BatchNormalization()(layers.Activation("gelu")(layers.Conv2D(32, 1)(x)))
    x = layers.Dense(10, activation="softmax")(layers.GlobalAvgPool2D()(x))
    model, x = keras.Model(inputs, x), images(32, 32, 3)
    return settle(model, x), x


def espcn():
    """Super-resolution: convolutions, then pixels out of channels by reshapes and a transpose of six axes."""
    factor = 3
    inputs = x = keras.Input((24, 24, 1))
    for filters, kernel in ((32, 5), (32, 3), (16, 3)):
        x = layers.Conv2D(filters, kernel, activation="relu", padding="same", kernel_initializer="orthogonal")(x)
    x = layers.Conv2D(factor**2, 3, padding="same", kernel_initializer="orthogonal")(x)
    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height, width, factor, factor, channels // factor**2))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    x = ops.reshape(x, (-1, height * factor, width * factor, channels // factor**2))
    model, x = keras.Model(inputs, x), images(24, 24, 1)
    return settle(model, x), x


class ZeroDCE(keras.Model):
    """Brightens by curves that a small network draws for each pixel; the curves applied by slices of its channels."""

    def __init__(self):
        super().__init__()
        self.convolutions = [layers.Conv2D(16, 3, activation="relu", padding="same") for _ in range(6)]
        self.curves = layers.Conv2D(24, 3, activation="tanh", padding="same")

    def call(self, image):
        first = self.convolutions[0](image)
        second = self.convolutions[1](first)
        third = self.convolutions[2](second)
        x = self.convolutions[3](third)
        x = self.convolutions[4](ops.concatenate([x, third], axis=-1))
        x = self.convolutions[5](ops.concatenate([x, second], axis=-1))
        curves = self.curves(ops.concatenate([x, first], axis=-1))
        x = image
        for i in range(8):
            x = x + curves[:, :, :, 3 * i : 3 * i + 3] * (ops.square(x) - x)
        return x


def zero_dce():
    x = images(48, 48, 3)
    return settle(ZeroDCE(), x), x


class Involution(layers.Layer):
    """A kernel for each pixel, made of that pixel, the same for all channels of a group."""

    def __init__(self, channels, groups, kernel=3, reduction=2, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.groups, self.kernel = channels, groups, kernel
        self.generator = keras.Sequential(
            [
                layers.Conv2D(channels // reduction, 1),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Conv2D(kernel * kernel * groups, 1),
            ]
        )

    def call(self, x):
        _, height, width, _ = x.shape
        taps, share = self.kernel**2, self.channels // self.groups
        kernels = ops.reshape(self.generator(x), (-1, height, width, taps, 1, self.groups))
        patches = ops.image.extract_patches(x, size=self.kernel, strides=1, dilation_rate=1, padding="same")
        patches = ops.reshape(patches, (-1, height, width, taps, share, self.groups))
        return ops.reshape(ops.sum(kernels * patches, axis=3), (-1, height, width, self.channels))


def involution():
    inputs = keras.Input((32, 32, 3))
    x = ops.relu(Involution(3, 1)(inputs))
    x = layers.MaxPooling2D()(layers.Conv2D(16, 3, padding="same")(x))
    x = ops.relu(Involution(16, 4)(x))
    x = layers.Dense(10)(layers.Flatten()(layers.MaxPooling2D(4)(x)))
    model, x = keras.Model(inputs, x), images(32, 32, 3)
    return settle(model, x), x


def siamese():
    """Two images through one network, told apart by the distance of what it says of them."""
    inner = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.BatchNormalization(),
            layers.Conv2D(8, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="tanh"),
        ]
    )
    left, right = keras.Input((28, 28, 1), name="left"), keras.Input((28, 28, 1), name="right")
    a, b = inner(left), inner(right)
    distance = ops.sqrt(ops.maximum(ops.sum(ops.square(a - b), axis=1, keepdims=True), 1e-7))
    model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(layers.BatchNormalization()(distance)))
    x = {"left": images(28, 28, 1), "right": images(28, 28, 1, seed=1)}
    return settle(model, x), x


def augmentation_inside():
    """Augmentation layers, which do nothing outside training, before a small network."""
    model = keras.Sequential(
        [
            keras.Input((48, 48, 3)),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.2),
            layers.RandomContrast(0.1),
            layers.Rescaling(2.0, offset=-1.0),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.SeparableConv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(5),
        ]
    )
    x = images(48, 48, 3)
    return settle(model, x), x


def spatial_transformer():
    """A network that turns its input by an angle and scale of its own: the sampling written with gathers."""

    class Sampler(layers.Layer):
        def call(self, image, theta):
            _, height, width, channels = image.shape
            rows, columns = ops.linspace(-1.0, 1.0, height), ops.linspace(-1.0, 1.0, width)
            x, y = ops.meshgrid(columns, rows)
            grid = ops.stack([ops.reshape(x, (-1,)), ops.reshape(y, (-1,)), ops.ones(height * width)])
            where = ops.matmul(ops.reshape(theta, (-1, 2, 3)), ops.expand_dims(grid, 0))
            x = ops.clip((where[:, 0] + 1) * (width - 1) / 2, 0, width - 1)
            y = ops.clip((where[:, 1] + 1) * (height - 1) / 2, 0, height - 1)
            left, top = ops.floor(x), ops.floor(y)
            flat = ops.reshape(image, (-1, height * width, channels))
            found = 0.0
            for down in (0, 1):
                for right in (0, 1):
                    i = ops.minimum(top + down, height - 1) * width + ops.minimum(left + right, width - 1)
                    share = (1 - ops.abs(y - top - down)) * (1 - ops.abs(x - left - right))
                    picked = ops.take_along_axis(flat, ops.expand_dims(ops.cast(i, "int32"), -1), axis=1)
                    found = found + ops.expand_dims(share, -1) * picked
            return ops.reshape(found, (-1, height, width, channels))

    inputs = keras.Input((28, 28, 1))
    x = layers.MaxPooling2D()(layers.Conv2D(8, 5, activation="relu")(inputs))
    x = layers.Dense(16, activation="tanh")(layers.Flatten()(x))
    theta = layers.Dense(6, bias_initializer=lambda shape, dtype: ops.convert_to_tensor([1.0, 0, 0, 0, 1, 0], dtype))(x)
    x = Sampler()(inputs, theta * 1.0)
    x = layers.Conv2D(8, 3, activation="relu")(x)
    model, x = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))), images(28, 28, 1)
    return settle(model, x), x


MODELS = (
    oxford_pets_unet,
    attention_unet,
    deeplab_v3_plus,
    conv_mixer,
    espcn,
    zero_dce,
    involution,
    siamese,
    augmentation_inside,
    spatial_transformer,
)
