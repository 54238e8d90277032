"""Depthwise kernels that are too large for XNNPACK, in parts."""

import functools
from dataclasses import dataclass

import numpy as np

from keraslayers.export.file.schema import schema
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import numbers, remade, stored
from keraslayers.export.rewrites._padding import before, same, zeros

# XNNPACK's depthwise kernels have so many taps; of larger ones it makes a convolution for each channel.
MOST_TAPS = 25
NONE = 0  # the format's number of no activation


def part_kernels(graph):
    """Makes depthwise convolutions of at most 25 taps each of one that has more, and sums what they give.

    Of 40x40 pixels and 96 channels XNNPACK took 40 times as long for a kernel of 7x7, as ConvNeXt has, as for one of
    5x5 in floats, and 100 times in integers. Parts lie around the middle of the kernel, so that they pad as it does.
    Integers are convolved as floats: where each part was rounded, errors would add up. A convolution of as many groups
    as channels, as Keras's own ConvNeXt has, is one of these.

    Given:   x -> DEPTHWISE_CONV_2D (7x7)
    Result:  x -> DEPTHWISE_CONV_2D (5x5), (2x7 with dilation 6 of rows), (5x2 with dilation 6 of columns) -> ADD, ADD

    Given:   x -> DEPTHWISE_CONV_2D (7x7) in 8 bits
    Result:  x -> DEQUANTIZE -> the same in floats -> QUANTIZE
    """
    return each(graph, ("CONV_2D", "DEPTHWISE_CONV_2D"), _part)


@dataclass(frozen=True)
class _Axis:
    """Rows or columns of a kernel: `count` of them, each `step` behind the one before."""

    first: int
    step: int
    count: int

    @property
    def places(self):
        return slice(self.first, self.first + self.step * (self.count - 1) + 1, self.step)

    @property
    def splits(self):
        """Two axes that are this one together and have its middle, each way there is."""
        first, step, count = self.first, self.step, self.count
        if count > 2:
            yield _Axis(first + step, step, count - 2), _Axis(first, step * (count - 1), 2)
        if count % 2 and count > 3:
            yield _Axis(first, 2 * step, count // 2 + 1), _Axis(first + step, 2 * step, count // 2)


@functools.cache
def _parted(rows, columns):
    """The fewest (rows, columns) that have few enough taps each and are a kernel together."""
    if rows.count * columns.count <= MOST_TAPS:
        return ((rows, columns),)
    ways = [_parted(a, columns) + _parted(b, columns) for a, b in rows.splits]
    ways += [_parted(rows, a) + _parted(rows, b) for a, b in columns.splits]
    return min(ways, key=len)


def _part(build, operator):
    x, kernel, *bias = operator.inputs
    output, types = operator.output, (x.dtype, kernel.dtype, operator.output.dtype)
    axis = 3 if operator.name == "DEPTHWISE_CONV_2D" else 0  # of its filters
    if kernel.shape[1] * kernel.shape[2] <= MOST_TAPS or kernel.shape[axis] != x.shape[3] or stored(kernel) is None:
        return False
    if types not in (("float32",) * 3, ("int8",) * 3) or len(bias) != 1 or bias[0] is None:
        return False
    # Scales that lie along filters would not lie there any more.
    if axis == 0 and (kernel.shape[3] > 1 or (types[0] == "float32" and stored(kernel).channelwise)):
        return False
    x, lead = _before_padding(operator)
    if x.dtype == "int8":
        x = build.computed("DEQUANTIZE", (x,), x.shape, dtype="float32")
        kernel, *bias = build.constant(_real(kernel, axis)), build.constant(_real(bias[0], 0))
    none, total = build.constant(np.zeros(x.shape[3], "float32")), None
    parts = _parted(*(_Axis(0, 1, size) for size in kernel.shape[1:3]))
    for rows, columns in parts:
        values = np.swapaxes(numbers(stored(kernel)), axis, 3)
        weights = remade(build, kernel, values[:, rows.places, columns.places])
        part = _convolved(build, operator, x, lead, (rows, columns), weights, none if total else bias[0])
        last = operator.options.fusedActivationFunction if (rows, columns) == parts[-1] else NONE
        total = build.computed("ADD", (total, part), output.shape, fusedActivationFunction=last) if total else part
    build.finish(total if output.dtype == "float32" else build.computed("QUANTIZE", (total,), output.shape, output))
    return True


def _before_padding(operator):
    """(x, zeros before height and width), with what a PAD in front of the operator adds."""
    x, lead = operator.inputs[0], before(operator)
    padded = zeros(x.maker)
    return (x, lead) if padded is None else (x.maker.inputs[0], tuple(np.add(lead, padded).tolist()))


def _real(constant, axis):
    """What the integers of a kernel or a bias stand for, whose scales lie along an axis."""
    quantization, values = constant.quantization, np.moveaxis(numbers(constant).astype("float64"), axis, -1)
    points = 0 if quantization.zeroPoint is None else quantization.zeroPoint
    return np.moveaxis((values - points) * quantization.scale, -1, axis).astype("float32")


def _convolved(build, operator, x, lead, axes, kernel, bias):
    """What one part of the kernel gives, of the size that the whole gives.

    Args:
        build: a `Builder`.
        operator: with the whole kernel.
        x: what it reads, without padding.
        lead: zeros that are before height and width for it.
        axes: rows and columns of the part.
        kernel, bias: of the part.
    """
    options, size = operator.options, operator.output.shape[1:3]
    strides, dilations = (options.strideH, options.strideW), (options.dilationHFactor, options.dilationWFactor)
    spans = [axis.step * (axis.count - 1) * by + 1 for axis, by in zip(axes, dilations, strict=True)]
    starts = [axis.first * by - zero for axis, by, zero in zip(axes, dilations, lead, strict=True)]
    padding = schema().Padding.SAME
    alike = zip(x.shape[1:3], size, strides, spans, starts, strict=True)
    if any(out != -(-length // by) or same(length, out, by, span) != -start for length, out, by, span, start in alike):
        padding = schema().Padding.VALID
        for axis in (0, 1):
            x = _window(build, x, axis + 1, starts[axis], (size[axis] - 1) * strides[axis] + spans[axis])
    return build.computed(
        "DEPTHWISE_CONV_2D",
        (x, kernel, bias),
        operator.output.shape,
        dtype="float32",
        padding=padding,
        strideH=strides[0],
        strideW=strides[1],
        depthMultiplier=1,
        dilationHFactor=axes[0].step * dilations[0] if axes[0].count > 1 else 1,
        dilationWFactor=axes[1].step * dilations[1] if axes[1].count > 1 else 1,
    )


def _window(build, x, axis, start, length):
    """Places of an axis from `start` on, with zeros where there are none."""
    size = x.shape[axis]
    first, last = max(start, 0), min(start + length, size)
    x = build.part(x, axis, first, last - first)
    pads = np.zeros((4, 2), "int32")
    pads[axis] = first - start, start + length - last
    if not pads.any():
        return x
    shape = [n + two.sum() for n, two in zip(x.shape, pads, strict=True)]
    return build.computed("PAD", (x, build.constant(pads)), shape)
