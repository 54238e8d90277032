"""Which operator of a file a runtime fails on, and which layer of the Keras model it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keraslayers._hints import Model, Samples
from keraslayers._printable import printable
from keraslayers.export import runtimes
from keraslayers.export.file import edit, strange
from keraslayers.export.file.edit import File, Graph, Signature, called_by
from keraslayers.export.file.graph import read_graph
from keraslayers.export.progress import step
from keraslayers.export.proof.half import ASK, RIGHT, beyond, rounding
from keraslayers.export.proof.match import AS_THE_FILE, LOST, wrong_numbers
from keraslayers.export.proof.proof import Verdict, calls_of, values_of
from keraslayers.export.proof.remedies import Seen, remedy
from keraslayers.export.rewrites.cast_borders import real_outputs
from keraslayers.export.runtimes import cpu
from keraslayers.export.runtimes.elsewhere import Runtime
from keraslayers.export.source.samples import make_up, name_samples

SAMPLES = 4


@dataclass(frozen=True)
class Culprit:
    """The first operator with which a file fails.

    Attributes:
        operator: its name in the format.
        tensor: the name of what it computes.
        layer: the layer of the Keras model that the name tells of; None if it tells of none.
        remedy: what to write in its place, or of 16-bit floats what they cannot hold there; empty where nothing is
            known of an operator of its kind.
    """

    operator: str
    tensor: str
    layer: str | None
    remedy: str

    def __str__(self) -> str:
        operator = printable(self.operator)  # custom ones have any name
        where = f"layer `{printable(self.layer)}` ({operator})" if self.layer else f"{operator} {self.tensor!r}"
        return f"It begins at {where}" + (f": {self.remedy}" if self.remedy else "")


def find_culprit(
    tflite: bytes, runtime: Runtime = "gpu", *, samples: Samples | None = None, model: Model | None = None
) -> Culprit | None:
    """Finds the operator with which a runtime begins to refuse a file, to die of it, or to compute wrong numbers.

    It halves the file until the shortest beginning is found that fails, each run in a child process.

    Args:
        tflite: bytes of the file.
        runtime: `"cpu"`, `"gpu"`, `"gpu-fp16"`, `"micro"` or another name; or `ssh(...)`.
        samples: inputs to run, as in `prove`; made up from a fixed seed by default. Four are run.
        model: the Keras model of the file, so that the layer can be named.

    Returns:
        A `Culprit`; None if the runtime computes what LiteRT's built-in kernels do, or takes no file of such inputs and
        outputs, whatever is in it.

    Raises:
        ValueError: if there is no such runtime, or the samples do not fit.
        RuntimeError: if this machine lacks the runtime.
    """
    who = "find_culprit"
    on = runtimes.of(runtimes.check(who, "runtime", runtime))
    if lacking := on.available():
        raise RuntimeError(f"`{who}`: {lacking}")
    strange.check(tflite)
    graph = read_graph(tflite)
    samples = make_up(graph.inputs) if samples is None else name_samples(who, samples, graph.inputs)
    inputs, count = calls_of({name: values[:SAMPLES] for name, values in samples.items()}, graph)
    layer_of = _nameless if model is None else _namer(model)
    if hasattr(on, "unfit") and on.unfit(tflite, graph):
        return None

    def fails(part):
        part = _handed_over(part) if hasattr(on, "TYPES") else part
        graph = read_graph(part)
        if not graph.outputs:
            return False  # what only changes a state is not compared
        outcome = on.run(part, graph, inputs)
        if outcome.outputs is None:
            return True
        meant = cpu.run_reference(part, graph, inputs).outputs
        if meant is None:
            return True  # no kernel defines what it computes, so that no runtime can be right
        meaning = values_of(meant, graph, count)
        got = values_of(outcome.outputs, graph, count)
        return bool(wrong_numbers(got, meaning, graph, on.PLAIN, on.FLOATS))

    file = edit.read(tflite)
    with step("looking for the operator to blame"):
        count = _shortest(file, fails)
        if count is None:
            return None
        first = _steps(file.main)[count - 1]
        words = remedy(runtimes.kind(runtime), _seen(first))
        if on.FLOATS == 16:
            words = _lost_there(file, count, inputs) or words
    tensor = next((tensor.name for tensor in (*first.outputs, *first.inputs) if tensor is not None), "")
    return Culprit(first.name, tensor, layer_of(tensor), words)


def _lost_there(file, count, inputs):
    """What 16-bit floats cannot hold at the last of the first `count` operators, or how coarse they are there."""
    operator = _steps(file.main)[count - 1]
    read = dict.fromkeys(tensor for tensor in operator.inputs if tensor is not None)
    wanted = [*operator.outputs, *(tensor for tensor in read if tensor.maker is not None)]
    part = beginning(file, count, wanted)
    found = cpu.run_reference(part, graph := read_graph(part), inputs).outputs
    if found is None:
        return ""
    values = [found[tensor.name] for tensor in graph.outputs]
    given = [inputs[name] for name, tensor in _named_inputs(file).items() if tensor in read]
    constants = [tensor.values for tensor in read if tensor.constant]
    made, others = values[: len(operator.outputs)], values[len(operator.outputs) :]
    return beyond([*made, *constants]) or rounding([*made, *constants, *others, *given])


def _nameless(tensor):
    return None


def _namer(model):
    from keraslayers.export.source.layer_names import namer  # here, as a file needs no Keras

    return namer(model)


def all_blamed(proofs, on, blob, samples, model=None, precision="float32"):
    """The same proofs of a file, each `blamed`, and told of if it is wrong in 16-bit floats alone.

    Args:
        proofs: one a runtime.
        on: the runtimes.
        blob, samples, model, precision: as for `blamed`.
    """
    about = (blob, samples, model, precision)
    told = half_blamed(proofs, on, *about)
    # What fails in 32-bit floats, too, is looked for there.
    twice = [whole is not None and whole.verdict is proof.verdict for proof, whole in _in_half(proofs, on)]
    return tuple(
        after if after is not before or again else blamed(after, runtime, *about)
        for before, after, again, runtime in zip(proofs, told, twice, on, strict=True)
    )


def half_blamed(proofs, on, blob, samples, model=None, precision="float32"):
    """The same proofs of a file; of one that is right in 32-bit floats alone what is lost in 16, and what to do.

    Args:
        proofs, on, blob, samples, model, precision: as for `all_blamed`.
    """
    told = []
    for (proof, whole), runtime in zip(_in_half(proofs, on), on, strict=True):
        if whole is not None and whole.verdict is Verdict.PROVEN and proof.verdict in (Verdict.WRONG, Verdict.REJECTED):
            proof = blamed(proof, runtime, blob, samples, model, precision)
            asking = ASK.get(runtimes.kind(runtime), "")
            proof = replace(proof, reason=f"{proof.reason.rstrip('. ')}{RIGHT}{asking}")
        told.append(proof)
    return tuple(told)


def _in_half(proofs, on):
    """Each proof with that of the same runtime in 32-bit floats; with None if it is no other."""
    whole = {runtimes.kind(runtime): proof for proof, runtime in zip(proofs, on, strict=True) if _floats(runtime) == 32}
    return [
        (proof, None if _floats(runtime) == 32 else whole.get(runtimes.kind(runtime)))
        for proof, runtime in zip(proofs, on, strict=True)
    ]


def _floats(runtime):
    return runtimes.of(runtime).FLOATS


def blamed(proof, runtime, blob, samples, model=None, precision="float32"):
    """The same proof; the reason why a runtime fails names the operator, where it is the runtime that does.

    Where it is none, and the file has weights of fewer bits, the reason says that these lost the numbers.

    Args:
        proof: of the file on a runtime.
        runtime: which.
        blob: the file.
        samples: by input name arrays.
        model: the Keras model of the file, so that the layer can be named.
        precision: of the file.
    """
    if proof.verdict not in (Verdict.WRONG, Verdict.REJECTED) or LOST in proof.reason:
        return proof
    try:
        # A file may have fewer axes than the model, for the same numbers.
        shapes = {tensor.name: tensor.shape[1:] for tensor in read_graph(blob).inputs}
        samples = {name: values.reshape(len(values), *shapes[name]) for name, values in samples.items()}
        found = find_culprit(blob, runtime, samples=samples, model=model)
        if found is None and proof.verdict is Verdict.WRONG and precision != "float32":
            return replace(proof, reason=proof.reason + AS_THE_FILE)
    except Exception as error:  # whatever it is: the file is there all the same, and the report says so
        found = f"The operator that it begins at could not be looked for ({type(error).__name__}: {error})"
    return replace(proof, reason=f"{proof.reason.rstrip('. ')}. {found}") if found else proof


def _shortest(file, fails):
    """How many operators the shortest beginning of a file has that fails; None if none does."""
    right, wrong = 0, len(_steps(file.main))
    if not fails(beginning(file, wrong)):
        return None
    while wrong - right > 1:
        middle = (right + wrong) // 2
        right, wrong = (right, middle) if fails(beginning(file, middle)) else (middle, wrong)
    return wrong


def beginning(file, count, outputs=None):
    """The first `count` operators of an `edit.File` as the bytes of a file, with the constants that they read.

    It gives what the others read, or the tensors `outputs`.

    Given:   x -> a -> b -> c -> y, where c reads a, too
    Result:  (of 2) x -> a -> b; a and b are the outputs
    """
    main = file.main
    steps = _steps(main)
    chosen, rest = set(steps[:count]), steps[count:]
    read = {tensor for operator in rest for tensor in operator.inputs} | set(main.outputs)
    if outputs is None:
        outputs = [tensor for operator in steps[:count] for tensor in operator.outputs if tensor in read]
    operators = [
        op for op in main.operators if op in chosen or (_is_constant(op) and not chosen.isdisjoint(op.output.readers))
    ]
    part = Graph(main.name, main.inputs, outputs, operators)
    # Inputs keep their names; of what the file has in its middle several tensors may have one.
    signature = Signature("", part, _named_inputs(file), _numbered(outputs))
    return File([part, *called_by([part])[1:]], [signature], tensors=file.tensors).write()


def _named_inputs(file):
    inputs = next((each.inputs for each in file.signatures if each.graph is file.main), None)
    return inputs or {tensor.name: tensor for tensor in file.main.inputs}


def _handed_over(part):
    """The same part, its outputs such as every runtime gives."""
    file = edit.read(part)
    real_outputs(file.main)
    return file.write()


def _steps(graph):
    """The operators to blame one of."""
    return [operator for operator in graph.operators if not _is_constant(operator)]


def _is_constant(operator):
    """Whether it is the float form of a constant that is stored in fewer bits, which no runtime computes."""
    return operator.name == "DEQUANTIZE" and operator.inputs[0].constant


def _numbered(tensors):
    return {str(number): tensor for number, tensor in enumerate(tensors)}


def _seen(operator, deep=True):
    """An operator with what a remedy depends on; those before it without what is before them."""
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    return Seen(
        name=operator.name,
        options=operator.options,
        inputs=tuple(map(id, inputs)),
        shapes=tuple(tensor.shape for tensor in inputs),
        dtypes=tuple(tensor.dtype for tensor in inputs),
        outputs=tuple(tensor.shape for tensor in operator.outputs),
        constants={
            place: tensor.values.reshape(-1) if tensor.dtype == "int32" else None
            for place, tensor in enumerate(inputs)
            if tensor.constant
        },
        made_by=tuple(
            _seen(tensor.maker, deep=False) if deep and tensor.maker is not None else None for tensor in inputs
        ),
    )
