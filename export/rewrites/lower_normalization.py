"""Normalizations in operators that the GPU has."""

import numpy as np

from keraslayers.export.rewrites._each import each

# Below this length TensorFlow Lite's kernel takes a vector for one of this length.
LEAST_LENGTH = 1e-6


def lower_normalization(graph):
    """Writes LOG_SOFTMAX, L2_NORMALIZATION and LOCAL_RESPONSE_NORMALIZATION with sums, as the GPU has none of them.

    Given:   x -> LOG_SOFTMAX
    Result:  x -> x - max(x) -> that - log(sum(exp(that)))

    Given:   x -> L2_NORMALIZATION
    Result:  x -> x / max(sqrt(sum(x * x)), 1e-6)

    Given:   x [1, 6, 5, 32] -> LOCAL_RESPONSE_NORMALIZATION
    Result:  x -> x * (x * x -> CONV_2D with a band of alpha, and the bias) ** -beta

    Within rounding; integers are widened before and quantized behind, within one step.
    """
    return each(graph, tuple(_LOWERED), _lower)


def _lower(build, operator):
    x, output = operator.inputs[0], operator.output
    if x.dtype not in ("float32", "int8", "uint8") or operator.activation != "NONE":
        return False
    integer = x.dtype != "float32"
    x = build.computed("DEQUANTIZE", (x,), x.shape, dtype="float32") if integer else x
    y = _LOWERED[operator.name](build, x, operator.options)
    build.finish(build.computed("QUANTIZE", (y,), y.shape, output) if integer else y)
    return True


def _log_softmax(build, x, options):
    moved = build.computed("SUB", (x, _over_channels(build, "REDUCE_MAX", x)), x.shape)
    total = _over_channels(build, "SUM", build.computed("EXP", (moved,), x.shape))
    return build.computed("SUB", (moved, build.computed("LOG", (total,), total.shape)), x.shape)


def _l2_normalization(build, x, options):
    total = _over_channels(build, "SUM", build.computed("MUL", (x, x), x.shape))
    length = build.computed("SQRT", (total,), total.shape)
    least = build.constant(np.full(1, LEAST_LENGTH, "float32"))
    return build.computed("DIV", (x, build.computed("MAXIMUM", (length, least), total.shape)), x.shape)


def _over_channels(build, kind, x):
    return build.computed(kind, (x, build.integers([len(x.shape) - 1])), (*x.shape[:-1], 1), keepDims=True)


def _local_response(build, x, options):
    channels = np.arange(x.shape[-1])
    near = np.abs(channels[:, None] - channels) <= options.radius
    band = build.constant((near * options.alpha).astype("float32")[:, None, None, :])
    bias = build.constant(np.full(len(channels), options.bias, "float32"))
    square = build.computed("MUL", (x, x), x.shape)
    ones = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    total = build.computed("CONV_2D", (square, band, bias), x.shape, padding=_VALID, **ones)
    power = build.constant(np.full(1, -options.beta, "float32"))
    return build.computed("MUL", (x, build.computed("POW", (total, power), x.shape)), x.shape)


_VALID = 1  # of the format's paddings
_LOWERED = {
    "L2_NORMALIZATION": _l2_normalization,
    "LOCAL_RESPONSE_NORMALIZATION": _local_response,
    "LOG_SOFTMAX": _log_softmax,
}
