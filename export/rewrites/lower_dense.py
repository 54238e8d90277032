"""Dense layers in the forms that the GPU computes."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import moved, stored


def lower_dense(graph):
    """Has a dense layer's kernel and bias stored, its input computed, and that in rows.

    Given:   x, computed kernel, bias -> FULLY_CONNECTED
    Result:  x, computed kernel -> FULLY_CONNECTED -> ADD bias

    Given:   x [1, 6, 5, 32] -> FULLY_CONNECTED kernel [8, 960]
    Result:  x -> RESHAPE [1, 960] -> FULLY_CONNECTED

    The GPU leaves out the bias of a computed kernel, dies of a computed bias, refuses a stored input, does not
    flatten, and in integers not even drops axes.
    """
    return each(graph, ("FULLY_CONNECTED",), _lower)


def _lower(build, operator):
    x, kernel, bias = (*operator.inputs, None)[:3]
    if operator.options.weightsFormat or (stored(x) and stored(kernel)):
        return False
    flattens = len(x.shape) < 2 or x.shape[-1] != kernel.shape[-1]
    rows = x.size // kernel.shape[-1]
    drops = x.dtype == "int8" and rows > 1 and len(x.shape) > max(2, len(operator.output.shape))
    apart = bias is not None and not (stored(kernel) and stored(bias))
    if not (flattens or drops or apart or stored(x)):
        return False
    if (apart or stored(x)) and (x.dtype, kernel.dtype) != ("float32", "float32"):
        return False
    activation = {"fusedActivationFunction": operator.options.fusedActivationFunction}
    shape = (rows, kernel.shape[-1])
    if stored(x):  # the transpose of the product of both transposed
        weights = moved(build, x, lambda values: values.reshape(shape))
        y = build.computed("FULLY_CONNECTED", (kernel, weights), (kernel.shape[0], shape[0]))
        y = build.transpose(y, (1, 0))
        bias = build.constant(np.zeros(1, "float32")) if bias is None else bias
    else:
        inputs = (build.reshape(x, shape), kernel) if apart else (build.reshape(x, shape), *operator.inputs[1:])
        options = {} if apart else activation
        y = build.computed("FULLY_CONNECTED", inputs, (shape[0], kernel.shape[0]), operator.output, **options)
    if apart or stored(x):
        y = build.computed("ADD", (y, bias), y.shape, **activation)
    build.finish(y)
    return True
