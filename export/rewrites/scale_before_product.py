"""Products of matrices that are made small before they are summed up."""

import math

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._ranges import numbers_of, stays_below, with_scalar


def scale_before_product(graph):
    """Multiplies a matrix by a constant below 1, where the product of two is multiplied by it.

    Given:   query, key -> BATCH_MATMUL [1, 8, 64, 64] -> MUL 1/8
    Result:  query -> MUL 1/8; that, key -> BATCH_MATMUL

    In 16-bit floats the product may be infinite before it is made small. Where samples show that it is not it is left
    alone. Within rounding.
    """
    return each(graph, ("DIV", "MUL"), _scale)


def _scale(build, operator):
    x, factor = with_scalar(operator)
    if x is None or (operator.name == "DIV" and (operator.inputs[0] is not x or factor == 0)):
        return False
    factor = 1 / factor if operator.name == "DIV" else factor
    product = x.maker
    if product is None or product.name != "BATCH_MATMUL" or x.dtype != "float32" or not 0 < abs(factor) < 1:
        return False
    alone = len(x.readers) == 1 and not build.graph.given(x)
    if not alone or operator.activation != "NONE" or operator.output.shape != x.shape or stays_below(build, x):
        return False
    computed = [i for i, side in enumerate(product.inputs) if numbers_of(side) is None]
    i = min(computed, key=lambda i: math.prod(product.inputs[i].shape))
    early = type(build)(build.graph, product)
    sides = list(product.inputs)
    scale = early.constant(np.full(1, factor, "float32"))
    sides[i] = early.computed("MUL", (sides[i], scale), sides[i].shape)
    options = {"adjX": product.options.adjX, "adjY": product.options.adjY}
    build.finish(build.computed("BATCH_MATMUL", sides, x.shape, **options))
    return True
