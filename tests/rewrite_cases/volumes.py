"""Convolutions of volumes."""

import numpy as np

from keraslayers.export.file.schema import schema
from tests.file_tools import Made
from tests.rewrite_cases import Case

SAME, VALID = 0, 1


def volume(size=(6, 7, 8), kernel=(3, 3, 3), strides=(1, 1, 1), dilation=1, padding=VALID, activation=0, bias=True):
    def make():
        f = Made()
        x = f.input((1, *size, 4))
        reach = [(k - 1) * dilation + 1 for k in kernel]
        ends = size if padding == SAME else [n - r + 1 for n, r in zip(size, reach, strict=True)]
        places = [-(-n // s) for n, s in zip(ends, strides, strict=True)]
        random = np.random.default_rng(0)
        weights = f.weights(random.normal(size=(*kernel, 4, 5)).astype("float32"))
        biases = (f.weights(np.arange(5, dtype="float32")),) if bias else ()
        options = dict(zip(("strideD", "strideH", "strideW"), strides, strict=True))
        options |= dict.fromkeys(("dilationDFactor", "dilationHFactor", "dilationWFactor"), dilation)
        options |= {"padding": padding, "fusedActivationFunction": activation}
        y = f.new("CONV_3D", (x, weights, *biases), (1, *places, 5), **options)
        return f.done(f.reshape(y, (1, np.prod(places), 5)))

    return make


def several():
    f = Made()
    x = f.input((2, 4, 5, 6, 3))
    weights = f.weights(np.ones((2, 2, 2, 3, 4), "float32"))
    options = {"padding": VALID, "strideD": 1, "strideH": 1, "strideW": 1}
    return f.done(f.new("CONV_3D", (x, weights), (2, 3, 4, 5, 4), **options))


CASES = [
    Case("lower_conv3d", "valid", volume(), exact=False),
    Case("lower_conv3d", "same", volume(padding=SAME, activation=schema().ActivationFunctionType.RELU), exact=False),
    Case("lower_conv3d", "strides", volume((7, 8, 9), strides=(2, 1, 2), padding=SAME), exact=False),
    Case("lower_conv3d", "tubelets", volume((6, 8, 8), (2, 4, 4), (2, 4, 4), bias=False), exact=False),
    Case("lower_conv3d", "dilated", volume((9, 9, 9), dilation=2), exact=False),
    Case("lower_conv3d", "several samples", several, stays=True),
]
