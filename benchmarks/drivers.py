"""Which software driver proves a file sooner on the GPU: Chromium's SwiftShader, or Mesa's lavapipe."""

import shutil
import tempfile
import time
from unittest import mock

import keras

from benchmarks.models import pictures, settle
from keraslayers import export, models
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import child, gpu, lavapipe

TITLE = "Software drivers of GPUs"
COLUMNS = ("network", "driver", "floats", "first run, s", "later run, s", "ratio of later", "ms a call", "answer")
NOTE = (
    "Seconds of a process that loads a float32 file of 64 x 64 pixels and runs it once: the first run of a shader on a "
    "machine, and one whose shaders were compiled before. Lavapipe keeps what it compiled, which LLVM does slowly; "
    "SwiftShader keeps nothing. Without a GPU, proof in 32 bits takes SwiftShader where it is: nobody waits for the "
    "first run. Lavapipe narrow: vectors of 128 bits, as proof asks for; wide: the widest that the processor has, as "
    "it does by itself. Ratio: to SwiftShader's later run. Both take the same operators."
)
NETWORKS = ("mobilenet_v2", "efficientnet_b0", "shufflenet_v2")
SIDE = 64
SWIFTSHADER, NARROW, WIDE = "SwiftShader", "lavapipe, narrow", "lavapipe, wide"
WAYS = ((SWIFTSHADER, 32), (NARROW, 32), (WIDE, 32), (NARROW, 16), (WIDE, 16))


def rows():
    for name in NETWORKS:
        keras.utils.set_random_seed(0)
        model = models.create(name, input_shape=(SIDE, SIDE, 3), classes=10)
        x = pictures((SIDE, SIDE, 3), 2)
        settle(model, x)
        blob = export.to_tflite(model, target="gpu-fp32", samples=x).tflite
        graph = read_graph(blob)
        inputs = {graph.inputs[0].name: x[:, None]}
        floor = None
        for driver, floats in WAYS:
            first, later, outcome = _runs(_environment(driver), floats, blob, graph, inputs)
            floor = floor or later
            answer = outcome.reason or "it computes"
            call = "" if outcome.latency_ms is None else f"{outcome.latency_ms:.1f}"
            ratio = f"{later / floor:.2f}" if floats == 32 else ""
            yield f"`{name}`", driver, str(floats), f"{first:.1f}", f"{later:.1f}", ratio, call, answer
        keras.backend.clear_session()


def _environment(driver):
    found = gpu._environment([lavapipe.manifest()])
    if driver == SWIFTSHADER:
        found = gpu._environment([next(manifest for manifest in gpu.SWIFTSHADER if manifest.exists())])
    if driver == WIDE:
        del found["LP_NATIVE_VECTOR_WIDTH"]
    return found


def _runs(environment, floats, blob, graph, inputs):
    """(Seconds of the first run, of a later one, what came of it), the driver knowing nothing before."""
    kept = tempfile.mkdtemp()
    try:
        environment = {**environment, "MESA_SHADER_CACHE_DIR": kept}
        seconds = []
        for _ in range(2):
            with mock.patch.object(child, "TIMED", 0.0):
                before = time.monotonic()
                gpu.run_in(floats, [environment], blob, graph, inputs, "")
                seconds.append(time.monotonic() - before)
        return *seconds, gpu.run_in(floats, [environment], blob, graph, inputs, "")
    finally:
        shutil.rmtree(kept)
