"""An `EinsumDense` that is a product with one matrix, as a layer whose kernel can be rounded."""

import math

from keras import ops

from keraslayers.export.optimize.layout import MATRIX, MATRIX_OF_TWO, rows
from keraslayers.export.optimize.separable_parts import PartWithBias


def matrix_place(layer):
    """Where the channels stand in the kernel of an `EinsumDense`; None if it is no product with a matrix.

    Its last axes are summed over, and in their place stand the kernel's last one or two: `abc,cde->abde`.
    """
    given, _, made = layer.equation.replace(" ", "").replace("...", "").partition("->")
    inputs, _, kernel = given.partition(",")
    summed = "".join(axis for axis in kernel if axis not in made)
    new = kernel.removeprefix(summed)
    matches = kernel == summed + new and inputs.endswith(summed) and made == inputs.removesuffix(summed) + new
    whole_bias = layer.bias is None or math.prod(layer.bias.shape) == math.prod(layer.kernel.shape[len(summed) :])
    return {1: MATRIX, 2: MATRIX_OF_TWO}.get(len(new)) if summed and matches and whole_bias else None


class MatrixPart(PartWithBias):
    """The product with the matrix, and the bias; the axes that are summed over, and those made, are one here each."""

    @property
    def place(self):
        """Where the channels stand in the kernel."""
        return matrix_place(self.whole)

    @property
    def kernel(self):
        return self.whole.kernel

    @property
    def use_bias(self):
        return self.whole.bias is not None

    def call(self, inputs):
        outputs = ops.matmul(inputs, rows(ops.convert_to_tensor(self.kernel), self.place))
        return ops.add(outputs, ops.reshape(self.bias, (-1,))) if self.use_bias else outputs


def in_matrices(layer, fresh, inputs):
    """What an `EinsumDense` computes, by a `MatrixPart`."""
    if matrix_place(layer) is None:
        raise NotImplementedError(f"its equation {layer.equation!r} is no product with one matrix")
    new = 2 if matrix_place(layer) == MATRIX_OF_TWO else 1
    summed = len(layer.kernel.shape) - new
    outside = inputs.shape[1:-summed]
    if None in inputs.shape[1:]:
        raise NotImplementedError(f"its inputs are of no known size, {inputs.shape}. Build the model for one size")
    if summed > 1:
        inputs = ops.reshape(inputs, (-1, *outside, math.prod(inputs.shape[-summed:])))
    outputs = MatrixPart(layer, fresh(f"{layer.name}_matrix"))(inputs)
    if new > 1:
        outputs = ops.reshape(outputs, (-1, *outside, *layer.kernel.shape[-new:]))
    return outputs if layer.activation is None else layer.activation(outputs)
