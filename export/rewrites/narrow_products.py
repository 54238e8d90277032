"""Dense layers and matrix products of many axes."""

import math

from keraslayers.export.rewrites._blocks import is_wide, rows
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.lower_broadcast import repeated


def narrow_products(graph):
    """Multiplies matrices of more than four axes in three: one for all matrices, and their own two.

    Given:   x [1, 4, 2, 16, 8], y [1, 4, 2, 8, 16] -> BATCH_MATMUL -> z [1, 4, 2, 16, 16]
    Result:  x -> RESHAPE [8, 16, 8], y -> RESHAPE [8, 8, 16] -> BATCH_MATMUL -> RESHAPE -> z

    A dense layer of each place is one of rows.
    """
    return each(graph, ("BATCH_MATMUL", "FULLY_CONNECTED"), _narrow)


def _narrow(build, operator):
    output = operator.output
    if not is_wide(operator) or 0 in output.shape:
        return False
    if operator.name == "FULLY_CONNECTED":
        x, kernel, *bias = operator.inputs
        if len(kernel.shape) != 2:
            return False
        whole = operator.options.keepNumDims
        shape = rows(output.shape) if whole else output.shape
        inputs = (build.reshape(x, (*shape[:-1], kernel.shape[-1])), kernel, *bias)
    else:
        batch = output.shape[:-2]
        inputs = [_in_batch(build, x, batch) for x in operator.inputs]
        shape = (math.prod(batch), *output.shape[-2:])
    made = operator.twin(inputs, (build.tensor(shape, output),))
    build.graph.insert(made, operator)
    build.finish(build.reshape(made.output, output.shape))
    return True


def _in_batch(build, x, batch):
    """Matrices, one for each of a batch, that the tensor may have fewer of."""
    matrix = x.shape[-2:]
    if math.prod(x.shape[:-2]) != math.prod(batch):
        x = repeated(build, x, (*batch, *matrix))
    return build.reshape(x, (math.prod(batch), *matrix))
