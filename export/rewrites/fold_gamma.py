"""The scale and the shift of a normalization, done by the dense layers that read it."""

from keraslayers.export.file.build import Builder
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import clustered, moved
from keraslayers.export.rewrites._ranges import with_constant

DENSE = ("CONV_2D", "FULLY_CONNECTED")


def fold_gamma(graph):
    """Has kernels and biases do what a normalization multiplies by and adds, where dense layers alone read it.

    Given:   x - mean -> MUL root -> MUL gamma -> ADD beta -> n; n -> FULLY_CONNECTED query; n -> FULLY_CONNECTED key
    Result:  x - mean -> MUL root -> n; n -> FULLY_CONNECTED query; n -> FULLY_CONNECTED key, of other numbers

    A convolution of one pixel is a dense layer, too. What is normalized alone lies within a few units in all channels,
    which suits 8 bits. Behind `center_normalization` three passes over the numbers are left of six. Within rounding.
    """
    # The shift stands behind the scale, and has to go before it.
    return each(graph, ("ADD",), _fold) + each(graph, ("MUL",), _fold)


def _fold(build, operator):
    x, term = with_constant(operator)
    output = operator.output
    if x is None or (x.dtype, operator.activation) != ("float32", "NONE") or output.shape != x.shape:
        return False
    channels = x.shape[-1]
    if term.size != channels or term.shape[-1:] != (channels,) or build.graph.given(output) or not _normalized(x):
        return False
    readers = list(output.readers)
    if not readers or not all(_takes(reader, output, operator.name) for reader in readers):
        return False
    spread = term.values.reshape(channels).astype("float64")
    for reader in readers:
        _, kernel, bias = (*reader.inputs, None)[:3]
        early = Builder(build.graph, reader)
        if operator.name == "MUL":
            fresh = moved(early, kernel, lambda values: values * spread)
        else:
            shift = kernel.values.reshape(-1, channels) @ spread
            fresh, bias = kernel, early.constant((shift + (0 if bias is None else bias.values)).astype("float32"))
        build.graph.rewire(reader, (output, fresh) if bias is None else (output, fresh, bias))
    build.finish(x)
    return True


def _normalized(x):
    """Whether it is what a normalization has divided by the root of the variance, scaled or not."""
    maker = x.maker
    if maker is None or maker.name not in ("ADD", "MUL"):
        return False
    source, _ = with_constant(maker)
    if source is not None:
        return _normalized(source)
    return maker.name == "MUL" and any(each.maker is not None and each.maker.name == "RSQRT" for each in maker.inputs)


def _takes(reader, x, kind):
    """Whether a layer reads a tensor channel by channel, and its kernel and bias may become others."""
    if reader.name not in DENSE or reader.inputs[0] is not x or getattr(reader.options, "weightsFormat", 0):
        return False
    kernel, bias = (*reader.inputs, None)[1:3]
    if kernel.values is None or kernel.dtype != "float32" or len(kernel.readers) > 1 or kernel.shape[-1] != x.shape[-1]:
        return False
    pixel = reader.name == "FULLY_CONNECTED" or kernel.shape[1:3] == (1, 1)
    fits = pixel and not clustered(kernel.values) if kind == "MUL" else pixel
    return fits and (bias is None or bias.values is not None)
