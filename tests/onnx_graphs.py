"""Networks as other libraries published them: graphs out of the `onnx` wheel, run by onnxruntime, with random weights.

The wheel's weights are constants, most of them made by ConstantOfShape; here each gets numbers of its own.
"""

import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


class OnnxGraph:
    """A graph with random weights.

    Attributes:
        nodes: (kind, list of arrays as Keras has them) of each convolution, Dense layer and normalization, in order.
    """

    def __init__(self, name, side=224, seed=0):
        model = onnx.load(LIGHT / f"light_{name}.onnx")
        graph = model.graph
        random = np.random.default_rng(seed)
        constants = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
        made = [node for node in graph.node if node.op_type == "ConstantOfShape"]
        shapes = {node.output[0]: constants[node.input[0]] for node in made}
        shapes |= {name: value.shape for name, value in constants.items() if value.dtype == "float32"}
        weights = {name: self._draw(random, name, shape) for name, shape in shapes.items()}
        for node in made:
            graph.node.remove(node)
        for entry in [entry for entry in graph.initializer if entry.name in weights]:
            graph.initializer.remove(entry)
        graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in weights.items())
        # Before the softmax.
        last = graph.node[-1]
        if last.op_type == "Softmax":
            graph.output[0].name = last.input[0]
            graph.node.remove(last)
        del graph.output[0].type.tensor_type.shape.dim[:]
        (entry,) = [entry for entry in graph.input if entry.name.endswith("data_0")]
        for axis in (2, 3):
            entry.type.tensor_type.shape.dim[axis].dim_value = side
        self.input = entry.name
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it warns of every shape that the removed nodes leave behind
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        reshaped = {node.output[0]: node.input[0] for node in graph.node if node.op_type in ("Reshape", "Unsqueeze")}
        self.nodes = list(self._weighted(graph, weights, reshaped))

    @staticmethod
    def _draw(random, name, shape):
        if name.endswith("/bn_w_0"):  # a second factor and
            return np.ones(shape, "float32")
        if name.endswith("/bn_b_0"):  # offset behind the normalization's own
            return np.zeros(shape, "float32")
        if len(shape) > 1:
            return random.normal(0, math.sqrt(2 / np.prod(shape[1:])), shape).astype("float32")
        if name.endswith(("_s_0", "scale_0", "var_0", "riv_0")):
            return random.uniform(0.5, 1.5, shape).astype("float32")
        return random.normal(0, 0.1, shape).astype("float32")

    @staticmethod
    def _weighted(graph, weights, reshaped):
        for node in graph.node:
            values = [weights.get(reshaped.get(name, name)) for name in node.input[1:]]
            values = [value for value in values if value is not None]
            if node.op_type == "Conv":
                yield "Conv2D", [values[0].transpose(2, 3, 1, 0), *values[1:]]
            elif node.op_type == "Gemm":
                yield "Dense", [values[0].reshape(len(values[1]), -1).T, values[1]]
            elif node.op_type == "BatchNormalization":
                yield "BatchNormalization", values

    def __call__(self, x):
        (y,) = self.session.run(None, {self.input: x.transpose(0, 3, 1, 2)})
        return y.reshape(len(x), -1)
