"""Hard-swish of integers in operators that XNNPACK takes."""

from keraslayers.export.file.edit import Tensor
from keraslayers.export.file.quantized import quantization
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._integers import of_eight_bits, one_number


def lower_hard_swish(graph):
    """Writes HARD_SWISH of 8-bit integers as x times its hard sigmoid, which the limits of its integers clamp.

    Given:   x -> HARD_SWISH
    Result:  x -> MUL 1/6 -> ADD 1/2, integers from 0 to 1 -> h; x, h -> MUL

    XNNPACK has no HARD_SWISH of integers: each cuts the graph in two. 28x28x32 between two convolutions took 0.11 ms,
    and takes 0.02. Within one step: h is a multiple of 1/255.
    """
    return each(graph, ("HARD_SWISH",), _lower)


def _lower(build, operator):
    x, output = operator.inputs[0], operator.output
    if not of_eight_bits(x, output):
        return False
    # The integers of x themselves, a sixth as much each.
    sixth = Tensor(build.name, x.shape, "int8", quantization(x.scale / 6, x.zero_point))
    build.add("MUL", (x, one_number(build, 1 / 6)), sixth)
    gate = Tensor(build.name, x.shape, "int8", quantization(1 / 255, -128))
    build.add("ADD", (sixth, one_number(build, 1 / 2)), gate)
    build.finish(build.computed("MUL", (x, gate), x.shape, output))
    return True
