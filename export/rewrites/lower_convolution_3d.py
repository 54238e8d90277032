"""Convolutions of volumes."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import moved, stored

SAME, VALID = 0, 1  # the format's paddings


def lower_convolution_3d(graph):
    """Writes CONV_3D as a convolution of images, whose channels are those of as many neighbours as the kernel is deep.

    Given:   x [1, 5, 8, 8, 3] -> CONV_3D kernel [3, 3, 3, 3, 4] -> [1, 3, 6, 6, 4]
    Result:  x -> RESHAPE [1, 5, 64, 3] -> three SLICEs -> CONCATENATION [1, 3, 64, 9] -> RESHAPE [3, 8, 8, 9]
             -> CONV_2D [3, 6, 6, 4] -> RESHAPE

    The GPU has no CONV_3D, and no tensors of five axes; XNNPACK neither.
    """
    return each(graph, ("CONV_3D",), _lower)


def _lower(build, operator):
    x, kernel, *bias = operator.inputs
    options, output = operator.options, operator.output
    if x.dtype != "float32" or not stored(kernel):
        return False
    batch, depth, height, width, channels = x.shape
    deep, tall, wide, _, filters = kernel.shape
    step, by, frames = options.strideD, options.dilationDFactor, output.shape[1]
    y = build.reshape(x, (batch, depth, height * width, channels))
    if options.padding == SAME:
        lacking = max(0, (frames - 1) * step + (deep - 1) * by + 1 - depth)
        if lacking:
            borders = [[0, 0], [lacking // 2, lacking - lacking // 2], [0, 0], [0, 0]]
            y = build.computed("PAD", (y, build.integers(borders)), (batch, depth + lacking, *y.shape[2:]))
    near = [_frames(build, y, k * by, step, frames) for k in range(deep)]
    images = build.reshape(build.concatenate(near, 3), (batch * frames, height, width, deep * channels))

    def flat(values):
        return values.transpose(4, 1, 2, 0, 3).reshape(filters, tall, wide, deep * channels)

    if not bias or bias[0] is None:
        bias = [build.constant(np.zeros(filters, "float32"))]
    y = build.computed(
        "CONV_2D",
        (images, moved(build, kernel, flat), *bias),
        (batch * frames, *output.shape[2:]),
        padding=options.padding,
        strideH=options.strideH,
        strideW=options.strideW,
        dilationHFactor=options.dilationHFactor,
        dilationWFactor=options.dilationWFactor,
        fusedActivationFunction=options.fusedActivationFunction,
    )
    build.finish(build.reshape(y, output.shape))
    return True


def _frames(build, x, first, step, count):
    """Every so many-th of a volume's frames."""
    if step == 1:
        return build.part(x, 1, first, count)
    batch, _, *others = x.shape
    begin, end = (0, first, 0, 0), (batch, first + (count - 1) * step + 1, *others)
    places = [build.integers(numbers) for numbers in (begin, end, (1, step, 1, 1))]
    return build.computed("STRIDED_SLICE", (x, *places), (batch, count, *others))
