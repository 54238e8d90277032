"""The child process: loads a .tflite file into one runtime, runs it, writes outputs and figures.

Started by file name, so that it imports neither keraslayers nor TensorFlow: `worker.py FOLDER`.
"""

import json
import os
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np


def main(folder):
    folder = Path(folder)
    request = json.loads((folder / "request.json").read_text())
    with np.load(folder / "inputs.npz", allow_pickle=False) as stored:
        inputs = [stored[f"arr_{i}"] for i in range(len(request["inputs"]))]
    load = {"interpreter": load_interpreter, "gpu": load_gpu, "micro": load_micro}[request["kind"]]
    try:
        call, figures = load(str(folder / "model.tflite"), request, **request["options"])
        calls, times = [], []
        for values in zip(*inputs, strict=True):
            before = time.perf_counter()
            calls.append(call(values))
            times.append(time.perf_counter() - before)
        outputs = [np.stack(values) for values in zip(*calls, strict=True)]
        if request["options"].get("delegates", True):  # nobody asks how long the reference takes
            first = [values[0] for values in inputs]
            figures["latency_ms"] = latency(lambda: call(first), times[1:])
    except (RuntimeError, ValueError) as error:  # what a runtime raises when it refuses a file
        answer = {"error": str(error).strip()}
    else:
        np.savez(folder / "outputs.npz", *outputs)
        answer = figures
    # Written last: a folder without it means that the process died.
    (folder / "answer.json").write_text(json.dumps(answer))


def latency(call, times, seconds=0.25, most=100):
    """Median milliseconds of a call: of those that made the outputs, but the first, and of more where these are few."""
    while not times or (len(times) < most and sum(times) < seconds):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times)


def load_interpreter(path, request, delegates, threads, plain=False):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.AUTO if delegates else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    if plain:
        resolver = OpResolverType.BUILTIN_REF
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
    inside = taken(nodes, pieces)
    names = {tensor["index"]: tensor["name"] for tensor in interpreter.get_tensor_details()}
    figures = {
        "operators": len(nodes),
        "delegated": len(inside),
        "left": dict(Counter(node["op_name"] for i, node in enumerate(nodes) if i not in inside)),
        "left_at": [[i, node["op_name"], names[node["outputs"][0]]] for i, node in enumerate(nodes) if i not in inside],
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


def load_micro(path, request, most, grain):
    from tflite_micro.python.tflite_micro import runtime

    blob = Path(path).read_bytes()
    size = smallest_arena(lambda size: runtime.Interpreter(blob, [], size), most, grain)
    # In the smallest arena, as a microcontroller runs it. Where none is enough, this one says why not.
    interpreter = runtime.Interpreter(blob, [], size or most)
    (main, *_) = runtime.convert_bytearray_to_object(blob).subgraphs
    place_in, place_out = list(main.inputs).index, list(main.outputs).index

    def call(values):
        for (_, index), value in zip(request["inputs"], values, strict=True):
            interpreter.set_input(value, place_in(index))
        interpreter.invoke()
        return [interpreter.get_output(place_out(index)) for _, index, _, _ in request["outputs"]]

    return call, {"arena_bytes": size, "operators": len(main.operators), "device": "reference kernels, 1 thread"}


def smallest_arena(start, most, grain):
    """The least memory, a multiple of `grain` bytes, in which `start(size)` succeeds; None if `most` is not enough.

    A size that is too small may kill the process, so each is tried in a copy of it.
    """

    def enough(size):
        copy = os.fork()
        if copy == 0:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            failed = True
            try:
                start(size)
                failed = False
            finally:
                os._exit(failed)
        return os.waitpid(copy, 0)[1] == 0

    if not enough(most):
        return None
    low, high = 0, most // grain
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle * grain) else (middle, high)
    return high * grain


if __name__ == "__main__":
    main(sys.argv[1])
