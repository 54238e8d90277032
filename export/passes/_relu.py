"""Which layers are ReLU or another clamp, and which compute nothing in a file."""

import keras
from keras import layers

from keraslayers.activations import HardTanh, ReLU6
from keraslayers.export.passes._graph import is_of_keras

# Training alone.
NOTHING = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.SpatialDropout2D,
)
_FUNCTIONS = {keras.activations.relu: "relu", keras.activations.relu6: "relu6"}


def function_kind(function):
    """`"relu"` or `"relu6"` of an activation function that is one, else None."""
    return _FUNCTIONS.get(function)


def relu_kind(layer):
    """`"relu"` or `"relu6"` of a layer or operation that is one, else None. A subclass may compute something else."""
    kind = type(layer)
    if kind is layers.ReLU and not layer.negative_slope and not layer.threshold:
        return {None: "relu", 6: "relu6"}.get(layer.max_value)
    if kind is layers.Activation:
        return function_kind(layer.activation)
    if kind is ReLU6 or is_of_keras(layer, "Relu6"):
        return "relu6"
    return "relu" if is_of_keras(layer, "Relu") else None


def clamp_kind(layer):
    """`"relu"`, `"relu6"` or `"hard_tanh"` of a layer or operation that is one, else None."""
    kind = type(layer)
    if kind is HardTanh or is_of_keras(layer, "HardTanh"):
        return "hard_tanh"
    if kind is layers.Activation and layer.activation is keras.activations.hard_tanh:
        return "hard_tanh"
    return relu_kind(layer)
