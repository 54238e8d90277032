"""What calls of `keras.ops` in a model cost."""

import dataclasses
import math
from fractions import Fraction

import keras
from keras import ops

from keraslayers.analysis import cost
from keraslayers.analysis.cost import EVERYWHERE, Cost, Window, permuting, reshaping
from keraslayers.analysis.stock_products import einsum

# Those that look at nothing but their own place, those that sum or compare along an axis, and those that only move.
_ELEMENTWISE, _REDUCTIONS, _MOVES = (
    """
    Absolute Add Arctan Cast Ceil Celu Clip Copy Cos Cosh Divide DivideNoNan Elu Equal Erf Exp Expm1 Fabs Floor
    FloorDivide Gelu Greater GreaterEqual HardShrink HardSigmoid HardSilu HardTanh Heaviside Hypot Isfinite Isinf Isnan
    LeakyRelu Less LessEqual Log Log10 Log1p Log2 LogSigmoid LogicalAnd LogicalNot LogicalOr LogicalXor Maximum Minimum
    Mod Multiply NanToNum Negative NotEqual OnesLike Power Reciprocal Relu Relu6 Round Rsqrt SaturateCast Selu Sigmoid
    Sign Silu Sin Sinh SoftShrink Softplus Softsign SparsePlus SparseSigmoid Sqrt Square Squareplus StopGradient
    Subtract Tan Tanh TanhShrink Threshold TrueDivide Trunc Where ZerosLike
    """,
    "All Amax Amin Any Argmax Argmin Cumsum LogSoftmax Logsumexp Max Mean Min Norm Normalize Prod Softmax Std Sum Var",
    "BroadcastTo Flip Moveaxis Repeat Roll Stack Swapaxes Take Tile Unstack",
)
ELEMENTWISE, REDUCTIONS, MOVES = (frozenset(names.split()) for names in (_ELEMENTWISE, _REDUCTIONS, _MOVES))


def of(operation, args, inputs, outputs, axes):
    """The `Cost` of a call of a `keras.ops` operation; None for one that is unknown here.

    Args:
        operation: the keras.Operation.
        args: what it was called with, by position.
        inputs, outputs: lists of shapes of the tensors among it, constants left out.
        axes: how many axes of the model's input are places.
    """
    if not type(operation).__module__.startswith("keras."):
        return None
    kind = type(operation).__name__
    if kind in ELEMENTWISE:
        return Cost()
    if kind in REDUCTIONS:
        return Cost(window=_along(getattr(operation, "axis", None), len(inputs[0])))
    if kind in MOVES:
        return Cost(window=None)
    rule = _RULES.get(kind)
    return rule(operation, args, inputs, outputs, axes) if rule else None


def _along(axis, rank):
    """The window of what works along an axis: of the channels it keeps the places, otherwise it sees all."""
    axes = axis if isinstance(axis, list | tuple) else (axis,)
    alone = rank > 2 and None not in axes and {a % rank for a in axes} == {rank - 1}
    return Window() if alone else EVERYWHERE


def _products(products, args, alone):
    """The cost of products of matrices; `alone` tells whether a constant would multiply every place for itself."""
    constants = [value for value in args if not keras.backend.is_keras_tensor(value)]
    return Cost(
        multiply_adds=products,
        activation_products=0 if constants else products,
        weights=sum(math.prod(ops.shape(constant)) for constant in constants),
        window=Window() if constants and alone else EVERYWHERE,
    )


def _matmul(operation, args, inputs, outputs, axes):
    """Of `dot`, too: the last axis of what stands first is summed over."""
    first, second = (tuple(ops.shape(value)) for value in args[:2])
    if not (first and second):
        return Cost()  # a number times what it meets
    return _products(
        math.prod(outputs[0]) * first[-1], args[:2], len(first) > 2 and keras.backend.is_keras_tensor(args[0])
    )


def _tensordot(operation, args, inputs, outputs, axes):
    first = tuple(ops.shape(args[0]))
    along = range(-operation.axes, 0) if isinstance(operation.axes, int) else operation.axes[0]
    along = [axis % len(first) for axis in along]
    last = along == [len(first) - 1] and len(first) > 2 and keras.backend.is_keras_tensor(args[0])
    return _products(math.prod(outputs[0]) * math.prod(first[axis] for axis in along), args[:2], last)


def _einsum(operation, args, inputs, outputs, axes):
    shapes = [tuple(ops.shape(value)) for value in args]
    seen, made = operation.subscripts.replace(" ", "").split("->")
    seen = seen.split(",")[0]
    alone = len(shapes[0]) > 2 and keras.backend.is_keras_tensor(args[0]) and seen[:-1] == made[:-1]
    return _products(einsum(operation.subscripts, shapes, outputs[0]), args, alone)


def _each(value, sizes):
    """One number an axis of places."""
    return tuple(value) if isinstance(value, list | tuple) else (value,) * len(sizes)


def _convolution(operation, args, inputs, outputs, axes):
    """A kernel that is computed, too: its products are of activations then."""
    image, kernel = args[:2]
    if not keras.backend.is_keras_tensor(image):
        return None
    kernel_shape, sizes = tuple(ops.shape(kernel)), cost.places(image.shape, operation.data_format)
    windows = cost.sliding(
        sizes,
        kernel_shape[:-2],
        _each(operation.strides, sizes),
        operation.padding,
        _each(operation.dilation_rate, sizes),
    )
    filters = cost.channels(outputs[0], operation.data_format)
    if len(args) > 2:
        return _with_kernels(cost.separable(kernel_shape, outputs[0], filters, windows), args[1:])
    return _with_kernels(cost.convolution(kernel_shape, outputs[0], filters, windows), args[1:])


def _transposed(operation, args, inputs, outputs, axes):
    image, kernel = args[:2]
    if not keras.backend.is_keras_tensor(image):
        return None
    strides, dilation_rate = (_each(value, image.shape[2:]) for value in (operation.strides, operation.dilation_rate))
    kernel_shape, data_format = tuple(ops.shape(kernel)), operation.data_format
    told = cost.transposed_convolution(
        kernel_shape, tuple(image.shape), outputs[0], data_format, strides, operation.padding, dilation_rate
    )
    return _with_kernels(told, args[1:])


def _with_kernels(told, kernels):
    """The cost with constant kernels for weights; products with one that is computed are of activations."""
    constants = [kernel for kernel in kernels if not keras.backend.is_keras_tensor(kernel)]
    computed = len(constants) < len(kernels)
    return dataclasses.replace(
        told,
        weights=sum(math.prod(ops.shape(kernel)) for kernel in constants),
        activation_products=told.multiply_adds if computed else 0,
    )


def _pooling(operation, args, inputs, outputs, axes):
    sizes = cost.places(inputs[0], operation.data_format)
    pool = _each(operation.pool_size, sizes)
    strides = pool if operation.strides is None else _each(operation.strides, sizes)
    return Cost(window=cost.sliding(sizes, pool, strides, operation.padding))


def _concatenate(operation, args, inputs, outputs, axes):
    last = operation.axis % len(outputs[0]) == len(outputs[0]) - 1
    return Cost(window=Window() if last else None)


def _get_item(operation, args, inputs, outputs, axes):
    """Slices of the channels keep the places; others move them."""
    before, after = inputs[0], outputs[0]
    # One that changes no size turns an axis round.
    kept = before[:-1] == after[:-1] and before[-1] != after[-1]
    return Cost(window=Window() if kept or len(before) == 2 else None)


def _pad(operation, args, inputs, outputs, axes):
    widths = operation.pad_width
    if len(widths) != len(inputs[0]):
        widths = [widths[0] if len(widths) == 1 else widths] * len(inputs[0])
    # Places are the axes between batch and channels; channels that are padded make no difference to them.
    return Cost(window=tuple(Window(1, 1, -before) for before, _ in widths[1:-1]) or Window())


def _resize(operation, args, inputs, outputs, axes):
    if operation.interpolation not in ("nearest", "bilinear") or operation.crop_to_aspect_ratio:
        return Cost(window=None)
    rows = slice(1, 3) if operation.data_format == "channels_last" else slice(2, 4)
    return Cost(
        window=tuple(
            cost.resized(old, new, operation.interpolation, operation.antialias)
            for old, new in zip(inputs[0][rows], outputs[0][rows], strict=True)
        )
    )


def _depth_to_space(operation, args, inputs, outputs, axes):
    return Cost(window=(Window(1, Fraction(1, operation.block_size)),) * axes)


def _space_to_depth(operation, args, inputs, outputs, axes):
    return Cost(window=(Window(operation.block_size, operation.block_size),) * axes)


def _reshape(operation, args, inputs, outputs, axes):
    return reshaping(inputs[0], outputs[0], axes)


def _transpose(operation, args, inputs, outputs, axes):
    order = operation.axes or range(len(inputs[0]))[::-1]
    return permuting(tuple(order)[1:], axes)


def _split(operation, args, inputs, outputs, axes):
    """Parts of the channels."""
    rank = len(inputs[0])
    return Cost(window=Window() if rank == 2 or operation.axis % rank == rank - 1 else None)


_RULES = {
    "Conv": _convolution,
    "DepthwiseConv": _convolution,
    "SeparableConv": _convolution,
    "ConvTranspose": _transposed,
    "MaxPool": _pooling,
    "AveragePool": _pooling,
    "Matmul": _matmul,
    "Dot": _matmul,
    "Tensordot": _tensordot,
    "Einsum": _einsum,
    "Concatenate": _concatenate,
    "GetItem": _get_item,
    "Pad": _pad,
    "Resize": _resize,
    "Reshape": _reshape,
    "ExpandDims": _reshape,
    "Squeeze": _reshape,
    "Transpose": _transpose,
    "Split": _split,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
