"""Products of matrices in the forms that the GPU computes."""

import math

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import moved, stored

# Of the right-hand matrices, all of a batch together: beyond, the GPU computes wrong numbers and says nothing.
MOST_ROWS = 2**15
# Rows and columns of right-hand matrices of which many are right.
SMALL = (36, 16)


def multiply_matrices(graph):
    """Writes products that the GPU refuses or gets wrong by others.

    Given:   constant [16, 8], y [1, 3, 8, 12] -> BATCH_MATMUL [1, 3, 16, 12]
    Result:  y -> TRANSPOSE [1, 3, 12, 8] -> FULLY_CONNECTED constant [1, 3, 12, 16] -> TRANSPOSE [1, 3, 16, 12]

    Given:   x [4, 16, 8], y [8, 12] -> BATCH_MATMUL [4, 16, 12]
    Result:  x -> RESHAPE [1, 64, 8], y [1, 8, 12] -> BATCH_MATMUL -> RESHAPE [4, 16, 12]

    The same matrix on both sides is transposed on one. Matrices of a batch whose rows are more than the GPU computes
    are multiplied some at a time, those of more rows as a sum of products, within rounding.
    """
    return each(graph, ("BATCH_MATMUL",), _multiply)


def _multiply(build, operator):
    x, y = operator.inputs
    adjoint = operator.options.adjX, operator.options.adjY
    if x.dtype != y.dtype or max(len(x.shape), len(y.shape)) > 4 or (stored(x) and stored(y)):
        return False
    many = _rows(x, y, adjoint[0]) > MOST_ROWS and not _is_small(x, y, *adjoint)
    wanted = stored(x) or x is y or _misread(x, y, *adjoint) or many
    if not wanted or x.channelwise or y.channelwise or (x.scale and _columns(x, adjoint[0]) > MOST_ROWS):
        return False
    result = _Products(build, operator.output).product(x, y, *adjoint)
    build.finish(result if result.shape == operator.output.shape else build.reshape(result, operator.output.shape))
    return True


def _columns(x, adjoint):
    return x.shape[-2 if adjoint else -1]


def _rows(x, y, adjoint):
    """How many rows the right-hand matrices have, all together."""
    return math.prod(y.shape[:-2]) * _columns(x, adjoint)


def _is_small(x, y, adj_x, adj_y):
    """Whether the right-hand matrices are so small that any number of them is right: tried with up to 10,080."""
    return _columns(x, adj_x) <= SMALL[0] and y.shape[-2 if adj_y else -1] <= SMALL[1]


def _misread(x, y, adj_x, adj_y):
    """Whether the GPU computes wrong numbers for the shapes; found by trying."""
    if stored(y) and len(y.shape) == 2:
        return adj_x or adj_y
    return x.shape[:-2] != y.shape[:-2]


class _Products:
    """Makes products of the type and quantization of an output."""

    def __init__(self, build, output):
        self.build, self.output = build, output

    def product(self, x, y, adj_x, adj_y):
        """The product, with as many axes before those of the matrix as either side has, or fewer that are one."""
        if x is y:
            return self.product(x, self.swapped(y), adj_x, not adj_y)
        if stored(x):  # of two that are swapped, each transposed, the product is the transpose
            return self.swapped(self.product(y, x, not adj_y, not adj_x))
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        if math.prod(y.shape[:-2]) == 1:
            return self.by_one(self.swapped(x) if adj_x else x, y, adj_y)
        if math.prod(x.shape[:-2]) == 1:
            if stored(y):
                return self.by_several(self.swapped(x) if adj_x else x, y, adj_y)
            return self.swapped(self.product(y, x, not adj_y, not adj_x))
        x, y = (self.repeated(tensor, batch) for tensor in (x, y))
        product = self.some_at_a_time(x, y, adj_x, adj_y)
        return self.build.reshape(product, batch + product.shape[-2:])

    def by_one(self, x, y, adj_y):
        """A batch of matrices by one: a layer of that one where it is stored, else all rows in one matrix."""
        rows, inner = x.shape[-2:]
        columns = y.size // inner
        if stored(y) and y.zero_point == 0:
            weights = self.matrix(y) if adj_y else self.swapped(self.matrix(y))
            options = {"keepNumDims": True}
            return self.build.computed(
                "FULLY_CONNECTED", (x, weights), (*x.shape[:-1], columns), self.output, **options
            )
        x_all, y = self.build.reshape(x, (1, -1, inner)), self.reshaped(y, (1, *y.shape[-2:]))
        product = self.some_at_a_time(x_all, y, False, adj_y)
        return self.build.reshape(product, (*x.shape[:-2], rows, columns))

    def by_several(self, x, y, adj_y):
        """One matrix by a batch of stored ones: by all of their columns, which are then taken apart."""
        rows, inner = x.shape[-2:]
        y = y if adj_y else self.swapped(y)
        *batch, columns, _ = y.shape
        weights = self.reshaped(y, (1, -1, inner))
        product = self.by_one(self.build.reshape(x, (1, rows, inner)), weights, True)
        product = self.build.reshape(product, (1, rows, math.prod(batch), columns))
        return self.build.reshape(self.build.transpose(product, (0, 2, 1, 3)), (*batch, rows, columns))

    def some_at_a_time(self, x, y, adj_x, adj_y):
        """Both of the same batch. Sums are taken apart where one matrix is too large, batches where all are."""
        batch, inner = x.shape[:-2], _columns(x, adj_x)
        if math.prod(batch) * inner <= MOST_ROWS:
            return self.plain(x, y, adj_x, adj_y)
        x, y = (self.reshaped(tensor, (1, -1, *tensor.shape[-2:])) for tensor in (x, y))
        parts = []
        count = max(1, MOST_ROWS // inner)
        for first in range(0, x.shape[1], count):
            some = min(count, x.shape[1] - first)
            sides = [self.part(tensor, 1, first, some) for tensor in (x, y)]
            parts.append(self.summed(*sides, adj_x, adj_y) if inner > MOST_ROWS else self.plain(*sides, adj_x, adj_y))
        product = self.build.concatenate(parts, 1)
        return self.build.reshape(product, batch + product.shape[-2:])

    def summed(self, x, y, adj_x, adj_y):
        total = None
        for first in range(0, _columns(x, adj_x), MOST_ROWS):
            some = min(MOST_ROWS, _columns(x, adj_x) - first)
            left = self.part(x, -2 if adj_x else -1, first, some)
            right = self.part(y, -1 if adj_y else -2, first, some)
            product = self.plain(left, right, adj_x, adj_y)
            total = product if total is None else self.build.computed("ADD", (total, product), product.shape)
        return total

    def plain(self, x, y, adj_x, adj_y):
        shape = (*x.shape[:-2], x.shape[-1 if adj_x else -2], y.shape[-2 if adj_y else -1])
        return self.build.computed("BATCH_MATMUL", (x, y), shape, self.output, adjX=adj_x, adjY=adj_y)

    def repeated(self, tensor, batch):
        """With as many matrices as the result has."""
        tensor = self.reshaped(tensor, (1,) * (len(batch) + 2 - len(tensor.shape)) + tensor.shape)
        if stored(tensor):
            whole = batch + tensor.shape[-2:]
            same = tensor.shape == whole
            return tensor if same else moved(self.build, tensor, lambda values: np.broadcast_to(values, whole))
        for axis, size in enumerate(batch):
            if tensor.shape[axis] != size:
                tensor = self.build.concatenate([tensor] * size, axis)
        return tensor

    def matrix(self, tensor):
        return self.reshaped(tensor, tensor.shape[-2:])

    def swapped(self, tensor):
        """Each matrix transposed."""
        order = (*range(len(tensor.shape) - 2), len(tensor.shape) - 1, len(tensor.shape) - 2)
        if stored(tensor):
            return moved(self.build, tensor, lambda values: values.transpose(order))
        return self.build.transpose(tensor, order)

    def reshaped(self, tensor, shape):
        if stored(tensor):
            return moved(self.build, tensor, lambda values: values.reshape(shape))
        return self.build.reshape(tensor, shape)

    def part(self, tensor, axis, first, count):
        if stored(tensor):
            index = [slice(None)] * len(tensor.shape)
            index[axis] = slice(first, first + count)
            return moved(self.build, tensor, lambda values: values[tuple(index)])
        return self.build.part(tensor, axis, first, count)
