"""What cuts graphs of 8-bit integers in pieces on XNNPACK."""

from tests.rewrite_cases import Case
from tests.rewrite_cases.dilations import SAME, VALID, Net

SHAPE = (1, 8, 8, 4)
OTHER = {"scale": 0.03, "zero_point": -128}


def between(kind, shape=SHAPE, dtype="int8", scale=None, alone=False, **options):
    """An operator between two convolutions."""

    def make():
        f = Net(SHAPE, dtype)
        x = f.x if alone else f.convolution(f.x, (1, 1))
        y = f.new(kind, (x,), shape, **(scale or f.scale), **options)
        return f.done(y if alone else f.convolution(y, (1, 1)))

    return make


def pool(size, stride, padding, shape, **others):
    window = {"filterHeight": size, "filterWidth": size, "strideH": stride, "strideW": stride, "padding": padding}
    return between("AVERAGE_POOL_2D", shape, **window, **others)


ROWS = [
    ("lower_relu", "relu", between("RELU")),
    ("lower_relu", "relu6_of_another_scale", between("RELU6", scale=OTHER)),
    ("lower_hard_swish", "same_scale", between("HARD_SWISH")),
    ("lower_hard_swish", "alone", between("HARD_SWISH", scale={"scale": 0.027, "zero_point": -114}, alone=True)),
    ("lower_average_pooling", "halves", pool(2, 2, VALID, (1, 4, 4, 4))),
    ("lower_average_pooling", "three", pool(3, 1, VALID, (1, 6, 6, 4), alone=True)),
    ("lower_average_pooling", "same_that_fits", pool(2, 2, SAME, (1, 4, 4, 4))),
]
ALONE = ("alone", "three")
LEFT = [
    ("lower_relu", "floats", between("RELU", dtype="float32")),
    ("lower_hard_swish", "floats", between("HARD_SWISH", dtype="float32")),
    ("lower_average_pooling", "floats", pool(2, 2, VALID, (1, 4, 4, 4), dtype="float32")),
    ("lower_average_pooling", "over_edges", pool(3, 1, SAME, SHAPE)),
]

CASES = [
    # Each rounds once more, or otherwise, than the kernel of the one operator; the convolution behind adds some up.
    *(Case(*row, "PROVEN", "cpu", exact=False, steps=1 if row[1] in ALONE else 2) for row in ROWS),
    *(Case(kind, f"{name}_stay", make, "PROVEN", stays=True) for kind, name, make in LEFT),
]
