"""The child process: loads a .tflite file into one runtime, runs it, writes outputs and figures.

Started by file name, so that it imports neither keraslayers nor TensorFlow: `worker.py FOLDER`.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np


def main(folder):
    folder = Path(folder)
    request = json.loads((folder / "request.json").read_text())
    with np.load(folder / "inputs.npz", allow_pickle=False) as stored:
        inputs = [stored[f"arr_{i}"] for i in range(len(request["inputs"]))]
    load = {"interpreter": load_interpreter, "gpu": load_gpu}[request["kind"]]
    try:
        call, figures = load(str(folder / "model.tflite"), request, **request["options"])
        calls = [call(values) for values in zip(*inputs, strict=True)]
        outputs = [np.stack(values) for values in zip(*calls, strict=True)]
        first = [values[0] for values in inputs]
        figures["latency_ms"] = latency(lambda: call(first))
    except (RuntimeError, ValueError) as error:  # what LiteRT raises when it refuses a file
        answer = {"error": str(error).strip()}
    else:
        np.savez(folder / "outputs.npz", *outputs)
        answer = figures
    # Written last: a folder without it means that the process died.
    (folder / "answer.json").write_text(json.dumps(answer))


def latency(call, seconds=0.5, most=100):
    """Median milliseconds of a call, after the calls that made the outputs have warmed it up."""
    times = []
    start = time.perf_counter()
    while len(times) < 3 or (len(times) < most and time.perf_counter() - start < seconds):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times)


def load_interpreter(path, request, delegates, threads):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.AUTO if delegates else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(path, num_threads=threads, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()

    def call(values):
        for (_, index), value in zip(request["inputs"], values, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for _, index, _, _ in request["outputs"]]

    nodes = interpreter._get_ops_details()
    pieces = [node for node in nodes if node["op_name"] == "DELEGATE"]
    nodes = [node for node in nodes if node["op_name"] != "DELEGATE"]
    figures = {
        "operators": len(nodes),
        "delegated": len(taken(nodes, pieces)),
        "partitions": len(pieces),
        "device": f"XNNPACK, {threads} thread" if delegates else "built-in kernels",
    }
    return call, figures


def taken(nodes, pieces):
    """Indices of the nodes inside the pieces: all that lies between a piece's outputs and its inputs."""
    maker = {tensor: i for i, node in enumerate(nodes) for tensor in node["outputs"]}
    inside = set()
    for piece in pieces:
        border = set(piece["inputs"])
        waiting = list(piece["outputs"])
        while waiting:
            tensor = waiting.pop()
            node = maker.get(tensor)
            if node is not None and node not in inside and tensor not in border:
                inside.add(node)
                waiting.extend(nodes[node]["inputs"])
    return inside


def load_gpu(path, request, enforce_f32):
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import GpuOptions, Options

    # GPU alone: with CPU beside it a file counts as fully accelerated though nothing runs on the GPU.
    model = CompiledModel.from_file(
        path,
        options=Options(
            hardware_accelerators=HardwareAccelerator.GPU,
            gpu_options=GpuOptions(enforce_f32=enforce_f32),
        ),
    )
    if not model.is_fully_accelerated():
        raise RuntimeError("some operators do not run on the GPU")
    signature = model.get_signature_by_index(0)
    buffers_in = dict(zip(signature["inputs"], model.create_input_buffers(0), strict=True))
    buffers_out = dict(zip(signature["outputs"], model.create_output_buffers(0), strict=True))

    def call(values):
        for (name, _), value in zip(request["inputs"], values, strict=True):
            buffers_in[name].write(np.ascontiguousarray(value))
        model.run_by_index(0, list(buffers_in.values()), list(buffers_out.values()))
        results = []
        for name, _, shape, dtype in request["outputs"]:
            count = int(np.prod(shape))
            results.append(np.array(buffers_out[name].read(count, np.dtype(dtype).type)).reshape(shape))
        return results

    return call, {}


if __name__ == "__main__":
    main(sys.argv[1])
