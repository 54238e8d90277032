"""Networks that make images, in the style of the examples on keras.io."""

import keras
from keras import layers, ops

from benchmarks.others.data import images, normal, settle


class Sampling(layers.Layer):
    """Draws from the normal distribution of a mean and a spread while it trains; the mean afterwards."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, mean, log_variance, training=False):
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


class VAE(keras.Model):
    """A variational autoencoder: an encoder of two heads and a decoder, held together by a model of its own."""

    def __init__(self):
        super().__init__()
        inputs = keras.Input((28, 28, 1))
        x = layers.Conv2D(16, 3, activation="relu", strides=2, padding="same")(inputs)
        x = layers.Conv2D(32, 3, activation="relu", strides=2, padding="same")(x)
        x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
        self.encoder = keras.Model(inputs, [layers.Dense(4)(x), layers.Dense(4)(x)])
        inputs = keras.Input((4,))
        x = layers.Reshape((7, 7, 16))(layers.Dense(7 * 7 * 16, activation="relu")(inputs))
        x = layers.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(x)
        x = layers.Conv2DTranspose(16, 3, activation="relu", strides=2, padding="same")(x)
        self.decoder = keras.Model(inputs, layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x))
        self.sampling = Sampling()

    def call(self, x, training=False):
        mean, log_variance = self.encoder(x, training=training)
        return self.decoder(self.sampling(mean, log_variance, training=training), training=training)


def vae():
    x = images(28, 28, 1)
    return settle(VAE(), x), x


def gan_generator():
    """Noise and a class become a digit: transposed convolutions with LeakyReLU."""
    model = keras.Sequential(
        [
            keras.Input((32,)),
            layers.Dense(7 * 7 * 24),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((7, 7, 24)),
            layers.Conv2DTranspose(24, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(24, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(1, 7, padding="same", activation="sigmoid"),
        ]
    )
    x = normal(32)
    return settle(model, x), x


class ReflectionPadding(layers.Layer):
    """Pads by the mirror of what is there."""

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, x):
        return ops.pad(x, ((0, 0), (self.padding, self.padding), (self.padding, self.padding), (0, 0)), mode="reflect")


def cyclegan_generator():
    """Down, residual blocks and up again, each normalized by the image itself, borders mirrored."""

    def normalized(x):
        return layers.GroupNormalization(groups=-1)(x)

    inputs = keras.Input((48, 48, 3))
    x = layers.Conv2D(8, 7, use_bias=False)(ReflectionPadding(3)(inputs))
    x = layers.Activation("relu")(normalized(x))
    for filters in (16, 32):
        x = layers.Activation("relu")(
            normalized(layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x))
        )
    for _ in range(2):
        y = normalized(layers.Conv2D(32, 3, use_bias=False)(ReflectionPadding()(x)))
        y = normalized(layers.Conv2D(32, 3, use_bias=False)(ReflectionPadding()(layers.Activation("relu")(y))))
        x = layers.add([x, y])
    for filters in (16, 8):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.Activation("relu")(normalized(x))
    x = layers.Activation("tanh")(layers.Conv2D(3, 7)(ReflectionPadding(3)(x)))
    model, x = keras.Model(inputs, x), images(48, 48, 3)
    return settle(model, x), x


def denoising_unet():
    """The U-Net of a diffusion model: the level of noise, as waves of many lengths, is laid over the image."""

    def waves(level):
        rates = ops.exp(ops.linspace(0.0, 6.0, 8)) * 6.2832
        return ops.concatenate([ops.sin(rates * level), ops.cos(rates * level)], axis=3)

    def residual(x, width):
        kept = x if x.shape[3] == width else layers.Conv2D(width, 1)(x)
        x = layers.BatchNormalization(center=False, scale=False)(x)
        x = layers.Conv2D(width, 3, padding="same", activation="swish")(x)
        return layers.Add()([layers.Conv2D(width, 3, padding="same")(x), kept])

    image, level = keras.Input((32, 32, 3), name="image"), keras.Input((1, 1, 1), name="level")
    x = layers.Conv2D(16, 1)(image)
    laid = layers.UpSampling2D(32, interpolation="nearest")(layers.Lambda(waves, output_shape=(1, 1, 16))(level))
    x = layers.Concatenate()([x, laid])
    skips = []
    for width in (16, 24):
        for _ in range(2):
            x = residual(x, width)
            skips.append(x)
        x = layers.AveragePooling2D(2)(x)
    x = residual(x, 32)
    for width in (24, 16):
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        for _ in range(2):
            x = residual(layers.Concatenate()([x, skips.pop()]), width)
    model = keras.Model([image, level], layers.Conv2D(3, 1)(x))
    x = {"image": images(32, 32, 3), "level": images(1, 1, 1)}
    return settle(model, x), x


class VectorQuantizer(layers.Layer):
    """Each pixel becomes the nearest vector of a table: distances, the least of them, and a table of one-hots."""

    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.count, self.width = count, width

    def build(self, shape):
        self.table = self.add_weight(shape=(self.width, self.count), initializer="random_uniform", name="table")

    def call(self, x):
        _, height, across, channels = x.shape
        flat = ops.reshape(x, (-1, channels))
        distances = (
            ops.sum(flat**2, axis=1, keepdims=True) + ops.sum(self.table**2, axis=0) - 2 * ops.matmul(flat, self.table)
        )
        chosen = ops.one_hot(ops.argmin(distances, axis=1), self.count)
        return ops.reshape(ops.matmul(chosen, ops.transpose(self.table)), (-1, height, across, channels))


def vq_vae():
    inputs = x = keras.Input((28, 28, 1))
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, activation="relu", strides=2, padding="same")(x)
    x = VectorQuantizer(32, 8)(layers.Conv2D(8, 1, padding="same")(x))
    for filters in (32, 16):
        x = layers.Conv2DTranspose(filters, 3, activation="relu", strides=2, padding="same")(x)
    model, x = keras.Model(inputs, layers.Conv2DTranspose(1, 3, padding="same")(x)), images(28, 28, 1)
    return settle(model, x), x


class AdaIN(layers.Layer):
    """Gives the channels of one image the means and spreads of another's."""

    def call(self, content, style):
        mean, spread = self._of(content)
        wanted, wanted_spread = self._of(style)
        return (content - mean) / spread * wanted_spread + wanted

    def _of(self, x):
        mean, variance = ops.moments(x, axes=[1, 2], keepdims=True)
        return mean, ops.sqrt(variance + 1e-5)


def neural_style_adain():
    content, style = keras.Input((48, 48, 3), name="content"), keras.Input((48, 48, 3), name="style")
    encoder = keras.Sequential(
        [
            keras.Input((48, 48, 3)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
        ]
    )
    x = AdaIN()(encoder(content), encoder(style))
    x = layers.UpSampling2D()(layers.Conv2D(16, 3, padding="same", activation="relu")(x))
    model = keras.Model([content, style], layers.Conv2D(3, 3, padding="same")(x))
    x = {"content": images(48, 48, 3), "style": images(48, 48, 3, seed=1)}
    return settle(model, x), x


MODELS = (vae, gan_generator, cyclegan_generator, denoising_unet, vq_vae, neural_style_adain)
