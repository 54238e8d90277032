"""Builds operators into a graph in the place of one that goes."""

import numpy as np

from keraslayers.export.file.edit import Operator, Tensor
from keraslayers.export.file.schema import FIELDS, OPTIONS, dtypes, new_table


class Builder:
    """Puts operators in front of an operator of a graph; what it makes is named after what that one makes.

    Every method returns the tensor made. Constants are computed at once where only data is moved, and a step that
    changes nothing is left out.

    Args:
        graph: an `edit.Graph`.
        before: the operator to build in front of; at the graph's end if None.
    """

    def __init__(self, graph, before=None):
        self.graph = graph
        self.before = before
        self.name = before.output.name if before is not None and before.outputs else ""

    def constant(self, values, like=None, quantization=None):
        """A constant of an array.

        Args:
            values: the array; of what the file holds, integers where it is quantized.
            like: a tensor whose quantization it has.
            quantization: its own, as `quantized.quantization` gives.
        """
        # A constant of no axes becomes one of one axis in numpy's hands.
        values = np.asarray(values)
        shape, values = values.shape, np.ascontiguousarray(values)
        quantization = quantization if like is None else like.quantization
        data = values.reshape(-1).astype(FIELDS[values.dtype.name], copy=False).view("uint8")
        return Tensor(f"{self.name};constant", shape, values.dtype.name, quantization, data)

    def packed(self, data, shape, like):
        """A constant of the type and quantization of another, whose elements NumPy has no type for.

        Args:
            data: its bytes.
            shape: its sizes.
            like: the other.
        """
        return Tensor(f"{self.name};constant", shape, like.dtype, like.quantization, np.ascontiguousarray(data))

    def behind(self, operator):
        """A builder behind an operator."""
        place = self.graph.operators.index(operator) + 1
        builder = Builder(self.graph, self.graph.operators[place] if place < len(self.graph.operators) else None)
        builder.name = operator.output.name
        return builder

    def split(self, output):
        """Has what makes a tensor make another one like it, so that the tensor is to be made of that."""
        maker, made = output.maker, self.tensor(output.shape, output)
        maker.outputs = tuple(made if tensor is output else tensor for tensor in maker.outputs)
        made.maker, output.maker = maker, None
        return made

    def integers(self, values):
        """A constant of places or sizes."""
        return self.constant(np.asarray(values, "int32"))

    def tensor(self, shape, like, dtype=None):
        """A tensor to be computed, of the type and quantization of another; not yet of any operator.

        Args:
            shape: its sizes.
            like: the other.
            dtype: in place of its type; the quantization stays away then.
        """
        return Tensor(self.name, shape, dtype or like.dtype, None if dtype else like.quantization)

    def add(self, kind, inputs, output, **options):
        """Any operator that makes one tensor, `output`, which `tensor` gave or which an operator to go has made.

        Args:
            kind: its name in the format.
            inputs: tensors.
            output: a tensor.
            options: of the format, under its own names: `axis=1`, `fusedActivationFunction=...`.
        """
        table = new_table(OPTIONS[kind], **options) if kind in OPTIONS else None
        self.graph.insert(Operator(kind, inputs, (output,), table), self.before)
        return output

    def computed(self, kind, inputs, shape, like=None, dtype=None, **options):
        """As `add`, into a new tensor of a shape; of the type and quantization of `like`, the first input's if None."""
        return self.add(kind, inputs, self.tensor(shape, like or inputs[0], dtype), **options)

    def cast(self, x, dtype):
        """The same numbers in another type."""
        if x.values is not None:
            return self.constant(x.values.astype(dtype))
        codes = dtypes()
        return self.computed("CAST", (x,), x.shape, dtype=dtype, inDataType=codes[x.dtype], outDataType=codes[dtype])

    def reshape(self, x, shape, output=None):
        """The same elements in another shape; of what was itself reshaped the source is taken."""
        shape = tuple(int(size) for size in shape)
        if -1 in shape:
            known = -int(np.prod(shape, dtype="int64"))
            shape = tuple(x.size // known if size == -1 else size for size in shape)
        if x.values is not None and output is None and not x.channelwise:
            return x if x.shape == shape else self.constant(x.values.reshape(shape), like=x)
        source = before_reshapes(x)
        if source.shape == shape and output is None:
            return source
        for reader in source.readers if output is None else ():
            there = reader.name == "RESHAPE" and reader.output.shape == shape and reader.output.quantized_as(x)
            if there and self._is_earlier(reader):
                return reader.output
        return self.add(
            "RESHAPE",
            (source, self.integers(shape)),
            self.tensor(shape, x) if output is None else output,
            newShape=list(shape),
        )

    def _is_earlier(self, operator):
        operators = self.graph.operators
        return self.before is None or operators.index(operator) < operators.index(self.before)

    def transpose(self, x, order, output=None):
        """Axes in another order."""
        order = tuple(int(axis) for axis in order)
        shape = tuple(x.shape[axis] for axis in order)
        if output is None and order == tuple(range(len(order))):
            return x
        if x.values is not None and output is None and not x.channelwise:
            return self.constant(x.values.transpose(order), like=x)
        return self.add("TRANSPOSE", (x, self.integers(order)), output or self.tensor(shape, x))

    def slice(self, x, begin, size, output=None):
        """A part: from `begin`, `size` elements along each axis."""
        begin, size = tuple(map(int, begin)), tuple(map(int, size))
        if output is None and size == x.shape:
            return x
        if x.values is not None and output is None and not x.channelwise:
            part = tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))
            return self.constant(x.values[part], like=x)
        return self.add("SLICE", (x, self.integers(begin), self.integers(size)), output or self.tensor(size, x))

    def part(self, x, axis, begin, size):
        """A part along one axis."""
        axis %= len(x.shape)
        first = [begin if i == axis else 0 for i in range(len(x.shape))]
        return self.slice(x, first, [size if i == axis else known for i, known in enumerate(x.shape)])

    def concatenate(self, parts, axis, output=None):
        """Tensors side by side along an axis."""
        axis %= len(parts[0].shape)
        if len(parts) == 1 and output is None:
            return parts[0]
        if all(part.values is not None and not part.channelwise for part in parts) and output is None:
            return self.constant(np.concatenate([part.values for part in parts], axis), like=parts[0])
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return self.add("CONCATENATION", parts, output or self.tensor(shape, parts[0]), axis=axis)

    def finish(self, *results):
        """Has the operator's outputs be these tensors, one each, and takes the operator away.

        A result that is not the output itself takes its place among the readers, by way of a RESHAPE where shape or
        quantization differ or where it is an output of the graph.
        """
        taken = {}  # one may be the result for several
        for result, output in zip(results, self.before.outputs, strict=True):
            result = taken.get(result, result)
            if result is output:
                continue
            same = (result.shape, result.dtype) == (output.shape, output.dtype) and result.quantized_as(output)
            if same and result.maker is not None and not result.readers and not self.graph.given(result):
                maker = result.maker  # it was made for this: no step more
                maker.outputs = tuple(output if tensor is result else tensor for tensor in maker.outputs)
                result.maker, output.maker = None, maker
                taken[result] = output
            elif same and not self.graph.given(output):
                self.graph.redirect(output, result)
            else:
                self.reshape(result, output.shape, output)
        self.graph.remove(self.before)


def before_reshapes(tensor):
    """What a tensor was before it was only reshaped: the first of a chain of equal elements, itself as a rule."""
    while tensor.maker is not None and tensor.maker.name in ("RESHAPE", "EXPAND_DIMS", "SQUEEZE"):
        source = tensor.maker.inputs[0]
        if not source.quantized_as(tensor) or source.open:
            break
        tensor = source
    return tensor
