"""Exponentials of numbers that are not above zero, as those of 12 are out of range."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._ranges import stays_below, with_scalar

# How far before an exponential the largest number is looked for that was taken from it.
FAR = 6


def shift_exponentials(graph):
    """Takes the largest number away before exponentials are summed up, and adds it behind.

    Given:   x -> EXP -> SUM -> LOG
    Result:  m = REDUCE_MAX(x); x - m -> EXP -> SUM -> LOG -> + m

    Given:   e = EXP(x); e / SUM(e)
    Result:  e = EXP(x - REDUCE_MAX(x)); e / SUM(e), which is SOFTMAX along the last axis

    Given:   LOG(EXP(x) + 1)
    Result:  RELU(x) + LOG(EXP(-ABS(x)) + 1)

    In 16-bit floats the exponential of 12 is infinite. Where samples show that none is large it is left alone. Within
    rounding.
    """
    return each(graph, ("DIV", "LOG"), lambda build, operator: _SHIFTED[operator.name](build, operator))


def _logarithm(build, operator):
    maker = operator.inputs[0].maker
    if maker is None or maker.activation != "NONE":
        return False
    if maker.name == "ADD":
        return _softplus(build, operator, maker)
    if maker.name != "SUM" or maker.inputs[1].values is None or (x := _powered(build, maker.inputs[0])) is None:
        return False
    moved, largest = _moved(build, x, maker)
    total = build.computed(
        "SUM", (build.computed("EXP", (moved,), x.shape), maker.inputs[1]), largest.shape, keepDims=True
    )
    logarithm = build.computed("LOG", (total,), total.shape)
    build.finish(build.computed("ADD", (logarithm, largest), total.shape))
    return True


def _softplus(build, operator, added):
    power, one = with_scalar(added)
    if one != 1 or (x := _powered(build, power)) is None:
        return False
    # Behind it infinity is as right as any large number: Mish.
    if all(reader.name == "TANH" for reader in operator.output.readers) and not build.graph.given(operator.output):
        return False
    below = build.computed("NEG", (build.computed("ABS", (x,), x.shape),), x.shape)
    power = build.computed("EXP", (below,), x.shape)
    small = build.computed("LOG", (build.computed("ADD", (power, _one(build)), x.shape),), x.shape)
    build.finish(build.computed("ADD", (build.computed("RELU", (x,), x.shape), small), x.shape))
    return True


def _one(build):
    return build.constant(np.ones(1, "float32"))


def _division(build, operator):
    power, total = operator.inputs
    maker = total.maker
    if maker is None or maker.name != "SUM" or maker.inputs[0] is not power or maker.inputs[1].values is None:
        return False
    if operator.activation != "NONE" or not maker.options.keepDims or (x := _powered(build, power)) is None:
        return False
    axes = [int(axis) % len(x.shape) for axis in maker.inputs[1].values.reshape(-1)]
    if axes == [len(x.shape) - 1]:
        build.finish(build.computed("SOFTMAX", (x,), x.shape, beta=1.0))
        return True
    moved, largest = _moved(build, x, maker)
    power = build.computed("EXP", (moved,), x.shape)
    total = build.computed("SUM", (power, maker.inputs[1]), largest.shape, keepDims=True)
    build.finish(build.computed("DIV", (power, total), x.shape))
    return True


def _powered(build, power):
    """What a tensor is the exponential of, if that may be large: nothing was taken from it."""
    maker = None if power is None else power.maker
    if maker is None or maker.name != "EXP" or power.dtype != "float32" or stays_below(build, power):
        return None
    x = maker.inputs[0]
    taken = x.maker.inputs[1:] if x.maker is not None and x.maker.name == "SUB" else ()
    negative = x.maker is not None and x.maker.name == "NEG" and _comes_from(x.maker.inputs, "ABS", 1)
    return None if negative or _comes_from(taken, "REDUCE_MAX", FAR) else x


def _comes_from(tensors, kind, far):
    makers = [tensor.maker for tensor in tensors if tensor is not None and tensor.maker is not None]
    return any(maker.name == kind or (far > 1 and _comes_from(maker.inputs, kind, far - 1)) for maker in makers)


def _moved(build, x, total):
    """(x less its largest number along the axes of a sum, that number)."""
    axes = {int(axis) % len(x.shape) for axis in total.inputs[1].values.reshape(-1)}
    row = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    largest = build.computed("REDUCE_MAX", (x, total.inputs[1]), row, keepDims=True)
    return build.computed("SUB", (x, largest), x.shape), largest


_SHIFTED = {"DIV": _division, "LOG": _logarithm}
