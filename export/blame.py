"""Which operator of a file a runtime fails on, and which layer of the Keras model it came from."""

from dataclasses import dataclass

from keraslayers import _checks
from keraslayers.export.graph import read_graph
from keraslayers.export.progress import step
from keraslayers.export.proof import calls_of, values_of, wrong_numbers
from keraslayers.export.runtimes import RUNTIMES, cpu
from keraslayers.export.samples import make_up, name_samples

SAMPLES = 4

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


def find_culprit(tflite, runtime="gpu", *, samples=None, model=None):
    """Finds the operator with which a runtime begins to refuse a file, to die of it, or to compute wrong numbers.

    It halves the file until the shortest beginning is found that fails, each run in a child process.

    Args:
        tflite: bytes of the file.
        runtime: `"cpu"`, `"gpu"` or `"micro"`.
        samples: inputs to run, as in `prove`; made up from a fixed seed by default. Four are run.
        model: the Keras model of the file, so that the layer can be named.

    Returns:
        A `Culprit`; None if the runtime computes what LiteRT's built-in kernels do, or the file has control flow,
        which has no beginning.

    Raises:
        ValueError: if there is no such runtime, or the samples do not fit.
        RuntimeError: if this machine lacks the runtime.
    """
    who = "find_culprit"
    _checks.choice(who, "runtime", runtime, RUNTIMES)
    if lacking := RUNTIMES[runtime].available():
        raise RuntimeError(f"`{who}`: {lacking}")
    graph = read_graph(tflite)
    samples = make_up(graph.inputs) if samples is None else name_samples(who, samples, graph.inputs)
    inputs, count = calls_of({name: values[:SAMPLES] for name, values in samples.items()}, graph)
    by_index = {tensor.index: inputs[tensor.name] for tensor in graph.inputs}
    layer_of = _nameless if model is None else _namer(model)

    def fails(part):
        graph = read_graph(part)
        given = {tensor.name: by_index[tensor.index] for tensor in graph.inputs}
        outcome = RUNTIMES[runtime].run(part, graph, given)
        if outcome.outputs is None:
            return True
        meaning = values_of(cpu.run_reference(part, graph, given).outputs, graph, count)
        return bool(wrong_numbers(runtime, values_of(outcome.outputs, graph, count), meaning, graph))

    return _shortest(tflite, fails, layer_of)


def _nameless(tensor):
    return None


def _namer(model):
    from keraslayers.export.layer_names import namer  # here, as a file needs no Keras

    return namer(model)


def _shortest(blob, fails, layer_of):
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
    return Culprit(name, tensor, layer_of(tensor), REMEDIES.get(name, ""))


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


def _made(main):
    return [index for operator in main.operators for index in operator.outputs]


def _pack(model):
    import flatbuffers

    model.signatureDefs = None  # they name outputs that are gone
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _unpack(blob):
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(blob, 0)


def _operator_name(model, operator):
    from ai_edge_litert import schema_py_generated as schema

    code = model.operatorCodes[operator.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}[builtin]
