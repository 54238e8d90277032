"""Our files against those that the stock tools make of the same models.

Every export runs in a process of its own, for its time and the most memory it takes; the files then run side by side.
What has been made is kept in benchmarks/files, and what is there is not made again. `python -m benchmarks.stock`
makes the files and runs none: that can be done on a busy machine.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
from rich.progress import track

from benchmarks import timing

TITLE = "Export against the stock tools"
COLUMNS = (
    "network",
    "precision",
    "ms",
    "of stock's",
    "on two threads",
    "of float32's",
    "floors",
    "size of stock's",
    "pieces, stock",
    "gpu, stock",
    "export time of stock's",
    "memory of stock's",
)
NOTE = (
    "Stock is a bare `TFLiteConverter.from_keras_model` of the same model with a batch of 1 (`Optimize.DEFAULT` and "
    "the types or samples that the precision needs); `keras export` is `keras.Model.export(format='litert')`, which "
    "makes float32 files. Weights as `benchmarks.models.settle` leaves them. ms: our file, one thread. Of stock's: "
    "the ratio of ours to the stock file in the same round, below 1 is faster; the same on two threads. Of float32's: "
    "ours in that precision over ours in float32. Floors: our time over that of the network's multiply-adds at the "
    "rate of one large 1x1 convolution in that precision on the same runtime. Pieces: into how many parts XNNPACK cuts "
    "the graph, ours and the stock file's. gpu: the verdicts of LiteRT's GPU accelerator. Export time and the most "
    "memory taken meanwhile (this process and its children): ours without the proof, over the stock converter's."
)
FILES = Path(__file__).with_name("files")
NETWORKS = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "shufflenet_v2",
    "efficientnet_b0",
    "densenet121",
    "resnet50",
    "inception_v3",
    "xception",
)
PRECISIONS = ("float32", "float16", "int8")
WAYS = ("ours", "stock", "keras")
SAMPLES = 8
SECONDS = 20.0


def rows():
    rates = {precision: timing.rate(precision) for precision in PRECISIONS}
    for name in NETWORKS:
        made = make(name)
        yield from measure(name, made, rates)


def make(name):
    """Exports a network in every way; returns by (way, precision) what the export took and the verdicts."""
    from keraslayers import export

    FILES.mkdir(exist_ok=True)
    made = {}
    for precision in PRECISIONS:
        for way in WAYS:
            if way == "keras" and precision != "float32":
                continue
            path = FILES / f"{name}-{way}-{precision}.tflite"
            facts = path.with_suffix(".json")
            if not facts.exists():
                command = [sys.executable, "-m", "benchmarks.stock", "--child", name, way, precision, str(path)]
                done = subprocess.run(command, cwd=FILES.parent.parent, stdout=subprocess.PIPE, text=True, check=True)
                told = json.loads(done.stdout.splitlines()[-1])
                if way != "ours":  # that one is judged against the Keras model
                    told |= verdicts(export.prove(path, ("cpu", "gpu")))
                facts.write_text(json.dumps(told) + "\n")
            made[way, precision] = json.loads(facts.read_text())
    return made


def verdicts(report):
    """How many pieces XNNPACK took, and what the GPU accelerator said."""
    return {"pieces": report.proof("cpu").partitions, "gpu": str(report.proof("gpu").verdict)}


def measure(name, made, rates):
    """The rows of a network."""
    from keraslayers import models

    multiply_adds = models.spec(name).references[0].multiply_adds
    files = {key: (FILES / f"{name}-{'-'.join(key)}.tflite").read_bytes() for key in made}
    times = timing.interleaved(files, seconds=SECONDS)
    on_two = timing.interleaved(files, seconds=SECONDS, threads=2)
    for way, precision in files:
        if way == "stock":
            continue
        mine, other = (way, precision), ("stock", precision)
        milliseconds = float(np.median(times[mine]))
        yield (
            name if way == "ours" else f"{name}, keras export",
            precision,
            f"{milliseconds:.2f}",
            f"{timing.ratio(times, mine, other):.2f}",
            f"{timing.ratio(on_two, mine, other):.2f}",
            f"{timing.ratio(times, mine, ('ours', 'float32')):.2f}",
            f"{milliseconds / (1000 * multiply_adds / rates[precision]):.1f}",
            f"{len(files[mine]) / len(files[other]):.2f}",
            f"{made[mine]['pieces']}, {made[other]['pieces']}",
            f"{made[mine]['gpu']}, {made[other]['gpu']}",
            f"{made[mine]['seconds'] / made[other]['seconds']:.2f}",
            f"{made[mine]['megabytes'] / made[other]['megabytes']:.2f}",
        )


def child(name, way, precision, path):
    """Exports one model in one way; prints what that took."""
    import keras
    import tensorflow as tf

    from benchmarks.models import pictures, settle
    from keraslayers import export, models
    from keraslayers._quiet import quiet
    from keraslayers.export import pipeline

    keras.utils.set_random_seed(0)
    model = models.create(name, classifier_activation=None)
    x = pictures(model.input_shape[1:], SAMPLES)
    settle(model, x)
    answer = {}
    memory = _Memory()
    start = time.perf_counter()
    if way == "ours":
        # Without the proof, which the others do not give: it comes below.
        proof = mock.patch.object(pipeline, "prove_blob", return_value=())
        with proof, mock.patch("keraslayers.export.interface.Interface.predict", return_value={}):
            export.to_tflite(model, target="gpu", precision=precision, samples=x)
    elif way == "stock":
        Path(path).write_bytes(stock(tf, quiet, model, precision, x))
    else:
        with quiet():
            model.export(path, format="litert", verbose=False)
    answer |= {"seconds": time.perf_counter() - start, "megabytes": memory.most()}
    if way == "ours":
        made = export.to_tflite(model, target="gpu", precision=precision, samples=x)
        Path(path).write_bytes(made.tflite)
        answer |= verdicts(made.report)
    print(json.dumps(answer))


def stock(tf, quiet, model, precision, samples):
    """What TensorFlow's converter makes of a model without us."""
    import keras

    image = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="image")
    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: ([x[None]] for x in samples)
        return converter.convert()


class _Memory:
    """The most megabytes that this process and its children hold at one time, looked at twenty times a second."""

    def __init__(self):
        import threading

        self._start, self._most, self._ended = self._now(), 0, threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def _look(self):
        while not self._ended.wait(0.05):
            self._most = max(self._most, self._now())

    def _now(self):
        import os

        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        total = 0
        for process in ("self", *children):
            status = Path(f"/proc/{process}/status")
            found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
            total += int(found[1]) / 1024 if found else 0
        return total

    def most(self):
        """Ends the watch; returns the rise since its start."""
        self._ended.set()
        self._watch.join()
        return max(self._most - self._start, 1.0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        for network in track(NETWORKS, "exporting"):
            make(network)
