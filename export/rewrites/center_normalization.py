"""Normalizations that subtract the mean before they multiply."""

from keraslayers.export.rewrites._each import alone, each

_TWO = ("ADD", "SUB")


def center_normalization(graph):
    """Has a normalization subtract the mean from its input, where it subtracts the mean's product from the input's.

    Given:   x * w + (-mean * w + beta), where w is RSQRT(variance + epsilon) * gamma and the variance is the MEAN of
             SQUARED_DIFFERENCE(x, mean)
    Result:  (x - mean) * RSQRT(variance + epsilon) * gamma + beta, with the variance of x - mean

    The two products are large where the mean is, and in 16-bit floats their difference has few digits:
    LayerNormalization of 250 +- 1 had 18 dB there, and has 21. It takes two operators less. Within rounding.
    """
    return each(graph, _TWO, _center)


def _center(build, operator):
    found = _parts(build.graph, operator)
    if found is None:
        return False
    x, mean, root, gamma, beta = found
    square = _square_of(root, x, mean)
    if square is None:
        return False
    early = type(build)(build.graph, square)
    centered = early.computed("SUB", (x, mean), x.shape)
    early.finish(early.computed("MUL", (centered, centered), x.shape))
    steps = [("MUL", root), ("MUL", gamma), ("ADD", beta)]
    steps = [(kind, other) for kind, other in steps if other is not None]
    y = centered
    for i, (kind, other) in enumerate(steps):
        last = {"fusedActivationFunction": operator.options.fusedActivationFunction} if i == len(steps) - 1 else {}
        y = build.computed(kind, (y, other), x.shape, **last)
    build.finish(y)
    return True


def _parts(graph, operator):
    """(x, mean, root, gamma or None, beta or None) of what an operator adds up; None if that is no normalization."""
    if operator.output.dtype != "float32":
        return None
    first, second = operator.inputs
    for scaled, shift in ((first, second), (second, first))[: 2 if operator.name == "ADD" else 1]:
        product = _made(scaled, "MUL")
        if product is None or not alone(graph, scaled):
            continue
        for x, weight in (product.inputs, product.inputs[::-1]):
            mean, beta = _shift(graph, operator, shift, weight)
            root, gamma = _weight(weight)
            if mean is not None and root is not None and x.shape == operator.output.shape:
                return x, mean, root, gamma, beta
    return None


def _shift(graph, operator, shift, weight):
    """(The mean, beta or None) if what is added is minus the mean times the weight, plus beta."""
    if operator.name == "SUB":
        return _times(shift, weight), None
    maker = shift.maker
    if not alone(graph, shift) or maker is None:
        return None, None
    if maker.name == "SUB":  # beta - mean * w
        return _times(maker.inputs[1], weight), maker.inputs[0]
    sides = ((maker.inputs, maker.inputs[::-1])) if maker.name == "ADD" else ((shift, None),)
    for product, beta in sides:
        if (mean := _minus_times(product, weight)) is not None:
            return mean, beta
    return None, None


def _minus_times(tensor, weight):
    if (negated := _made(tensor, "NEG")) is not None:
        return _times(negated.inputs[0], weight)
    negated = _times(tensor, weight)
    maker = None if negated is None else _made(negated, "NEG")
    return None if maker is None else maker.inputs[0]


def _times(tensor, weight):
    """What a tensor is the weight times of; None if it is not."""
    product = _made(tensor, "MUL")
    if product is None or weight not in product.inputs:
        return None
    return product.inputs[1 if product.inputs[0] is weight else 0]


def _weight(tensor):
    """(RSQRT of something, gamma or None) whose product a tensor is; Nones if it is none."""
    if _made(tensor, "RSQRT") is not None:
        return tensor, None
    product = _made(tensor, "MUL")
    for root, gamma in () if product is None else (product.inputs, product.inputs[::-1]):
        if _made(root, "RSQRT") is not None:
            return root, gamma
    return None, None


def _square_of(root, x, mean):
    """The SQUARED_DIFFERENCE of x and its mean of which something is the root of the mean."""
    total = root.maker.inputs[0].maker
    if total is not None and total.name == "ADD":
        total = next((side.maker for side in total.inputs if side.maker is not None), None)
    square = None if total is None or total.name != "MEAN" else _made(total.inputs[0], "SQUARED_DIFFERENCE")
    return square if square is not None and set(square.inputs) == {x, mean} else None


def _made(tensor, kind):
    """The operator of a kind that makes a tensor, with no activation; None if none does."""
    maker = tensor.maker
    return maker if maker is not None and maker.name == kind and maker.activation == "NONE" else None
