"""What an operator makes of numbers that stand in the file: those that count, compare and index."""

import math

import numpy as np

# What counts and indexes is small; more numbers than a large image has are no sizes.
MOST_ELEMENTS = 2**24
_COUNTING = {
    "ABS": np.abs,
    "ADD": np.add,
    "EQUAL": np.equal,
    "FLOOR_DIV": np.floor_divide,
    "FLOOR_MOD": np.mod,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "LOGICAL_AND": np.logical_and,
    "LOGICAL_NOT": np.logical_not,
    "LOGICAL_OR": np.logical_or,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": np.multiply,
    "NEG": np.negative,
    "NOT_EQUAL": np.not_equal,
    "SUB": np.subtract,
}
_REDUCING = {
    "REDUCE_ALL": np.all,
    "REDUCE_ANY": np.any,
    "REDUCE_MAX": np.max,
    "REDUCE_MIN": np.min,
    "REDUCE_PROD": np.prod,
    "SUM": np.sum,
}


def evaluate(operator, values):
    """Returns the array of values that an operator computes of whole numbers and of true and false.

    Args:
        operator: an `edit.Operator`.
        values: arrays, one for each of its inputs.

    Returns:
        The array; None of operators that make several tensors, of floats, of quantized numbers, of very many numbers,
        and of kinds that are not known here: nothing is guessed.
    """
    if len(operator.outputs) != 1 or operator.activation != "NONE":
        return None
    output = operator.output
    if any(value is None or value.dtype.kind not in "iub" for value in values) or output.dtype.startswith("float"):
        return None
    if any(tensor.scale is not None for tensor in (*operator.inputs, output)):
        return None
    if _elements(operator, values) > MOST_ELEMENTS:
        return None
    if operator.name in _COUNTING:
        found = _COUNTING[operator.name](*values) if _divides(operator.name, values) else None
    elif operator.name in _REDUCING:
        axes = tuple(int(axis) for axis in values[1].reshape(-1))
        found = _REDUCING[operator.name](values[0], axis=axes, keepdims=bool(operator.options.keepDims))
    else:
        found = _OTHERS[operator.name](operator, *values) if operator.name in _OTHERS else None
    return None if found is None else np.asarray(found).astype(output.dtype)


def _elements(operator, values):
    """How many numbers an operator would make of few: a file of a stranger's may ask for any number of them."""
    first, name = values[0], operator.name
    if name == "FILL":
        return math.prod(map(int, first.reshape(-1)))
    if name == "BROADCAST_TO":
        return math.prod(map(int, values[1].reshape(-1)))
    if name == "TILE":
        return first.size * math.prod(map(int, values[1].reshape(-1)))
    if name == "RANGE":
        start, limit, delta = (int(x.reshape(())) for x in values)
        return abs(limit - start) // max(1, abs(delta))
    if name == "GATHER":
        return values[1].size * first.size // max(1, first.shape[operator.options.axis])
    if name in _COUNTING or name.startswith("SELECT"):
        return math.prod(np.broadcast_shapes(*(value.shape for value in values)))
    return 0  # it moves what is there, or makes less of it


def _divides(name, values):
    return name not in ("FLOOR_DIV", "FLOOR_MOD") or np.all(values[1] != 0)


def _reshape(operator, x, *shape):
    return x.reshape(shape[0].reshape(-1) if shape else operator.options.newShape)


def _squeeze(operator, x):
    axes = operator.options.squeezeDims
    return np.squeeze(x, None if axes is None or len(axes) == 0 else tuple(int(axis) for axis in axes))


def _gather(operator, x, places):
    inside = places.size == 0 or (places.min() >= 0 and places.max() < x.shape[operator.options.axis])
    return None if operator.options.batchDims or not inside else np.take(x, places, operator.options.axis)


def _slice(operator, x, begin, size):
    return x[slices(x.shape, begin, size)]


def slices(shape, begin, size):
    """A SLICE as an index of NumPy's: a size of -1 takes what is left."""
    return tuple(
        slice(int(b), whole if s == -1 else int(b + s))
        for whole, b, s in zip(shape, begin.reshape(-1), size.reshape(-1), strict=True)
    )


def _strided_slice(operator, x, begin, end, strides):
    index = strided(operator.options, x.shape, begin, end, strides)
    return None if index is None else x[index]


def strided(options, shape, begin, end, strides):
    """A STRIDED_SLICE as an index of NumPy's; None with an ellipsis or a new axis."""
    if options.ellipsisMask or options.newAxisMask or options.offset:
        return None
    index = []
    for axis, (b, e, s) in enumerate(zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)):
        masked = [mask >> axis & 1 for mask in (options.beginMask, options.endMask, options.shrinkAxisMask)]
        if masked[2]:
            index.append(b)  # of numbers below 0 as NumPy's
        else:
            index.append(slice(None if masked[0] else b, None if masked[1] else e, s))
    inside = all(isinstance(i, slice) or -size <= i < size for i, size in zip(index, shape, strict=False))
    return tuple(index) if inside else None


def _cast(operator, x):
    return x.astype(operator.output.dtype)


def _shape(operator, x):
    return np.asarray(x.shape)


_OTHERS = {
    "BROADCAST_TO": lambda operator, x, shape: np.broadcast_to(x, shape),
    "CAST": _cast,
    "CONCATENATION": lambda operator, *parts: np.concatenate(parts, operator.options.axis),
    "EXPAND_DIMS": lambda operator, x, axis: np.expand_dims(x, int(axis.reshape(()))),
    "FILL": lambda operator, shape, value: np.full(shape, value.reshape(())),
    "GATHER": _gather,
    "PACK": lambda operator, *parts: np.stack(parts, operator.options.axis),
    "RANGE": lambda operator, start, limit, delta: np.arange(*(int(x.reshape(())) for x in (start, limit, delta))),
    "RESHAPE": _reshape,
    "SELECT": lambda operator, condition, x, y: np.where(condition, x, y) if condition.shape in ((), x.shape) else None,
    "SELECT_V2": lambda operator, condition, x, y: np.where(condition, x, y),
    "SHAPE": _shape,
    "SLICE": _slice,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TILE": lambda operator, x, times: np.tile(x, times),
    "TRANSPOSE": lambda operator, x, order: x.transpose(order),
}
