"""Small .tflite files made for tests, operator by operator, and what LiteRT's built-in kernels make of them."""

import flatbuffers
import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import File, Graph, Signature, Tensor
from keraslayers.export.file.quantized import quantization


class Made(Builder):
    """A file in the making: `Builder`'s methods put operators at its end."""

    def __init__(self):
        super().__init__(Graph("main", [], [], []))
        self.file = File([self.graph])

    def input(self, shape, dtype="float32", name="x", scale=None, zero_point=0):
        tensor = Tensor(name, shape, dtype, scales(scale, zero_point))
        self.graph.inputs.append(tensor)
        return tensor

    def new(self, kind, inputs, shape, dtype=None, scale=None, zero_point=0, **options):
        """The output of an operator, of the type of its first input as a rule."""
        dtype = dtype or inputs[0].dtype
        name = f"net_1/{kind.lower()}_{len(self.graph.operators)}_1/step/op"
        return self.add(kind, inputs, Tensor(name, shape, dtype, scales(scale, zero_point)), **options)

    def weights(self, values, scale=None, zero_point=0, axis=0):
        return self.constant(values, quantization=scales(scale, zero_point, axis))

    def done(self, *outputs, names=None):
        """The bytes of the file, whose signature has inputs by their names and outputs y0, y1, ..."""
        self.graph.outputs.extend(outputs)
        named = dict(zip(names or [f"y{i}" for i in range(len(outputs))], outputs, strict=True))
        inputs = {tensor.name: tensor for tensor in self.graph.inputs}
        self.file.signatures.append(Signature("serving_default", self.graph, inputs, named))
        return self.file.write()


def scales(scale, zero_point=0, axis=0):
    return None if scale is None else quantization(scale, zero_point, axis)


def run(blob, *inputs):
    """What LiteRT's built-in kernels give, in the order of the file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=blob, num_threads=1, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def shapes(blob, *inputs):
    """The shapes that LiteRT's built-in kernels give the main graph's tensors, by their numbers."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=blob, num_threads=1, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return {detail["index"]: tuple(detail["shape"].tolist()) for detail in interpreter.get_tensor_details()}


def inputs_of(blob, seed=0):
    """Inputs for a file: normal floats, integers from all that the type holds, small ones where they index."""
    from ai_edge_litert.interpreter import Interpreter

    random = np.random.default_rng(seed)
    made = []
    for detail in Interpreter(model_content=blob).get_input_details():
        shape, dtype = detail["shape"], np.dtype(detail["dtype"])
        if dtype.kind == "f":
            made.append(random.normal(size=shape).astype(dtype))
        elif dtype.itemsize == 1 and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            made.append(random.integers(limits.min, limits.max + 1, shape).astype(dtype))
        else:
            made.append(random.integers(0, 2, shape).astype(dtype))
    return made


def packed(model):
    """The bytes of a `ModelT`."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
