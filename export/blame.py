"""Which operator of a file a runtime fails on, and which layer of the Keras model it came from."""

import re
from dataclasses import dataclass

from keraslayers.export.progress import step

# What to write instead, by operator.
REMEDIES = {
    "AVERAGE_POOL_2D": "padding='valid', or GlobalAveragePooling2D",
    "BATCH_MATMUL": "a Dense layer or a 1x1 convolution where one side is constant",
    "CONCATENATION": "slices (x[..., a:b]) in place of keras.ops.split before it",
    "CONV_2D": "channels per group that are a multiple of 4, or one Conv2D for each group",
    "GATHER": "slices, a resampling layer, or DeformableConv2D with `max_offset`; look indices up before the model",
    "LOCAL_RESPONSE_NORMALIZATION": "keraslayers.LocalResponseNormalization",
    "MUL": "the weights of channels as 1x1 convolutions of GlobalAveragePooling2D(keepdims=True), as "
    "keraslayers.SqueezeExcite does, if this is squeeze-and-excitation with Dense layers",
    "RESHAPE": "tensors of rank 4 at most, as keraslayers.ChannelShuffle makes them",
    "SPLIT": "slices (x[..., a:b]), which are right",
    "TRANSPOSE": "tensors of rank 4 at most, as keraslayers.ChannelShuffle makes them",
}


@dataclass(frozen=True)
class Culprit:
    """The first operator with which a file fails.

    Attributes:
        operator: its name in the format.
        tensor: the name of what it computes.
        layer: the layer of the Keras model that the name tells of; None if it tells of none.
        remedy: what to write instead; empty where nothing is known.
    """

    operator: str
    tensor: str
    layer: str | None
    remedy: str

    def __str__(self):
        where = f"layer `{self.layer}` ({self.operator})" if self.layer else f"{self.operator} {self.tensor!r}"
        return f"It begins at {where}" + (f": write {self.remedy} instead" if self.remedy else "")


def find_culprit(blob, fails, layers=()):
    """Finds the shortest beginning of a file that fails, by halving.

    Args:
        blob: the file, which fails as a whole.
        fails: called with the bytes of a beginning, a file of its own, whose outputs are all that the rest would read.
        layers: names of the Keras model's layers.

    Returns:
        A `Culprit`; None if the whole does not fail either, or the file has control flow, which has no beginning.
    """
    model = _unpack(blob)
    if len(model.subgraphs) != 1:
        return None
    operators = model.subgraphs[0].operators
    with step("looking for the operator to blame"):
        if not fails(beginning(blob, len(operators))):
            return None
        right, wrong = 0, len(operators)
        while wrong - right > 1:
            middle = (right + wrong) // 2
            right, wrong = (right, middle) if fails(beginning(blob, middle)) else (middle, wrong)
    last = operators[wrong - 1]
    name = _operator_name(model, last)
    tensor = model.subgraphs[0].tensors[last.outputs[0]].name.decode()
    return Culprit(name, tensor, layer_of(tensor, layers), REMEDIES.get(name, ""))


def beginning(blob, count):
    """The first `count` operators of a file as a file.

    Given:   x -> a -> b -> c -> y, where c reads a, too
    Result:  (of 2) x -> a -> b; a and b are the outputs
    """
    model = _unpack(blob)
    main = model.subgraphs[0]
    rest = main.operators[count:]
    main.operators = main.operators[:count]
    read = {index for operator in rest for index in operator.inputs} | set(main.outputs)
    main.outputs = [index for index in _made(main) if index in read]
    return _pack(model)


def exposed(blob):
    """The same file with all that its operators compute as outputs; None for a file with control flow."""
    model = _unpack(blob)
    if len(model.subgraphs) != 1:
        return None
    model.subgraphs[0].outputs = _made(model.subgraphs[0])
    return _pack(model)


def _made(main):
    return [index for operator in main.operators for index in operator.outputs]


def _pack(model):
    import flatbuffers

    model.signatureDefs = None  # they name outputs that are gone
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def layer_of(tensor, layers):
    """The layer that a tensor's name tells of.

    The converter calls tensors `model_1/layer_1/operation`, and several with a semicolon where it made one operator of
    them; the first is the last one computed.
    """
    known = set(layers)
    for path in tensor.split(";"):
        for part in path.split("/"):
            for name in (part, re.sub(r"_\d+$", "", part)):
                if name in known:
                    return name
    return None


def _unpack(blob):
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(blob, 0)


def _operator_name(model, operator):
    from ai_edge_litert import schema_py_generated as schema

    code = model.operatorCodes[operator.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}[builtin]
