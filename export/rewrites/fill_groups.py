"""Grouped convolution in integers with as many filters in a group as XNNPACK computes at once."""

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import groups, merged, remade, stored

# XNNPACK's kernels of 8 bits compute so many filters at once or more, on ARM and x86: fewer take as long.
AT_ONCE = 16


def fill_groups(graph):
    """Merges groups of a convolution in 8 bits, up to 16 filters each, where that is less work.

    Of four groups of four filters XNNPACK computes what one group of 16 takes, most of it for nothing: of 28x28 pixels
    and 128 channels in groups of 4 a kernel of 3x3 took 1.08 ms, of 8 0.54, of 16 0.27.

    Given:   x -> CONV_2D of g groups of 8 filters (kernel (filters, h, w, n))
    Result:  x -> CONV_2D of g / 2 groups (kernel (filters, h, w, 2 * n), zero between merged groups)
    """
    return each(graph, ("CONV_2D",), _fill)


def _fill(build, operator):
    x, kernel, *bias = operator.inputs
    constant, count = stored(kernel), groups(operator)
    if constant is None or (x.dtype, kernel.dtype) != ("int8", "int8"):
        return False
    filters, channels = kernel.shape[0] // count, kernel.shape[-1]
    # One channel in and out is a depthwise convolution, for which there are kernels.
    if (channels, filters) == (1, 1):
        return False

    def blocks(together):
        """What XNNPACK computes: 13 groups of eight do not pair up, and all in one would be nearly four times that."""
        return count // together * -(-together * filters // AT_ONCE) * -(-together * channels // AT_ONCE)

    together = min((n for n in range(1, count + 1) if count % n == 0), key=blocks)
    if together == 1:
        return False
    build.graph.rewire(operator, (x, remade(build, kernel, merged(constant, together, count)), *bias))
    return True
