"""Two files of one network side by side, layer by layer; neither Keras nor TensorFlow is needed."""

from __future__ import annotations

import pathlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from keraslayers._hints import File, Path, Samples
from keraslayers.export.file import edit, files
from keraslayers.export.file.graph import ENDS, Tensor
from keraslayers.export.file.tensor_names import layers_along, place
from keraslayers.export.measures import snr_db
from keraslayers.export.progress import step
from keraslayers.export.proof.proof import agreement, calls_of, values_of
from keraslayers.export.prove_file import opened, samples_for
from keraslayers.export.report import node_data
from keraslayers.export.runtimes import cpu

# Of so many samples all that layers give is held.
FEW = 4
NUMBERS = ("float32", "int8", "int16", "uint8")


@dataclass(frozen=True)
class Layer:
    """What a layer is in both files.

    Attributes:
        layer: its name, as tensors tell it.
        operators: by each file how often each operator stands in it; empty where it has none.
        sizes: bytes of its weights in each file; None where it has no such layer.
        snr_db: signal of what it gives in the first file over its difference in the second, in decibels; None if it
            was not compared, infinity if it is equal.
        tensors: names of the tensors in which it gives that, in each file; None where it was not compared.
    """

    layer: str
    operators: tuple[dict[str, int], dict[str, int]]
    sizes: tuple[int | None, int | None]
    snr_db: float | None
    tensors: tuple[str | None, str | None]


@dataclass(frozen=True)
class Comparison:
    """Two files side by side.

    Attributes:
        names: of the files.
        sizes: their bytes.
        operators, partitions: how many operators each has, and in how many pieces XNNPACK takes them.
        latencies_ms: median milliseconds of a call on this host, on one thread.
        samples: how many were run.
        outputs: by the first file's names signal over difference in decibels; infinity if equal.
        agreement: part of the samples with the same largest class; None without class scores.
        layers: a `Layer` each, in the first file's order; those of the second alone come last.
        graph: name of the second file's graph.
    """

    names: tuple[str, str]
    sizes: tuple[int, int]
    operators: tuple[int, int]
    partitions: tuple[int, int]
    latencies_ms: tuple[float, float]
    samples: int
    outputs: dict[str, float]
    agreement: float | None
    layers: tuple[Layer, ...]
    graph: str

    def save_node_data(self, path: Path) -> pathlib.Path:
        """Writes the decibels of layers for Model Explorer, which colors the nodes of the second file by them.

        Open that file in Model Explorer and upload this one as custom node data. 200 stands for equal numbers.

        Args:
            path: of the .json file.

        Returns:
            The path.

        Raises:
            OSError: if it cannot be written.
            ValueError: if it does not end in .json.
        """
        who = "save_node_data"
        path = files.writable(who, "path", path, ".json")
        values = {row.tensors[1]: row.snr_db for row in self.layers if row.snr_db is not None}
        data = node_data.decibels(f"dB beside {self.names[0]}", values)
        files.write({path: node_data.text(self.graph, data)})
        return path

    def __str__(self) -> str:
        from keraslayers.export.report import tables

        return tables.to_text(tables.of_comparison(self))


def compare(first: File, second: File, samples: Samples | None = None) -> Comparison:
    """Runs two files of one network on the same inputs and compares them, whole and layer by layer.

    Layers are found by the names of tensors, which converters keep; what the second file gives is measured against the
    first. How long single layers take LiteRT does not tell Python; a call as a whole is timed, on this host's CPU.

    Args:
        first, second: paths of .tflite files, or their bytes.
        samples: inputs of the first file, as in `prove`; made up from a fixed seed by default.

    Returns:
        A `Comparison`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if one is no TFLite file, their inputs or outputs are not alike, or samples do not fit.
        RuntimeError: if LiteRT does not run one of them on the CPU.
    """
    who = "compare"
    both = [opened(who, file) for file in (first, second)]
    (_, _, ours), (_, _, theirs) = both
    given = samples_for(who, ours, samples)
    pairs = _paired(who, "input", ours.inputs, theirs.inputs)
    # Integers of the first file's scale stand for numbers, which the second may hold otherwise.
    numbers = {t.name: t.dequantize(t.quantize(given[t.name])) if t.scale is not None else given[t.name] for t in pairs}
    other = {pairs[t].name: _as(pairs[t], numbers[t.name]) for t in pairs}
    outcomes, found = [], []
    for (blob, name, graph), x in zip(both, (given, other), strict=True):
        inputs, count = calls_of(x, graph)
        with step(f"running {name}"):
            outcome = cpu.run(blob, graph, inputs)
        if outcome.outputs is None:
            raise RuntimeError(f"`{who}`: LiteRT does not run {name!r} on the CPU: {outcome.reason}.")
        outcomes.append(outcome)
        found.append(values_of(outcome.outputs, graph, count))
    outputs = _paired(who, "output", ours.outputs, theirs.outputs)
    count = min(len(found[0][t.name]) for t in outputs)
    wanted, got = {}, {}
    for mine, its in outputs.items():
        wanted[mine.name] = found[0][mine.name][:count]
        got[mine.name] = found[1][its.name][:count].reshape(wanted[mine.name].shape)
    parsed = [edit.read(blob) for blob, _, _ in both]
    return Comparison(
        names=tuple(name for _, name, _ in both),
        sizes=tuple(len(blob) for blob, _, _ in both),
        operators=tuple(graph.total for _, _, graph in both),
        partitions=tuple(outcome.partitions for outcome in outcomes),
        latencies_ms=tuple(outcome.latency_ms for outcome in outcomes),
        samples=count,
        outputs={name: _decibels(wanted[name], got[name]) for name in wanted},
        agreement=agreement(wanted, got),
        layers=_layers(both, parsed, (given, other)),
        graph=(parsed[1].main.name or b"").decode(errors="replace"),
    )


def _paired(who, side, ours, theirs):
    """The second file's tensors by the first's: by their names, else in their order."""
    if {t.name for t in ours} == {t.name for t in theirs}:
        by_name = {t.name: t for t in theirs}
        pairs = {t: by_name[t.name] for t in ours}
    else:
        pairs = dict(zip(ours, theirs, strict=False))
    alike = len(ours) == len(theirs) and all(np.prod(a.shape[1:]) == np.prod(b.shape[1:]) for a, b in pairs.items())
    if not alike:
        told = [", ".join(f"`{t.name}` {list(t.shape)}" for t in tensors) for tensors in (ours, theirs)]
        raise ValueError(
            f"`{who}`: the files must have the same {side}s; the first has {told[0]}, the second {told[1]}."
        )
    return pairs


def _as(tensor, values):
    """Values in the shape of another file's input, integers of a scale as the numbers that they stand for."""
    values = np.reshape(values, (len(values), *tensor.shape[1:]))
    return values.astype("float32" if tensor.scale is not None else tensor.dtype)


def _layers(both, parsed, samples):
    kinds, sizes, values = [], [], []
    for (blob, name, graph), file, x in zip(both, parsed, samples, strict=True):
        by_layer = {}
        for made in graph.computed:
            by_layer.setdefault(place(made.tensor), Counter())[made.operator] += 1
        kinds.append(by_layer)
        sizes.append(layers_along(graph, place))
        with step(f"what the layers of {name} give"):
            values.append(_values(blob, file, graph, {key: each[:FEW] for key, each in x.items()}))
    rows = []
    for layer in dict.fromkeys([*kinds[0], *kinds[1]]):
        held = [each[layer] for each in values if layer in each]
        comparable = len(held) == 2 and held[0][1].size == held[1][1].size
        (first, one), (second, other) = held if comparable else [(None, None)] * 2
        rows.append(
            Layer(
                layer,
                tuple(dict(each.get(layer, {})) for each in kinds),
                tuple(each.get(layer) for each in sizes),
                _decibels(one.reshape(len(one), -1), other.reshape(len(one), -1)) if comparable else None,
                (first, second),
            )
        )
    return tuple(rows)


def _values(blob, file, graph, samples):
    """By layer the name of the tensor that its last operator gives, and its values, as far as these are numbers."""
    numbers = {tensor: number for number, tensor in enumerate(file.tensors)}
    last = {}
    for operator in file.main.operators:
        tensor = operator.outputs[0] if operator.outputs else None
        if tensor is None or operator.name in ENDS or tensor.dtype not in NUMBERS or tensor not in numbers:
            continue
        if tensor.dtype == "float32" or tensor.scale is not None:
            last[place(tensor.name)] = tensor
    wanted = [
        Tensor(layer, numbers[t], tuple(max(1, size) for size in t.shape), t.dtype, t.scale, t.zero_point)
        for layer, t in last.items()
    ]
    inputs, count = calls_of(samples, graph)
    outcome = cpu.values(blob, graph, inputs, wanted)
    if outcome.outputs is None:  # built-in kernels lack some; then files are compared whole
        return {}
    found = values_of(outcome.outputs, replace(graph, outputs=tuple(wanted)), count)
    return {layer: (last[layer].name, each) for layer, each in found.items()}


def _decibels(wanted, got):
    snr = snr_db(wanted, got)
    return float("inf") if snr is None else snr
