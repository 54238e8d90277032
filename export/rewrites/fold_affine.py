"""Sums and products with constants that become part of the layer before them, though something stands between."""

import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.rewrites._each import alone, each
from keraslayers.export.rewrites._kernels import clustered, moved
from keraslayers.export.rewrites._ranges import scalar, with_constant

# By what has a kernel the axis of its output channels.
LAYERS = {"FULLY_CONNECTED": 0, "CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
RESHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
# What gives so many times as much where it is given so many times as much.
LINEAR = (*RESHAPES, "BATCH_MATMUL", "TRANSPOSE")


def fold_affine(graph):
    """Has a layer's kernel and bias do what is added to its outputs, and by what they are multiplied.

    Given:   x -> FULLY_CONNECTED kernel [64, 64] -> RESHAPE [1, 256, 4, 16] -> ADD [4, 16] -> MUL [4, 16]
    Result:  x -> FULLY_CONNECTED kernel, bias [64] -> RESHAPE

    Given:   FULLY_CONNECTED -> query; query, key -> BATCH_MATMUL -> MUL 1/8
    Result:  FULLY_CONNECTED with an eighth of the kernel -> query; query, key -> BATCH_MATMUL

    So dense layers with several output axes come out of the converter, those of every attention among them. In 8 bits
    a sum rounds once more, too. Within rounding.
    """
    return each(graph, ("ADD", "MUL"), _fold)


def _fold(build, operator):
    x, term = with_constant(operator)
    if x is None or x.dtype != "float32" or operator.output.shape != x.shape:
        return False
    factor = scalar(term)
    through = LINEAR if operator.name == "MUL" and factor is not None and abs(factor) <= 1 else RESHAPES
    layer, crossed = _layer_before(build.graph, x, through)
    if layer is None or (crossed and operator.activation != "NONE"):
        return False
    x_of_layer, kernel, bias = (*layer.inputs, None)[:3]
    units = layer.output.shape[-1]
    spread = np.full(units, factor, "float32") if factor is not None else _spread(term.values, x.shape, units)
    if spread is None:
        return False
    early = Builder(build.graph, layer)
    if operator.name == "MUL":
        if kernel.values is None or kernel.dtype != "float32" or len(kernel.readers) > 1:
            return False
        if factor is None and clustered(kernel.values):
            return False
        shape = [1] * len(kernel.shape)
        shape[LAYERS[layer.name]] = -1
        kernel = moved(early, kernel, lambda values: values * spread.reshape(shape))
        bias = bias and early.constant(bias.values * spread)
    else:
        bias = early.constant(spread if bias is None else bias.values + spread)
    build.graph.rewire(layer, (x_of_layer, kernel) if bias is None else (x_of_layer, kernel, bias))
    if operator.activation != "NONE":
        layer.options.fusedActivationFunction = operator.options.fusedActivationFunction
    build.finish(x)
    return True


def _layer_before(graph, x, through):
    """(The layer that a tensor is made of by some operators alone, whether a product is among these); or Nones."""
    if x.maker is None or not alone(graph, x):
        return None, False
    maker = x.maker
    if maker.name in LAYERS:
        bias = maker.inputs[2] if len(maker.inputs) > 2 else None
        known = bias is None or bias.values is not None
        plain = maker.activation == "NONE" and not getattr(maker.options, "weightsFormat", 0)
        return (maker, False) if known and plain and maker.inputs[0].dtype == "float32" else (None, False)
    if maker.name not in through or len(set(maker.inputs)) < len(maker.inputs):  # what is squared counts twice
        return None, False
    for source in maker.inputs[: 2 if maker.name == "BATCH_MATMUL" else 1]:
        layer, crossed = _layer_before(graph, source, through)
        if layer is not None:
            return layer, crossed or maker.name in ("BATCH_MATMUL", "TRANSPOSE")
    return None, False


def _spread(values, shape, units):
    """A constant of the last axes, which make up a layer's channels, channel by channel; None if it is another."""
    axes = next((n for n in range(1, len(shape) + 1) if np.prod(shape[-n:]) == units), None)
    while values.ndim and values.shape[0] == 1:
        values = values[0]
    if axes is None or values.ndim > axes:
        return None
    return np.broadcast_to(values, shape[-axes:]).reshape(-1).astype("float32")
