"""What Keras's own layers cost."""

import dataclasses
import math

import keras
from keras import layers

from keraslayers import _keras
from keraslayers.analysis import cost
from keraslayers.analysis import stock_products as products
from keraslayers.analysis.cost import EVERYWHERE, POOLED, Cost, Window, channels, permuting, places, reshaping


def _sliding(layer, shape, kernel_size, dilation_rate=None):
    return cost.sliding(places(shape, layer.data_format), kernel_size, layer.strides, layer.padding, dilation_rate)


def _convolution(layer, inputs, outputs, axes):
    kernel = (*layer.kernel_size, channels(inputs[0], layer.data_format) // layer.groups, layer.filters)
    windows = _sliding(layer, inputs[0], layer.kernel_size, layer.dilation_rate)
    return cost.convolution(kernel, outputs[0], layer.filters, windows)


def _depthwise(layer, inputs, outputs, axes):
    held = channels(inputs[0], layer.data_format)
    kernel = (*layer.kernel_size, held, layer.depth_multiplier)
    windows = _sliding(layer, inputs[0], layer.kernel_size, layer.dilation_rate)
    return cost.convolution(kernel, outputs[0], held * layer.depth_multiplier, windows)


def _separable(layer, inputs, outputs, axes):
    kernel = (*layer.kernel_size, channels(inputs[0], layer.data_format), layer.depth_multiplier)
    windows = _sliding(layer, inputs[0], layer.kernel_size, layer.dilation_rate)
    return cost.separable(kernel, outputs[0], layer.filters, windows)


def _transposed(layer, inputs, outputs, axes):
    kernel = (*layer.kernel_size, layer.filters, channels(inputs[0], layer.data_format))
    return cost.transposed_convolution(
        kernel, inputs[0], outputs[0], layer.data_format, layer.strides, layer.padding, layer.dilation_rate
    )


def _pooling(layer, inputs, outputs, axes):
    return Cost(window=_sliding(layer, inputs[0], layer.pool_size))


def _adaptive_pooling(layer, inputs, outputs, axes):
    windows = []
    for old, new in zip(places(inputs[0], layer.data_format), places(outputs[0], layer.data_format), strict=True):
        widest = max(-(-(i + 1) * old // new) - i * old // new for i in range(new))
        windows.append(cost.resized(old, new, "nearest") if new > old else Window(widest, cost.Fraction(old, new)))
    return Cost(window=tuple(windows))


def _global_pooling(layer, inputs, outputs, axes):
    return Cost(window=POOLED)


def _zero_padding(layer, inputs, outputs, axes):
    pairs = layer.padding if isinstance(layer.padding[0], tuple | list) else (layer.padding,)
    return Cost(window=tuple(Window(1, 1, -before) for before, _ in pairs))


def _cropping(layer, inputs, outputs, axes):
    pairs = layer.cropping if isinstance(layer.cropping[0], tuple | list) else (layer.cropping,)
    return Cost(window=tuple(Window(1, 1, before) for before, _ in pairs))


def _up_sampling(layer, inputs, outputs, axes):
    data_format = getattr(layer, "data_format", None) or "channels_last"
    pairs = zip(places(inputs[0], data_format), places(outputs[0], data_format), strict=True)
    method = getattr(layer, "interpolation", "nearest")
    if method not in ("nearest", "bilinear"):
        return Cost(window=None)
    return Cost(window=tuple(cost.resized(old, new, method) for old, new in pairs))


def _resizing(layer, inputs, outputs, axes):
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio:
        return Cost(window=None)
    return _up_sampling(layer, inputs, outputs, axes)


def _embedding(layer, inputs, outputs, axes):
    return Cost(weights=math.prod(outputs[0]))  # the rows that are looked up


def _recurrent(layer, inputs, outputs, axes):
    """Every step multiplies what comes in and what is remembered with a matrix each."""
    cell = layer.cell
    if type(cell) not in (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell):
        return None
    matrices = math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape)
    return Cost(multiply_adds=inputs[0][0] * inputs[0][1] * matrices, window=EVERYWHERE)


def _convolving(layer, inputs, outputs, axes):
    """Every step convolves what comes in and what is remembered; what is remembered went through all steps before."""
    cell, steps = layer.cell, inputs[0][1]
    # The shape of one step's output, and of its four gates.
    image = (outputs[0][0], *outputs[0][2:]) if layer.return_sequences else outputs[0]
    gates = (image[0], *places(image, layer.data_format), 4 * layer.filters)
    convolutions = [
        cost.convolution(kernel.shape, gates, 4 * layer.filters, EVERYWHERE)
        for kernel in (cell.kernel, cell.recurrent_kernel)
    ]
    return Cost(
        multiply_adds=steps * sum(each.multiply_adds for each in convolutions),
        flops=steps * sum(each.flops for each in convolutions),
        depth=steps,
        window=EVERYWHERE,
    )


def _bidirectional(layer, inputs, outputs, axes):
    ways = [of(way, inputs, outputs, axes) for way in (layer.forward_layer, layer.backward_layer)]
    if None in ways:
        return None
    return Cost(multiply_adds=sum(way.multiply_adds for way in ways), window=EVERYWHERE)


def _time_distributed(layer, inputs, outputs, axes):
    """The steps are a larger batch to the layer inside."""
    inner = of(layer.layer, *([(s[0] * s[1], *s[2:]) for s in shapes] for shapes in (inputs, outputs)), axes - 1)
    if inner is None:
        return None
    window = inner.window
    if window is not None:  # a step sees its own
        window = (Window(), *(window if isinstance(window, tuple) else (window,) * (axes - 1)))
    return Cost(
        multiply_adds=inner.multiply_adds,
        activation_products=inner.activation_products,
        flops=inner.flops,
        depth=inner.depth,
        window=window,
    )


def _spectral_normalization(layer, inputs, outputs, axes):
    """In inference the layer inside, and nothing else is read."""
    inner = of(layer.layer, inputs, outputs, axes)
    if inner is None or inner.weights is not None:
        return inner
    return dataclasses.replace(inner, weights=sum(math.prod(weight.shape) for weight in layer.layer.weights))


def _concatenation(layer, inputs, outputs, axes, data_format):
    """Along the channels places meet places; along any other axis they lie side by side."""
    rank = len(outputs[0])
    channel_axis = rank - 1 if data_format == "channels_last" or rank == 2 else 1
    return Cost(window=Window() if layer.axis % rank == channel_axis else None)


def _normalization(layer, inputs, outputs, axes):
    axes = layer.axis if isinstance(layer.axis, list | tuple) else (layer.axis,)
    along = {axis % len(inputs[0]) for axis in axes}
    return Cost(window=Window() if along == {len(inputs[0]) - 1} else EVERYWHERE)


def _elementwise(layer, inputs, outputs, axes):
    return Cost()


def _nothing(layer, inputs, outputs, axes):
    return Cost(free=True)


def _reshaping(layer, inputs, outputs, axes):
    return reshaping(inputs[0], outputs[0], axes)


def _permuting(layer, inputs, outputs, axes):
    return permuting(layer.dims, axes)


_RULES = {
    _convolution: "Conv1D Conv2D Conv3D",
    _depthwise: "DepthwiseConv1D DepthwiseConv2D",
    _separable: "SeparableConv1D SeparableConv2D",
    _transposed: "Conv1DTranspose Conv2DTranspose Conv3DTranspose",
    _pooling: "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D",
    _adaptive_pooling: "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D "
    "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D",
    _global_pooling: "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D",
    _zero_padding: "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
    _cropping: "Cropping1D Cropping2D Cropping3D",
    _up_sampling: "UpSampling1D UpSampling2D UpSampling3D",
    _resizing: "Resizing",
    products.dense: "Dense",
    products.einsum_dense: "EinsumDense",
    _embedding: "Embedding",
    products.attention: "Attention",
    products.multi_head_attention: "MultiHeadAttention",
    products.group_query_attention: "GroupQueryAttention",
    products.dot: "Dot",
    _recurrent: "SimpleRNN LSTM GRU RNN",
    _convolving: "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
    _spectral_normalization: "SpectralNormalization",
    _bidirectional: "Bidirectional",
    _time_distributed: "TimeDistributed",
    _concatenation: "Concatenate",
    _reshaping: "Reshape Flatten",
    _permuting: "Permute",
    _normalization: "LayerNormalization RMSNormalization UnitNormalization Softmax",
    lambda layer, inputs, outputs, axes: Cost(window=EVERYWHERE): "GroupNormalization RepeatVector",
    _elementwise: "Activation ReLU LeakyReLU PReLU ELU BatchNormalization Normalization Rescaling Masking "
    "Add Subtract Multiply Average Maximum Minimum",
    # In inference; none of them is there in a file.
    _nothing: "Identity Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout GaussianDropout "
    "GaussianNoise ActivityRegularization RandomFlip RandomRotation RandomTranslation RandomZoom RandomContrast "
    "RandomBrightness InputLayer",
}
# Keras before 3.13 has not all of them.
COSTS = {
    getattr(layers, name): rule for rule, names in _RULES.items() for name in names.split() if hasattr(layers, name)
}


# Of keras.applications' ConvNeXt, which are no public layers: a weight a channel, and what drops samples in training.
_INSIDE_APPLICATIONS = {"LayerScale": _elementwise, "StochasticDepth": _nothing}


def of(layer, inputs, outputs, axes, data_format=None):
    """The `Cost` of a call of one of Keras's own layers; None for any other.

    A subclass that computes something else than its Keras layer is another.

    Args:
        layer: any layer.
        inputs, outputs: lists of shapes.
        axes: how many axes of the model's input are places.
        data_format: of the layers before it; by default Keras's own setting.
    """
    kind = type(layer)
    if _keras.is_of_applications(kind) and kind.__name__ in _INSIDE_APPLICATIONS:
        return _INSIDE_APPLICATIONS[kind.__name__](layer, inputs, outputs, axes)
    known = next((base for base in kind.__mro__ if base in COSTS), None)
    if known is None or kind.call is not known.call:
        return None
    rule = COSTS[known]
    if rule is _concatenation:
        return rule(layer, inputs, outputs, axes, data_format or keras.config.image_data_format())
    return rule(layer, inputs, outputs, axes)
