"""What the layers must compute, as plain numpy loops in float64.

An oracle takes (inputs, weights, options): numpy, a list of numpy arrays in the order of the layer's weights, and
the options the layer was made with. Nothing here imports keras or keraslayers: it shares no code with what it judges.
"""

import math

import numpy as np


def _clip(value, low, high):
    return min(max(value, low), high)


_HARD_SIGMOIDS = {
    "mobilenet": lambda v: _clip(v + 3, 0, 6) / 6,
    "keras2": lambda v: _clip(0.2 * v + 0.5, 0, 1),
    "binarynet": lambda v: _clip((v + 1) / 2, 0, 1),
}

# What the strings that SqueezeExcite takes as activations stand for.
_ACTIVATIONS = {
    "relu": lambda v: max(v, 0.0),
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "hard_sigmoid": _HARD_SIGMOIDS["mobilenet"],
}


def _each(formula, inputs):
    outputs = np.empty(inputs.shape, "float64")
    for place, value in np.ndenumerate(inputs):
        outputs[place] = formula(float(value))
    return outputs


def hard_sigmoid(inputs, weights, options):
    return _each(_HARD_SIGMOIDS[options.get("variant", "mobilenet")], inputs)


def hard_swish(inputs, weights, options):
    return _each(lambda v: v * _clip(v + 3, 0, 6) / 6, inputs)


def hard_tanh(inputs, weights, options):
    return _each(lambda v: _clip(v, -1, 1), inputs)


def relu6(inputs, weights, options):
    return _each(lambda v: _clip(v, 0, 6), inputs)


def channel_shuffle(inputs, weights, options):
    groups = options["groups"]
    axis = 1 if options.get("data_format") == "channels_first" else inputs.ndim - 1
    size = inputs.shape[axis] // groups
    outputs = np.empty(inputs.shape, "float64")
    for place, value in np.ndenumerate(inputs):
        group, within = divmod(place[axis], size)
        outputs[(*place[:axis], within * groups + group, *place[axis + 1 :])] = value
    return outputs


def squeeze_excite(inputs, weights, options):
    first = options.get("data_format") == "channels_first"
    images = np.asarray(inputs if first else np.moveaxis(inputs, -1, 1), "float64")
    squeeze, squeeze_bias, excite, excite_bias = (np.asarray(weight, "float64") for weight in weights)
    activation = _ACTIVATIONS[options.get("activation", "relu")]
    gate_activation = _ACTIVATIONS[options.get("gate_activation", "sigmoid")]
    outputs = np.empty(images.shape, "float64")
    for b, image in enumerate(images):
        means = [plane.sum() / plane.size for plane in image]
        squeezed = []
        for s, bias in enumerate(squeeze_bias):
            total = sum(mean * squeeze[0, 0, c, s] for c, mean in enumerate(means))
            squeezed.append(activation(total + bias))
        for c, bias in enumerate(excite_bias):
            total = sum(value * excite[0, 0, s, c] for s, value in enumerate(squeezed))
            outputs[b, c] = image[c] * gate_activation(total + bias)
    return outputs if first else np.moveaxis(outputs, 1, -1)
