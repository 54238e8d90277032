"""Networks for sound, time and point clouds, in the style of the examples on keras.io."""

import keras
from keras import layers, ops

from benchmarks.others.data import images, normal, settle, signals, tokens


def wavenet():
    """Causal convolutions dilated ever further, gated, with residuals and skips."""
    inputs = keras.Input((128, 2))
    x, skips = layers.Conv1D(16, 1)(inputs), []
    for rate in (1, 2, 4, 8, 16):
        both = [
            layers.Conv1D(16, 2, dilation_rate=rate, padding="causal", activation=a)(x) for a in ("tanh", "sigmoid")
        ]
        gated = layers.Multiply()(both)
        skips.append(layers.Conv1D(16, 1)(gated))
        x = layers.Add()([x, layers.Conv1D(16, 1)(gated)])
    x = layers.Conv1D(16, 1, activation="relu")(layers.Activation("relu")(layers.Add()(skips)))
    model, x = keras.Model(inputs, layers.Conv1D(4, 1)(x)), signals(128, 2)
    return settle(model, x), x


def ocr_crnn():
    """Reads captchas: convolutions, columns of the image as steps, two LSTMs of both directions."""
    inputs = keras.Input((64, 24, 1))
    x = layers.MaxPooling2D()(layers.Conv2D(8, 3, activation="relu", padding="same")(inputs))
    x = layers.MaxPooling2D()(layers.Conv2D(16, 3, activation="relu", padding="same")(x))
    x = layers.Dropout(0.2)(layers.Dense(32, activation="relu")(layers.Reshape((16, 6 * 16))(x)))
    for width in (24, 16):
        x = layers.Bidirectional(layers.LSTM(width, return_sequences=True, dropout=0.25))(x)
    model, x = keras.Model(inputs, layers.Dense(21, activation="softmax")(x)), images(64, 24, 1)
    return settle(model, x), x


class SpeechTransformer(keras.Model):
    """Strided convolutions over a spectrogram, attention over them, a decoder of letters; subclassed, two inputs."""

    def __init__(self, width=32, letters=34):
        super().__init__()
        self.convolutions = [layers.Conv1D(width, 11, strides=2, padding="same", activation="relu") for _ in range(3)]
        self.letters, self.places = layers.Embedding(letters, width), layers.Embedding(16, width)
        self.attentions = [layers.MultiHeadAttention(2, width // 2) for _ in range(3)]
        self.inner = [keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(width)]) for _ in range(2)]
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(5)]
        self.classifier = layers.Dense(letters)

    def call(self, inputs):
        sound, said = inputs["sound"], inputs["said"]
        for convolution in self.convolutions:
            sound = convolution(sound)
        sound = self.norms[0](sound + self.attentions[0](sound, sound))
        sound = self.norms[1](sound + self.inner[0](sound))
        x = self.letters(said) + self.places(ops.arange(ops.shape(said)[-1]))
        x = self.norms[2](x + self.attentions[1](x, x, use_causal_mask=True))
        x = self.norms[3](x + self.attentions[2](x, sound))
        return self.classifier(self.norms[4](x + self.inner[1](x)))


def speech_transformer():
    x = {"sound": signals(96, 24), "said": tokens(34, 16)}
    return settle(SpeechTransformer(), x), x


def speaker_residual():
    """Speaker recognition: residual convolutions of one axis over the spectrum of the sound."""

    def block(x, filters, count):
        kept = layers.Conv1D(filters, 1, padding="same")(x)
        for _ in range(count - 1):
            x = layers.Activation("relu")(layers.Conv1D(filters, 3, padding="same")(x))
        x = layers.Conv1D(filters, 3, padding="same")(x)
        return layers.MaxPool1D(pool_size=2, strides=2)(layers.Activation("relu")(layers.Add()([x, kept])))

    inputs = x = keras.Input((128, 1))
    for filters, count in ((8, 2), (16, 2), (24, 3)):
        x = block(x, filters, count)
    x = layers.Flatten()(layers.AveragePooling1D(pool_size=3, strides=3)(x))
    model, x = keras.Model(inputs, layers.Dense(5, activation="softmax")(layers.Dense(32, "relu")(x))), signals(128, 1)
    return settle(model, x), x


def mel_spectrogram():
    """A network that takes sound as it is: Keras's mel spectrogram, then convolutions."""
    inputs = keras.Input((2048,))
    x = layers.MelSpectrogram(
        fft_length=256, sequence_stride=128, sequence_length=256, sampling_rate=8000, num_mel_bins=32, min_freq=20
    )(inputs)
    x = layers.Reshape((*x.shape[1:], 1))(x) if len(x.shape) == 3 else x
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(layers.Rescaling(1 / 40, offset=0.5)(x))
    x = layers.SeparableConv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(6)(layers.GlobalAveragePooling2D()(x)))
    x = signals(2048)
    return settle(model, x), x


class Spectrum(layers.Layer):
    """How strong each frequency is."""

    def call(self, x):
        real, imaginary = ops.rfft(x)
        return ops.log(1.0 + ops.sqrt(ops.square(real) + ops.square(imaginary)))


def spectrum():
    """A dense network on the spectrum of its input."""
    inputs = keras.Input((256,))
    x = layers.Dense(32, activation="relu")(Spectrum()(inputs))
    model, x = keras.Model(inputs, layers.Dense(4)(x)), signals(256)
    return settle(model, x), x


def point_net():
    """Classifies clouds of points; a network inside turns them first."""

    def conv(x, filters):
        return layers.Activation("relu")(layers.BatchNormalization(momentum=0.0)(layers.Conv1D(filters, 1)(x)))

    def dense(x, width):
        return layers.Activation("relu")(layers.BatchNormalization(momentum=0.0)(layers.Dense(width)(x)))

    def turned(x, count):
        y = layers.GlobalMaxPooling1D()(conv(conv(x, 16), 32))
        y = layers.Dense(count * count, kernel_initializer="glorot_uniform")(dense(y, 16))
        return layers.Dot(axes=(2, 1))([x, layers.Reshape((count, count))(y)])

    inputs = keras.Input((64, 3))
    x = conv(conv(turned(inputs, 3), 16), 16)
    x = layers.GlobalMaxPooling1D()(conv(conv(turned(x, 16), 32), 64))
    x = layers.Dropout(0.3)(dense(x, 32))
    model, x = keras.Model(inputs, layers.Dense(10, activation="softmax")(x)), normal(64, 3)
    return settle(model, x), x


def timeseries_transformer():
    """Transformer blocks with convolutions of one tap, on a series of one channel."""
    inputs = x = keras.Input((96, 1))
    for _ in range(2):
        y = layers.Dropout(0.25)(layers.MultiHeadAttention(4, 16, dropout=0.25)(x, x))
        kept = layers.LayerNormalization(epsilon=1e-6)(y) + x
        y = layers.Dropout(0.25)(layers.Conv1D(4, 1, activation="relu")(kept))
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Conv1D(1, 1)(y)) + kept
    x = layers.GlobalAveragePooling1D(data_format="channels_first")(x)
    x = layers.Dropout(0.4)(layers.Dense(32, activation="relu")(x))
    model, x = keras.Model(inputs, layers.Dense(2, activation="softmax")(x)), signals(96, 1)
    return settle(model, x), x


class TubeletTokens(layers.Layer):
    """A convolution of three axes cuts a film into blocks, laid flat."""

    def __init__(self, width, size, **kwargs):
        super().__init__(**kwargs)
        self.cut = layers.Conv3D(width, size, strides=size, padding="valid")
        self.flat = layers.Reshape((-1, width))

    def call(self, x):
        return self.flat(self.cut(x))


def video_vit():
    """A film of eight frames: blocks of space and time as tokens."""
    inputs = keras.Input((8, 16, 16, 1))
    x = TubeletTokens(24, (4, 8, 8))(inputs)
    x = x + layers.Embedding(x.shape[1], 24)(ops.expand_dims(ops.arange(x.shape[1]), 0))
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([layers.MultiHeadAttention(4, 6)(y, y), x])
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([layers.Dense(24, activation="gelu")(layers.Dense(48, activation="gelu")(y)), x])
    x = layers.GlobalAvgPool1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    model, x = keras.Model(inputs, layers.Dense(6)(x)), normal(8, 16, 16, 1)
    return settle(model, x), x


MODELS = (
    wavenet,
    ocr_crnn,
    speech_transformer,
    speaker_residual,
    mel_spectrogram,
    spectrum,
    point_net,
    timeseries_transformer,
    video_vit,
)
