"""Counts multiply-adds of a Keras model by its layers' weights and output shapes; imports no keraslayers."""

import math


def multiply_adds(model):
    """Multiply-adds of one image through the convolutions and Dense layers of `model`."""
    return sum(_of(layer) for layer in model.layers)


def _of(layer):
    kind = type(layer).__name__
    if kind in ("Conv2D", "DepthwiseConv2D"):
        # A kernel (height, width, in, out) is used once at every place; a depthwise kernel likewise.
        return math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
    if kind == "SeparableConv2D":
        kernels = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
        return math.prod(layer.output.shape[1:3]) * kernels
    if kind == "Dense":
        return math.prod(layer.kernel.shape)
    if kind == "SqueezeExcite":
        # Both convolutions see one place, the mean.
        return math.prod(layer.squeeze.kernel.shape) + math.prod(layer.excite.kernel.shape)
    if any(len(weight.shape) > 1 for weight in layer.weights):
        raise TypeError(f"do not know how to count the multiply-adds of {kind} {layer.name!r}")
    return 0
