"""Integers of several scales side by side."""

from tests.file_tools import Made
from tests.rewrite_cases import Case

# Rounding to 2.5 moved numbers that reach 320 by 1.25 at most.
HALF_A_STEP = 0.005


def sides(f, fine=1 / 256, coarse=2.5):
    """Boxes, and scores rounded to their scale."""
    boxes = f.input((1, 6, 4), "int8", "boxes", coarse, 3)
    scores = f.input((1, 6, 2), "int8", "scores", fine, -128)
    return boxes, f.new("QUANTIZE", (scores,), scores.shape, scale=coarse, zero_point=3)


def joined(f, parts, kind="CONCATENATION", axis=2, shape=(1, 6, 6)):
    options = {"valuesCount": len(parts)} if kind == "PACK" else {}
    return f.new(kind, parts, shape, scale=2.5, zero_point=3, axis=axis, **options)


def floats(f, x):
    return f.new("DEQUANTIZE", (x,), x.shape, "float32")


def beside(fine=1 / 256):
    def make():
        f = Made()
        return f.done(floats(f, joined(f, sides(f, fine))))

    return make


def turned():
    """Reshaped in front of it, turned and cut behind it."""
    f = Made()
    boxes, scores = sides(f)
    scores = f.reshape(f.transpose(scores, (0, 2, 1)), (1, 6, 2))
    x = f.transpose(joined(f, (boxes, scores)), (0, 2, 1))
    return f.done(floats(f, x), floats(f, f.slice(x, (0, 2, 0), (1, 4, 6))))


def stacked():
    f = Made()
    boxes, scores = sides(f)
    parts = [f.part(boxes, 2, 0, 2), scores]
    return f.done(floats(f, joined(f, parts, "PACK", 3, (1, 6, 2, 2))))


def levels():
    """Of two levels each with boxes and scores, rounded once more to the scale of both."""
    f = Made()
    boxes, scores = sides(f)
    near = joined(f, (boxes, scores))
    far = f.new("QUANTIZE", (near,), near.shape, scale=5.0, zero_point=3)
    both = f.new("CONCATENATION", (far, far), (1, 12, 6), scale=5.0, zero_point=3, axis=1)
    return f.done(floats(f, both))


def given():
    """Integers at the end have one scale, whatever they hold."""
    f = Made()
    return f.done(joined(f, sides(f)))


def used():
    """More than moved: the products are of integers."""
    f = Made()
    x = joined(f, sides(f))
    return f.done(floats(f, f.new("MUL", (x, x), x.shape, scale=900.0)))


def given_and_moved():
    f = Made()
    x = joined(f, sides(f))
    return f.done(x, floats(f, x))


def case(name, make, **options):
    return Case("join_in_floats", name, make, without="PROVEN", within=HALF_A_STEP, **options)


CASES = [
    case("boxes-scores", beside()),
    case("turned", turned),
    case("stacked", stacked),
    # Half a step of 5 on top.
    Case("join_in_floats", "levels", levels, without="PROVEN", within=0.015),
    case("nearly-one-scale", beside(2.5 / 8), stays=True),
    case("given", given, stays=True),
    case("used", used, stays=True),
    case("given-and-moved", given_and_moved, stays=True),
]
