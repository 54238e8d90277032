"""Convolutions of volumes and videos as convolutions of images."""

import numpy as np

from keraslayers.export.file.schema import schema
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import moved, stored


def lower_conv3d(graph):
    """Writes a convolution of three axes as one of two, of the images that its kernel covers put side by side.

    LiteRT's GPU runtime has no CONV_3D, nor has XNNPACK, nor is there one of integers.

    Given:   x [1, 8, 16, 16, 4] -> CONV_3D (kernel [3, 3, 3, 4, 12]) -> y [1, 6, 14, 14, 12]
    Result:  x -> three slices [1, 6, 256, 4] -> CONCATENATION [1, 6, 256, 12] -> RESHAPE [6, 16, 16, 12]
             -> CONV_2D (kernel [12, 3, 3, 12]) -> RESHAPE -> y
    """
    return each(graph, ("CONV_3D",), _lower)


def _lower(build, operator):
    x, kernel, *bias = operator.inputs
    output, options = operator.output, operator.options
    if x.shape[0] != 1 or stored(kernel) is None or x.dtype != "float32" or 0 in output.shape:
        return False
    _, depth, height, width, channels = x.shape
    reach, places, stride = kernel.shape[0], output.shape[1], options.strideD
    step = options.dilationDFactor
    images = build.reshape(x, (1, depth, height * width, channels))
    missing = (places - 1) * stride + (reach - 1) * step + 1 - depth
    if options.padding == schema().Padding.SAME and missing > 0:
        before = missing // 2
        amounts = build.integers([(0, 0), (before, missing - before), (0, 0), (0, 0)])
        images = build.computed("PAD", (images, amounts), (1, depth + missing, height * width, channels))
    parts = [_every(build, images, i * step, places, stride) for i in range(reach)]
    beside = build.reshape(build.concatenate(parts, 3), (places, height, width, reach * channels))
    flat = moved(build, kernel, lambda k: k.transpose(4, 1, 2, 0, 3).reshape(k.shape[4], *k.shape[1:3], -1))
    bias = bias or [build.constant(np.zeros(kernel.shape[4], "float32"))]
    convolved = build.computed(
        "CONV_2D",
        (beside, flat, *bias),
        (places, *output.shape[2:]),
        padding=options.padding,
        strideH=options.strideH,
        strideW=options.strideW,
        dilationHFactor=options.dilationHFactor,
        dilationWFactor=options.dilationWFactor,
        fusedActivationFunction=options.fusedActivationFunction,
    )
    build.finish(build.reshape(convolved, output.shape))
    return True


def _every(build, images, first, count, stride):
    """Images from one on, so many, at a distance."""
    if stride == 1:
        return build.part(images, 1, first, count)
    shape = (1, count, *images.shape[2:])
    end = (1, first + (count - 1) * stride + 1, *images.shape[2:])
    bounds = (0, first, 0, 0), end, (1, stride, 1, 1)
    return build.computed("STRIDED_SLICE", (images, *map(build.integers, bounds)), shape)
