"""Fourier transforms as products with sines and cosines."""

import numpy as np

from keraslayers.export.rewrites._each import each

RESHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
# Both matrices of a longer one would take more than 16 MB.
MOST_NUMBERS = 2048


def lower_fourier(graph):
    """Writes RFFT2D with what is read of its complex numbers as dense layers, in floats.

    Given:   x [1, 15, 1, 128] -> RFFT2D [1, 15, 1, 65] -> COMPLEX_ABS
    Result:  x -> FULLY_CONNECTED, cosines -> re; x -> FULLY_CONNECTED, sines -> im; sqrt(re * re + im * im)

    No GPU has complex numbers. Within rounding.
    """
    return each(graph, ("CAST", "COMPLEX_ABS", "IMAG", "REAL"), _lower)


def _lower(build, operator):
    x, output = operator.inputs[0], operator.output
    if x.dtype != "complex64" or output.dtype != "float32" or not _known(x):
        return False
    real, imaginary = _parts(build, x)
    if operator.name == "COMPLEX_ABS":
        squares = [build.computed("MUL", (part, part), part.shape) for part in (real, imaginary)]
        power = build.computed("ADD", squares, real.shape)
        build.finish(build.computed("SQRT", (power,), power.shape))
    else:
        build.finish(imaginary if operator.name == "IMAG" else real)
    return True


def _known(x):
    """Whether complex numbers come of a transform, moved, added or multiplied at most."""
    maker = x.maker
    if maker is None or x.dtype != "complex64":
        return False
    if maker.name == "RFFT2D":
        length = maker.inputs[1]
        return length.constant and max(length.values) <= MOST_NUMBERS and len(maker.inputs[0].shape) <= 4
    if maker.name in (*RESHAPES, *_MOVES):
        return _known(maker.inputs[0])
    return maker.name in ("ADD", "SUB", "MUL") and all(map(_known, maker.inputs))


_MOVES = ("REVERSE_V2", "SLICE", "STRIDED_SLICE", "TRANSPOSE")


def _parts(build, x):
    """The real and the imaginary parts of complex numbers."""
    maker = x.maker
    if maker.name == "RFFT2D":
        return _transformed(build, maker.inputs[0], *(int(n) for n in maker.inputs[1].values))
    if maker.name in RESHAPES:
        return [build.reshape(part, x.shape) for part in _parts(build, maker.inputs[0])]
    if maker.name in _MOVES:
        return [_again(build, maker, part) for part in _parts(build, maker.inputs[0])]
    (a, b), (c, d) = (_parts(build, side) for side in maker.inputs)

    def two(kind, left, right):
        return build.computed(kind, (left, right), x.shape)

    if maker.name != "MUL":
        return [two(maker.name, a, c), two(maker.name, b, d)]
    return [
        two("SUB", two("MUL", a, c), two("MUL", b, d)),
        two("ADD", two("MUL", a, d), two("MUL", b, c)),
    ]


def _again(build, operator, x):
    output = build.tensor(operator.output.shape, x)
    build.graph.insert(operator.twin((x, *operator.inputs[1:]), (output,)), build.before)
    return output


def _transformed(build, x, rows, columns):
    """Of real numbers, along the last axis and, if there is more than one row, along the one before."""
    x = _cut(build, x, -1, columns)
    cosines, sines = _waves(columns, columns // 2 + 1, x.shape[-1])
    real, imaginary = _dense(build, x, cosines), _dense(build, x, -sines)
    if rows == 1 and x.shape[-2] == 1:
        return [real, imaginary]
    real, imaginary = (_swapped(build, _cut(build, part, -2, rows)) for part in (real, imaginary))
    cosines, sines = _waves(rows, rows, real.shape[-1])
    both = build.concatenate([real, imaginary], -1)
    real = _dense(build, both, np.concatenate([cosines, sines], 1))
    imaginary = _dense(build, both, np.concatenate([-sines, cosines], 1))
    return [_swapped(build, part) for part in (real, imaginary)]


def _cut(build, x, axis, count):
    """What is beyond the length of the transform is left out; what lacks counts as zero."""
    return build.part(x, axis, 0, min(count, x.shape[axis]))


def _waves(length, count, numbers):
    """Cosines and sines of `count` frequencies over the first numbers of a length, a row each."""
    turns = np.outer(np.arange(count), np.arange(numbers)) % length / length
    return np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)


def _dense(build, x, matrix):
    weights = build.constant(matrix.astype("float32"))
    shape = (*x.shape[:-1], len(matrix))
    return build.computed("FULLY_CONNECTED", (x, weights), shape, keepNumDims=True)


def _swapped(build, x):
    rank = len(x.shape)
    return build.transpose(x, (*range(rank - 2), rank - 1, rank - 2))
