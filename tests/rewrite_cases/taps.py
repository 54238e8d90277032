"""Depthwise convolutions of many taps, and of several filters a channel."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case

SAME, VALID = 0, 1
RELU6 = 3
# Sums in floats and in integers lie on either side of a half.
ROUNDED = {"exact": False, "steps": 1}


def depthwise(size, image=(13, 12), strides=(1, 1), dilations=(1, 1), padding=SAME, dtype="float32", **options):
    """One of six channels.

    Args:
        size: of its kernel.
        image: height and width of its input.
        strides, dilations, padding: its own.
        dtype: "float32", "float16" of its kernel and bias, "int8", or "hybrid": integers of its kernel alone.
        **options: `pads` of a PAD before it, `each` filters a channel, `activation`.
    """

    def make():
        f, each, random = Made(), options.get("each", 1), np.random.default_rng(0)
        integers = dtype == "int8"
        x = f.input((1, *image, 6), "int8" if integers else "float32", "x", *((0.1, 4) if integers else ()))
        if pads := options.get("pads"):
            shape = [n + sum(two) for n, two in zip(x.shape, pads, strict=True)]
            x = f.new("PAD", (x, f.integers(pads)), shape, **({"scale": 0.1, "zero_point": 4} if integers else {}))
        if integers:
            kernel = f.weights(random.integers(-127, 128, (1, *size, 6 * each)).astype("int8"), 0.01)
            bias = f.weights(random.integers(-999, 999, 6 * each).astype("int32"), 0.001)
        elif dtype == "hybrid":
            kernel = f.weights(random.integers(-127, 128, (1, *size, 6 * each)).astype("int8"), 0.01)
            bias = f.weights(random.normal(size=6 * each).astype("float32"))
        else:
            kernel, bias = random.normal(size=(1, *size, 6 * each)), random.normal(size=6 * each)
            kernel, bias = (f.weights(values.astype(dtype)) for values in (kernel, bias))
            if dtype == "float16":
                kernel, bias = (f.new("DEQUANTIZE", (half,), half.shape, "float32") for half in (kernel, bias))
        spans = [(taps - 1) * by + 1 for taps, by in zip(size, dilations, strict=True)]
        sides = [
            -(-(n - (span - 1 if padding == VALID else 0)) // step)
            for n, span, step in zip(x.shape[1:3], spans, strides, strict=True)
        ]
        return f.done(
            f.new(
                "DEPTHWISE_CONV_2D",
                (x, kernel, bias),
                (1, *sides, 6 * each),
                **({"scale": 0.3, "zero_point": -7} if integers else {}),
                padding=padding,
                strideH=strides[0],
                strideW=strides[1],
                dilationHFactor=dilations[0],
                dilationWFactor=dilations[1],
                depthMultiplier=each,
                fusedActivationFunction=options.get("activation", 0),
            )
        )

    return make


AROUND = ((0, 0), (3, 3), (3, 3), (0, 0))
PARTED = {
    "same": depthwise((7, 7)),
    "valid": depthwise((7, 7), padding=VALID),
    "with strides": depthwise((7, 7), strides=(2, 2)),
    "with strides of rows that leave places out": depthwise((7, 7), (16, 12), strides=(3, 3)),
    "valid with strides": depthwise((7, 7), (16, 14), strides=(2, 2), padding=VALID),
    "dilated": depthwise((6, 5), dilations=(2, 1), activation=RELU6),
    "even": depthwise((6, 6)),
    "long": depthwise((1, 31), (3, 40)),
    "large": depthwise((11, 11)),
    "larger than the image": depthwise((9, 9), (5, 4)),
    "padded before": depthwise((7, 7), pads=AROUND, padding=VALID),
    "padded unevenly": depthwise((7, 7), pads=((0, 0), (0, 2), (1, 0), (0, 0)), strides=(2, 2), padding=VALID),
}
LEFT = {
    "25 taps": depthwise((5, 5)),
    "integers of its kernel alone": depthwise((7, 7), dtype="hybrid"),
    "several filters a channel": depthwise((7, 7), each=2),
}
REPEATED = {
    "two": depthwise((3, 3), each=2),
    "four with strides": depthwise((3, 2), strides=(2, 2), each=4, activation=RELU6),
    "padded before": depthwise((3, 3), pads=AROUND, padding=VALID, each=2),
    "float16": depthwise((3, 3), dtype="float16", each=2),
    "int8": depthwise((3, 3), dtype="int8", each=2),
    "int8 with strides": depthwise((5, 5), strides=(2, 2), dtype="int8", each=3),
}

CASES = [
    *(Case("part_kernels", name, make, "PROVEN", exact=False) for name, make in PARTED.items()),
    Case("part_kernels", "float16", depthwise((7, 7), dtype="float16"), "PROVEN", exact=False),
    Case("part_kernels", "int8", depthwise((7, 7), dtype="int8"), "PROVEN", **ROUNDED),
    Case("part_kernels", "int8 with a border", depthwise((7, 7), dtype="int8", pads=AROUND), "PROVEN", **ROUNDED),
    *(Case("part_kernels", name, make, stays=True) for name, make in LEFT.items()),
    *(Case("repeat_channels", name, make, "PROVEN") for name, make in REPEATED.items()),
    Case("repeat_channels", "one filter a channel", depthwise((3, 3)), stays=True),
    Case("repeat_channels", "integers of its kernel alone", depthwise((3, 3), dtype="hybrid", each=2), stays=True),
    Case("repeat_channels", "too many floats", depthwise((3, 3), each=43), stays=True),
]
