"""The logarithm of a softmax in operators that phones' GPUs take."""

import keras
from keras import layers, ops

from keraslayers.export.passes._graph import WITH_ACTIVATION, Altered, first, is_of_keras, rewrite


class LogSoftmax(layers.Layer):
    """x - log(sum(exp(x))), over one axis.

    The largest x goes in and out again, so that no exponential overflows. It is added to the logarithm first, as of
    (x - largest) - log(sum) the converter makes LOG_SOFTMAX again.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.built = True

    def call(self, x):
        largest = ops.max(x, self.axis, keepdims=True)
        return x - (largest + ops.log(ops.sum(ops.exp(x - largest), self.axis, keepdims=True)))


def lower_log_softmax(model):
    """Writes log-softmax with sums, exponentials and logarithms.

    LiteRT's GPU runtime has no LOG_SOFTMAX.

    Given:   x -> log_softmax                        convolution with activation log_softmax
    Result:  x -> x - (max + log(sum(exp(x - max))))   convolution -> the same

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    if is_of_keras(layer, "LogSoftmax"):
        return type(layer.axis) is int
    return (
        type(layer) in (layers.Activation, *WITH_ACTIVATION)
        and layer.activation is keras.activations.log_softmax
        and not layer.dtype_policy.quantization_mode
    )


def _replace(layer, fresh, *args, **kwargs):
    x = first(args, kwargs)
    if type(layer) in WITH_ACTIVATION:
        x = Altered(layer, fresh(f"{layer.name}_linear"), activation=lambda layer: keras.activations.linear)(x)
    axis = layer.axis if is_of_keras(layer, "LogSoftmax") else -1
    return LogSoftmax(axis, dtype=x.dtype, name=fresh(f"{layer.name}_logarithms"))(x)
