"""What the operators of a .tflite file cost."""

import math

from keraslayers.analysis import cost
from keraslayers.analysis.cost import EVERYWHERE, POOLED, Cost, Window

# Those that look at nothing but their own place.
_ELEMENTWISE = """
    ABS ADD ADD_N CAST CEIL COS DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD GELU GREATER GREATER_EQUAL
    HARD_SWISH L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT
    LOGICAL_OR LOGISTIC MAXIMUM MINIMUM MUL NEG NOT_EQUAL POW PRELU QUANTIZE RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND
    RSQRT SELECT SELECT_V2 SIGN SIN SOFTMAX LOG_SOFTMAX SQRT SQUARE SQUARED_DIFFERENCE SUB TANH ZEROS_LIKE
"""
_REDUCTIONS = "MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD ARG_MAX ARG_MIN"
ELEMENTWISE, REDUCTIONS = (frozenset(names.split()) for names in (_ELEMENTWISE, _REDUCTIONS))


def of(operator, axes):
    """The `Cost` of an `Operator` of a file; None for one that is unknown here.

    Args:
        operator: see `keraslayers.export.file.tables_of_file`.
        axes: how many axes of the file's input are places.
    """
    if operator.name in ELEMENTWISE:
        return Cost()
    if operator.name in REDUCTIONS:
        return _reduction(operator)
    rule = _RULES.get(operator.name)
    return rule(operator, axes) if rule else None


def _padding(options):
    return ("same", "valid")[options.padding]


def _sliding(operator, kernel_size):
    options = operator.options
    dilation = (getattr(options, "dilationHFactor", 1), getattr(options, "dilationWFactor", 1))
    strides = (options.strideH, options.strideW)
    return cost.sliding(operator.inputs[0].shape[1:3], kernel_size, strides, _padding(options), dilation)


def _convolution(operator, axes):
    """Kernels are (filters, height, width, channels / groups)."""
    kernel, (made, *_) = operator.inputs[1].shape, operator.outputs
    window = _sliding(operator, kernel[1:3])
    return cost.convolution((*kernel[1:], kernel[0]), made.shape, kernel[0], window)


def _depthwise(operator, axes):
    """Kernels are (1, height, width, filters)."""
    kernel, (made, *_) = operator.inputs[1].shape, operator.outputs
    return cost.convolution(kernel, made.shape, kernel[3], _sliding(operator, kernel[1:3]))


def _convolution_3d(operator, axes):
    options, kernel = operator.options, operator.inputs[1].shape
    strides = (options.strideD, options.strideH, options.strideW)
    dilation = (options.dilationDFactor, options.dilationHFactor, options.dilationWFactor)
    window = cost.sliding(operator.inputs[0].shape[1:4], kernel[:3], strides, _padding(options), dilation)
    return cost.convolution(kernel, operator.outputs[0].shape, kernel[4], window)


def _transposed(operator, axes):
    """Inputs are the sizes that are made, the kernel (filters, height, width, channels), and the images."""
    options, kernel, images = operator.options, operator.inputs[1].shape, operator.inputs[2].shape
    made = operator.outputs[0].shape
    products = math.prod(images[:3]) * math.prod(kernel)
    window = cost.transposed(
        images[1:3], made[1:3], kernel[1:3], (options.strideH, options.strideW), _padding(options), (1, 1)
    )
    sums = min(products // images[3], math.prod(made))
    return Cost(multiply_adds=products, flops=2 * products - sums, depth=1, window=window)


def _dense(operator, axes):
    given, kernel = operator.inputs[:2]
    counted = cost.dense(kernel.shape[-1], operator.outputs[0].shape, None)
    return Cost(
        multiply_adds=counted.multiply_adds,
        activation_products=0 if kernel.constant else counted.multiply_adds,
        flops=counted.flops,
        window=EVERYWHERE if len(given.shape) == 2 or not kernel.constant else Window(),
    )


def _batch_matmul(operator, axes):
    left, right = operator.inputs[:2]
    inner = left.shape[-2] if operator.options.adjX else left.shape[-1]
    products = math.prod(operator.outputs[0].shape) * inner
    computed = not (left.constant or right.constant)
    window = Window() if right.constant and len(left.shape) > 2 else EVERYWHERE
    return Cost(multiply_adds=products, activation_products=products if computed else 0, window=window)


def _pooling(operator, axes):
    return Cost(window=_sliding(operator, (operator.options.filterHeight, operator.options.filterWidth)))


def _reduction(operator):
    rank, along = len(operator.inputs[0].shape), operator.inputs[1].values
    if along is None:
        return Cost(window=None)
    along = {int(axis) % rank for axis in along.ravel()}
    return Cost(window=Window() if along == {rank - 1} and rank > 2 else POOLED)


def _pad(operator, axes):
    widths = operator.inputs[1].values
    return Cost(window=None if widths is None else tuple(Window(1, 1, -int(before)) for before, _ in widths[1:-1]))


def _resize(operator, axes):
    if operator.options.alignCorners or not operator.options.halfPixelCenters:
        return Cost(window=None)
    method = "nearest" if operator.name == "RESIZE_NEAREST_NEIGHBOR" else "bilinear"
    sizes = zip(operator.inputs[0].shape[1:3], operator.outputs[0].shape[1:3], strict=True)
    return Cost(window=tuple(cost.resized(old, new, method) for old, new in sizes))


def _slice(operator, axes):
    """Slices of the channels keep the places; others move them."""
    before, after = operator.inputs[0].shape, operator.outputs[0].shape
    return Cost(window=Window() if before[:-1] == after[:-1] else None)


def _join(operator, axes):
    rank = len(operator.outputs[0].shape)
    return Cost(window=Window() if operator.options.axis % rank == rank - 1 else None)


def _reshape(operator, axes):
    return cost.reshaping(operator.inputs[0].shape, operator.outputs[0].shape, axes)


def _transpose(operator, axes):
    order = operator.inputs[1].values
    return cost.permuting(tuple(order.ravel()[1:]), axes) if order is not None else Cost(window=None)


def _split(operator, axes):
    before, after = operator.inputs[1].shape, operator.outputs[0].shape
    return Cost(window=Window() if before[:-1] == after[:-1] else None)


def _gather(operator, axes):
    """A table that is looked up: an embedding reads as much as it gives."""
    table, made = operator.inputs[0], operator.outputs[0]
    if table.constant:
        return Cost(weights=math.prod(made.shape))
    return Cost(window=None)


_RULES = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _convolution_3d,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _batch_matmul,
    "AVERAGE_POOL_2D": _pooling,
    "MAX_POOL_2D": _pooling,
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _pad,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SLICE": _slice,
    "STRIDED_SLICE": _slice,
    "CONCATENATION": _join,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "TRANSPOSE": _transpose,
    "SPLIT": _split,
    "GATHER": _gather,
}
