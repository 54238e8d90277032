"""Sums of many."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case

SHAPE = (1, 4, 4, 8)
RELU = 1


def added(count, activation=0, constant=False, read=None):
    """What `count` layers make of one input, all computed before the first is added."""

    def make():
        random, f = np.random.default_rng(0), Made()
        x = f.input(SHAPE)
        steps = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}

        def layer():
            kernel = f.weights(random.normal(size=(8, 1, 1, 8)).astype("float32"))
            return f.new("CONV_2D", (x, kernel, f.weights(np.zeros(8, "float32"))), SHAPE, **steps)

        parts, given = [layer() for _ in range(count)], []
        total = parts[0]
        for i, part in enumerate(parts[1:]):
            fused = activation if i == count - 2 else 0
            other = f.weights(random.normal(size=8).astype("float32")) if constant and i == count // 2 else part
            total = f.new("ADD", (part, total) if i % 3 == 0 else (total, other), SHAPE, fusedActivationFunction=fused)
            if read == i:
                given.append(f.new("ABS", (total,), SHAPE))
        return f.done(f.new("TANH", (total,), SHAPE), *given)

    return make


NESTED = {"eighteen": added(18), "odd, with an activation": added(41, RELU)}
LEFT = {
    "seventeen": added(17),
    "a constant in the middle": added(20, constant=True),
    "read in the middle": added(20, read=9),
}

CASES = [
    *(Case("nest_sums", name, make, "WRONG", "browser-gpu", exact=False) for name, make in NESTED.items()),
    *(Case("nest_sums", name, make, stays=True) for name, make in LEFT.items()),
]
