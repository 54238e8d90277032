"""Counts multiply-adds of a Keras model by its layers' weights and output shapes; imports no keraslayers."""

import math


def multiply_adds(model):
    """Multiply-adds of one image through the convolutions, Dense layers and attention of `model`."""
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
        # Once for each token, or for the image.
        return math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
    if kind == "MultiHeadAttention":
        # Four projections of each token; the score of each pair, and as much again to sum what they weigh. Axes before
        # the tokens hold groups of them that do not see each other.
        *groups, tokens, channels = layer.output.shape[1:]
        return math.prod(groups) * (tokens * 4 * channels**2 + 2 * tokens**2 * channels)
    if kind == "Attention":
        # The score of each pair, and the sum of what they weigh.
        (_, queries, size), (_, values, of_value) = (tensor.shape for tensor in layer.input[:2])
        return queries * values * (size + of_value)
    if kind == "DynamicDepthwiseConv2D":
        return math.prod(layer.output.shape[1:]) * math.prod(layer.kernel_size)
    if kind == "WindowAttention":
        # The same, where pairs are those of a window and zeros fill up the last ones.
        _, height, width, channels = layer.output.shape
        tall, wide = layer.window_size
        filled = -(-height // tall) * tall * -(-width // wide) * wide
        return channels**2 * (3 * filled + height * width) + 2 * filled * tall * wide * channels
    if kind in ("ClassToken", "LearnedPositions"):
        return 0  # nothing is multiplied
    if kind == "SqueezeExcite":
        # Both convolutions see one place, the mean.
        return math.prod(layer.squeeze.kernel.shape) + math.prod(layer.excite.kernel.shape)
    if any(len(weight.shape) > 1 for weight in layer.weights):
        raise TypeError(f"do not know how to count the multiply-adds of {kind} {layer.name!r}")
    return 0
