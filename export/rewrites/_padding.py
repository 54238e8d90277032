"""What convolutions put around an image."""

from keraslayers.export.file.schema import schema


def before(operator):
    """Zeros that a convolution puts before height and width."""
    options = operator.options
    if options.padding == schema().Padding.VALID:
        return (0, 0)
    sizes = zip(operator.inputs[0].shape[1:3], operator.output.shape[1:3], extents(operator), strict=True)
    strides = (options.strideH, options.strideW)
    return tuple(same(size, made, stride, extent) for (size, made, extent), stride in zip(sizes, strides, strict=True))


def same(size, made, stride, extent):
    """Zeros that padding "same" puts before an axis.

    Args:
        size, made: of the axis, and of what comes out.
        stride: of the window.
        extent: how far the window reaches.
    """
    return max((made - 1) * stride + extent - size, 0) // 2


def extents(operator):
    """How far the window of a convolution reaches along height and width."""
    sizes, options = operator.inputs[1].shape[1:3], operator.options
    dilations = (options.dilationHFactor, options.dilationWFactor)
    return tuple((size - 1) * by + 1 for size, by in zip(sizes, dilations, strict=True))


def zeros(operator):
    """Zeros that a PAD puts before height and width; None of what is none, or pads more than these."""
    if operator is None or operator.name != "PAD" or operator.inputs[1].values is None or operator.open:
        return None
    pads = operator.inputs[1].values
    return None if pads.shape != (4, 2) or pads[[0, 3]].any() else tuple(pads[1:3, 0].tolist())
