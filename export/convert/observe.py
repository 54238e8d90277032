"""What a file in floats computes on samples: what its integers are fitted to, `narrow_ranges` and `round_kernels`."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from keraslayers.export.file import edit
from keraslayers.export.file.graph import read_graph
from keraslayers.export.file.schema import schema
from keraslayers.export.proof.proof import calls_of
from keraslayers.export.runtimes.child import run_in_child

WORKER = Path(__file__).with_name("observe_worker.py")
# Of so many samples all is found out; of the others only how far numbers reach.
COUNTED = 32
# Samples may take as long as a conversion, in seconds.
TIME_LIMIT = 3600
# Kernels of more numbers, such as VGG's of 100 million, stay rounded to the nearest: they would take gigabytes.
MOST_NUMBERS = 2**24
# Threads of a matrix product wait for each other by spinning: where other work has a core, all cores come to a crawl.
THREADS = {"OPENBLAS_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 2))}
# Operators with a kernel, and the axis of its output channels.
KERNELS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Of an operator with a kernel.

    Attributes:
        rounded: its kernel in int8.
        steps: of each output channel, a 127th of its largest number; of nothing 1.
        moved: by how much that moves each output channel on the average.
    """

    rounded: np.ndarray
    steps: np.ndarray
    moved: np.ndarray


@dataclasses.dataclass(frozen=True)
class Observed:
    """Of a file in floats.

    Attributes:
        ranges: by the name of a tensor its (lowest, highest) number on all samples, zero among them.
        histograms: by the same how many of its numbers lie in each of equal parts of that range.
        part: of the samples, those whose numbers were counted.
        fitted: by the name of what an operator with a kernel makes its `Fitted`.
    """

    ranges: dict = dataclasses.field(default_factory=dict)
    histograms: dict = dataclasses.field(default_factory=dict)
    part: float = 1.0
    fitted: dict = dataclasses.field(default_factory=dict)


def observe(given, samples):
    """Runs a file in floats on samples.

    Args:
        given: its bytes.
        samples: by input name arrays of (samples, ...).

    Returns:
        An `Observed`; with nothing in it if the file does not run.
    """
    file, graph = edit.read(given), read_graph(given)
    numbers = {tensor: number for number, tensor in enumerate(file.tensors)}
    made = [*file.main.inputs, *(tensor for op in file.main.operators for tensor in op.outputs)]
    made = {numbers[tensor]: tensor.name for tensor in made if tensor in numbers and tensor.dtype == "float32"}
    count = len(next(iter(samples.values())))
    few = np.unique(np.linspace(0, count - 1, min(count, COUNTED)).round().astype(int))  # spread over all
    order = np.concatenate([few, np.setdiff1d(np.arange(count), few)])
    inputs, _ = calls_of({name: np.asarray(values)[order] for name, values in samples.items()}, graph)
    calls = len(next(iter(inputs.values())))
    kernels, places = {}, {}  # kernels of the same bytes are rounded alike
    for op in file.main.operators:
        x, kernel = op.inputs[:2] if op.name in KERNELS else (None, None)
        if x in numbers and kernel.values is not None and kernel.size <= MOST_NUMBERS:
            same = places.setdefault((op.name, kernel.shape, hash(kernel.values.tobytes())), numbers[kernel])
            kernels[op] = {"input": numbers[x], "kernel": numbers[kernel], "same": same, **_reads(op)}
    options = {"counted": -(-calls * len(few) // count), "made": list(made), "kernels": list(kernels.values())}
    plain = dataclasses.replace(graph, outputs=())
    outcome, _ = run_in_child(
        str(WORKER), given, plain, inputs, timed=False, environment=THREADS, options=options, patience=TIME_LIMIT
    )
    found = outcome.arrays
    if not found:
        return Observed()
    fitted = {
        op.output.name: Fitted(
            found[f"kernel {told['same']}"], found[f"steps {told['same']}"], found[f"moved {place}"].reshape(-1)
        )
        for place, (op, told) in enumerate(kernels.items())
    }
    return Observed(
        {name: tuple(map(float, found[f"reach {number}"])) for number, name in made.items()},
        {name: found[f"counts {number}"] for number, name in made.items()},
        len(few) / count,
        fitted,
    )


def _reads(op):
    """How an operator reads."""
    kernel, dense = op.inputs[1].shape, op.name == "FULLY_CONNECTED"
    return {
        "biased": len(op.inputs) > 2 and op.inputs[2] is not None,
        "depthwise": op.name == "DEPTHWISE_CONV_2D",
        "channels": kernel[-1],
        "size": (1, 1) if dense else kernel[1:3],
        "out": None if dense else op.output.shape[1:3],
        "strides": (1, 1) if dense else (op.options.strideH, op.options.strideW),
        "dilations": (1, 1) if dense else (op.options.dilationHFactor, op.options.dilationWFactor),
        "padded": not dense and op.options.padding == schema().Padding.SAME,
    }
