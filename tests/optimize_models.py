"""A small trained network and its digits, for the tests of optimization."""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

import keraslayers

TRAIN = 1400


def digits():
    """(training images, their digits, test images, theirs): 8x8 pixels within [0, 1]."""
    data = load_digits()
    x, y = (data.images[..., None] / 16).astype("float32"), data.target
    return x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:]


def network():
    """Most of what quantization meets: normalizations before, behind and without a convolution, gates, sums, slices."""
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Rescaling(2.0, -1.0)(image)
    x = _norm(layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(x))
    x = layers.ReLU()(x)
    left, right = x[..., :8], x[..., 8:]
    right = layers.ReLU(6.0)(_norm(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(right)))
    x = keraslayers.ChannelShuffle(2)(layers.Concatenate()([left, right]))
    x = layers.Add()([x, layers.Conv2D(16, 1, activation="silu", name="silu")(x)])
    x = keraslayers.SqueezeExcite(gate_activation="hard_sigmoid")(x)
    x = layers.SeparableConv2D(24, 3, strides=2, activation="relu", name="separable")(x)
    x = _norm(x)
    x = layers.Dropout(0.1)(layers.Flatten()(x))
    x = _norm(layers.Dense(32, activation="relu", name="wide")(x))
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="digits")


def plain_network():
    """Convolutions and dense layers of a size worth compressing."""
    model = keras.Sequential([keras.Input((8, 8, 1), name="image")], name="plain")
    for i, filters in enumerate((16, 32)):
        model.add(layers.Conv2D(filters, 3, 1 + i, padding="same", use_bias=False, name=f"conv{i}"))
        model.add(layers.BatchNormalization(momentum=0.8, name=f"norm{i}"))
        model.add(layers.ReLU(name=f"relu{i}"))
    model.add(layers.Flatten())
    model.add(layers.Dense(32, activation="relu", name="wide"))
    model.add(layers.Dense(10, activation="softmax", name="digit"))
    return model


def train(model, epochs, rate=1e-3, **options):
    """Fits a model to the digits."""
    x, y, _, _ = digits()
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    model.fit(x, y, epochs=epochs, batch_size=64, verbose=0)
    return model


def accuracy(model):
    """On the test digits."""
    _, _, x, y = digits()
    return float(np.mean(np.argmax(np.asarray(model(x, training=False)), -1) == y))


def kernels(model):
    """By layer name the kernels that pruning and clustering take, in NumPy."""
    kinds = (layers.Conv2D, layers.Dense)
    return {layer.name: np.asarray(layer.kernel) for layer in model._flatten_layers() if type(layer) in kinds}


def _norm(x):
    return layers.BatchNormalization(momentum=0.8)(x)
