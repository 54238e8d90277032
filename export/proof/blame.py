"""Which operator of a file a runtime fails on, and which layer of the Keras model it came from."""

from dataclasses import dataclass, replace

import numpy as np

from keraslayers import _checks
from keraslayers.export.file.graph import read_graph
from keraslayers.export.progress import step
from keraslayers.export.proof.match import LOST, wrong_numbers
from keraslayers.export.proof.proof import Verdict, calls_of, values_of
from keraslayers.export.proof.remedies import Seen, remedy
from keraslayers.export.runtimes import RUNTIMES, cpu
from keraslayers.export.source.samples import make_up, name_samples

SAMPLES = 4


@dataclass(frozen=True)
class Culprit:
    """The first operator with which a file fails.

    Attributes:
        operator: its name in the format.
        tensor: the name of what it computes.
        layer: the layer of the Keras model that the name tells of; None if it tells of none.
        remedy: what to write in its place; empty where nothing is known of an operator of its kind.
    """

    operator: str
    tensor: str
    layer: str | None
    remedy: str

    def __str__(self):
        where = f"layer `{self.layer}` ({self.operator})" if self.layer else f"{self.operator} {self.tensor!r}"
        return f"It begins at {where}" + (f": {self.remedy}" if self.remedy else "")


def find_culprit(tflite, runtime="gpu", *, samples=None, model=None):
    """Finds the operator with which a runtime begins to refuse a file, to die of it, or to compute wrong numbers.

    It halves the file until the shortest beginning is found that fails, each run in a child process.

    Args:
        tflite: bytes of the file.
        runtime: `"cpu"`, `"gpu"` or `"micro"`.
        samples: inputs to run, as in `prove`; made up from a fixed seed by default. Four are run.
        model: the Keras model of the file, so that the layer can be named.

    Returns:
        A `Culprit`; None if the runtime computes what LiteRT's built-in kernels do.

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
        meant = cpu.run_reference(part, graph, given).outputs
        if meant is None:
            return True  # no kernel defines what it computes, so that no runtime can be right
        meaning = values_of(meant, graph, count)
        got = values_of(outcome.outputs, graph, count)
        return bool(wrong_numbers(got, meaning, graph, RUNTIMES[runtime].PLAIN))

    return _shortest(tflite, fails, layer_of, runtime)


def _nameless(tensor):
    return None


def _namer(model):
    from keraslayers.export.source.layer_names import namer  # here, as a file needs no Keras

    return namer(model)


def blamed(proof, blob, samples, model=None):
    """The same proof; the reason why a runtime fails names the operator, where it is the runtime that does.

    Args:
        proof: of the file.
        blob: the file.
        samples: by input name arrays.
        model: the Keras model of the file, so that the layer can be named.
    """
    if proof.verdict not in (Verdict.WRONG, Verdict.REJECTED) or LOST in proof.reason:
        return proof
    culprit = find_culprit(blob, proof.runtime, samples=samples, model=model)
    return proof if culprit is None else replace(proof, reason=f"{proof.reason.rstrip('. ')}. {culprit}")


def _shortest(blob, fails, layer_of, runtime):
    model = _unpack(blob)
    operators = model.subgraphs[0].operators
    with step("looking for the operator to blame"):
        if not fails(beginning(blob, len(operators))):
            return None
        right, wrong = 0, len(operators)
        while wrong - right > 1:
            middle = (right + wrong) // 2
            right, wrong = (right, middle) if fails(beginning(blob, middle)) else (middle, wrong)
    seen = _seen(model, operators[wrong - 1])
    tensor = model.subgraphs[0].tensors[operators[wrong - 1].outputs[0]].name.decode()
    return Culprit(seen.name, tensor, layer_of(tensor), remedy(runtime, seen))


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


def _seen(model, operator, deep=True):
    """An operator of the main graph with what a remedy depends on; those before it without what is before them."""
    from ai_edge_litert import schema_py_generated as schema

    main = model.subgraphs[0]
    maker = {index: other for other in main.operators for index in other.outputs} if deep else {}
    dtypes = _names(schema.TensorType)
    inputs = tuple(int(index) for index in operator.inputs if index >= 0)
    made = set(_made(main)) | set(main.inputs)
    code = model.operatorCodes[operator.opcodeIndex]
    return Seen(
        name=_names(schema.BuiltinOperator)[max(code.builtinCode, code.deprecatedBuiltinCode)],
        options=operator.builtinOptions,
        inputs=inputs,
        shapes=tuple(_shape(main, index) for index in inputs),
        dtypes=tuple(dtypes[main.tensors[index].type].lower() for index in inputs),
        outputs=tuple(_shape(main, index) for index in operator.outputs),
        constants={place: _integers(model, index) for place, index in enumerate(inputs) if index not in made},
        made_by=tuple(_seen(model, maker[index], deep=False) if index in maker else None for index in inputs),
    )


def _shape(main, index):
    shape = main.tensors[index].shape
    return () if shape is None else tuple(int(size) for size in shape)


def _integers(model, index):
    """The values of a constant of 32-bit integers; None of another."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if tensor.type != schema.TensorType.INT32 or data is None:
        return None
    return np.frombuffer(np.asarray(data, "uint8").tobytes(), "<i4")


def _names(enumeration):
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}
