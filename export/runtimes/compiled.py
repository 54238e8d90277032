"""LiteRT's `CompiledModel`, the interface of apps that ask for an accelerator or for 16-bit floats."""

import base64
import functools
import importlib.util
from pathlib import Path

import numpy as np

NO_HALF = "it has no 16-bit floats"
# What XNNPACK does unless it is told otherwise, integers and products of weights in them, and that it is to compute in
# 16-bit floats whatever the processor does in these by itself.
DEFAULT, HALF = 1 | 2 | 8, 4


@functools.cache
def probe():
    """A file that makes 1 of 1 in 32-bit floats, and 0 in 16, which know nothing between 2048 and 2050."""
    from keraslayers.export.file.build import Builder
    from keraslayers.export.file.edit import File, Graph, Signature, Tensor

    x, large, y = (Tensor(name, (1, 4), "float32") for name in ("x", "large", "y"))
    graph = Graph("main", [x], [y], [])
    builder = Builder(graph)
    thousands = builder.constant(np.full(4, 2048, "float32"))
    builder.add("SUB", [builder.add("ADD", [x, thousands], large), thousands], y)
    file = File([graph], [Signature("serving_default", graph, {"x": x}, {"y": y})])
    return base64.b64encode(file.write()).decode()


def available():
    """Returns "" where LiteRT has what this needs, else what to install."""
    from keraslayers.export.runtimes import cpu

    if cpu.available() or importlib.util.find_spec("ai_edge_litert.options"):
        return cpu.available()
    return "the installed LiteRT is too old for this runtime: pip install --upgrade ai-edge-litert"


def load(path, inputs, outputs, gpu, floats, probe=None):
    """Loads a file, in the child; for the arguments and what is returned see `worker.py`.

    On the GPU alone or on the CPU, in floats of so many bits. With a probe, a file in base64, it must compute that in
    16: drivers and processors without them compute in others, and say nothing of it.
    """
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import CpuOptions, GpuOptions, Options

    # GPU alone: with CPU beside it a file counts as fully accelerated though nothing runs on the GPU.
    if gpu:
        chosen = {"gpu_options": GpuOptions(enforce_f32=floats == 32)}
    else:
        chosen = {"cpu_options": CpuOptions(num_threads=1, xnnpack_flags=DEFAULT | (HALF if floats == 16 else 0))}
    options = Options(hardware_accelerators=HardwareAccelerator.GPU if gpu else HardwareAccelerator.CPU, **chosen)
    if probe is not None:
        beside = Path(path).with_name("probe.tflite")
        beside.write_bytes(base64.b64decode(probe))
        model = CompiledModel.from_file(str(beside), options=options)
        (taken,), (given,) = model.create_input_buffers(0), model.create_output_buffers(0)
        taken.write(np.ones((1, 4), "float32"))
        model.run_by_index(0, [taken], [given])
        if np.any(given.read(4, np.float32)):
            raise RuntimeError(NO_HALF)
    model = CompiledModel.from_file(path, options=options)
    if gpu and not model.is_fully_accelerated():
        raise RuntimeError("some operators do not run on the GPU")
    signature = model.get_signature_by_index(0)
    buffers_in = dict(zip(signature["inputs"], model.create_input_buffers(0), strict=True))
    buffers_out = dict(zip(signature["outputs"], model.create_output_buffers(0), strict=True))

    def call(values):
        for (name, _), value in zip(inputs, values, strict=True):
            buffers_in[name].write(np.ascontiguousarray(value))
        model.run_by_index(0, list(buffers_in.values()), list(buffers_out.values()))
        results = []
        for name, _, shape, dtype in outputs:
            count = int(np.prod(shape))
            results.append(np.array(buffers_out[name].read(count, np.dtype(dtype).type)).reshape(shape))
        return results

    return call, {}
