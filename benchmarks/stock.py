"""Our files against those that the stock tools make of the same models.

The ways to export are timed in turn, in one process for each network and precision; the files then run side by side.
What has been made is kept in benchmarks/files, with what that took and the verdicts, and is not made again:
`python -m benchmarks.stock NETWORK...` makes that much of it.
"""

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import threading
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
    "the graph, ours and the stock file's. gpu: the verdicts of LiteRT's GPU accelerator. Export time: ours without "
    "the proof over the stock converter's, ours starting its own process anew each time; the median of three where "
    "each takes less than 20 seconds. Memory: the most that this process and its children hold in the first export; "
    "stock's comes first."
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
SAMPLES = 8
SECONDS = 10.0
# Exports that take less than so many seconds are timed more than once.
SOON = 20.0
ROUNDS = 3


def rows():
    rates = {precision: timing.rate(precision) for precision in PRECISIONS}
    for name in NETWORKS:
        yield from measure(name, make(name), rates)


def make(name):
    """Exports a network in every way; returns by (way, precision) what that took, and the verdicts."""
    FILES.mkdir(exist_ok=True)
    made = {}
    for precision in PRECISIONS:
        told = FILES / f"{name}-{precision}.json"
        if not told.exists():
            command = [sys.executable, "-m", "benchmarks.stock", "--child", name, precision]
            done = subprocess.run(command, cwd=FILES.parent.parent, stdout=subprocess.PIPE, text=True, check=True)
            told.write_text(done.stdout.splitlines()[-1] + "\n")
        made |= {(way, precision): facts for way, facts in json.loads(told.read_text()).items()}
    return made


def file_of(name, way, precision):
    return FILES / f"{name}-{way}-{precision}.tflite"


def verdicts(report):
    """How many pieces XNNPACK took, and what the GPU accelerator said."""
    return {"pieces": report.proof("cpu").partitions, "gpu": str(report.proof("gpu").verdict)}


def measure(name, made, rates):
    """The rows of a network."""
    from keraslayers import models

    multiply_adds = models.spec(name).references[0].multiply_adds
    files = {key: file_of(name, *key).read_bytes() for key in made}
    times = timing.interleaved(files, seconds=SECONDS)
    on_two = timing.interleaved(files, seconds=SECONDS, threads=2)
    for way, precision in files:
        if way == "stock":
            continue
        mine, other = (way, precision), ("stock", precision)
        cost, stock_cost = made[mine], made[other]
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
            f"{statistics.median(cost['seconds']) / statistics.median(stock_cost['seconds']):.2f}",
            f"{cost['megabytes'] / stock_cost['megabytes']:.2f}",
        )


def network_and_samples(name):
    import keras

    from benchmarks.models import pictures, settle
    from keraslayers import models

    keras.utils.set_random_seed(0)
    model = models.create(name, classifier_activation=None)
    x = pictures(model.input_shape[1:], SAMPLES)
    settle(model, x)
    return model, x


def child(name, precision):
    """Exports a network in every way; returns by way the seconds and megabytes that it took, and the verdicts."""
    from keraslayers import export
    from keraslayers.export.convert import converter

    model, x = network_and_samples(name)
    ways = ("stock", "keras", "ours") if precision == "float32" else ("stock", "ours")
    took = {way: {"seconds": []} for way in ways}
    for _ in range(ROUNDS):
        for way, told in took.items():
            memory = Memory()
            start = time.perf_counter()
            WAYS[way](model, precision, x, str(file_of(name, way, precision)))
            told["seconds"].append(time.perf_counter() - start)
            told.setdefault("megabytes", memory.most())
            converter._stop()  # the next export is a first one, too
        if max(told["seconds"][0] for told in took.values()) > SOON:
            break
    # Ours is compared with the Keras model.
    took["ours"] |= verdicts(export.to_tflite(model, target="gpu", precision=precision, samples=x).report)
    for way in ways[:-1]:
        took[way] |= verdicts(export.prove(file_of(name, way, precision), ("cpu", "gpu")))
    return took


def ours(model, precision, samples, path):
    """Our export without the proof, which the others do not give."""
    from keraslayers import export
    from keraslayers.export import pipeline

    proof = mock.patch.object(pipeline, "_proven", return_value=())
    with proof, mock.patch("keraslayers.export.source.interface.Interface.predict", return_value={}):
        Path(path).write_bytes(export.to_tflite(model, target="gpu", precision=precision, samples=samples).tflite)


def stock(model, precision, samples, path):
    """What TensorFlow's converter makes of a model without us."""
    import keras
    import tensorflow as tf

    from keraslayers._quiet import quiet

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
        Path(path).write_bytes(converter.convert())


def keras_export(model, precision, samples, path):
    from keraslayers._quiet import quiet

    with quiet():
        model.export(path, format="litert", verbose=False)


WAYS = {"ours": ours, "stock": stock, "keras": keras_export}


class Memory:
    """The most megabytes that this process and its children hold at one time, looked at twenty times a second.

    Pages that several share, such as TensorFlow's code, count once.
    """

    def __init__(self):
        self._most, self._ended = 0, threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def _look(self):
        while not self._ended.wait(0.05):
            self._most = max(self._most, self._now())

    def _now(self):
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        total = 0
        for process in ("self", *children):
            # One that has just ended has none.
            with contextlib.suppress(OSError):
                told = Path(f"/proc/{process}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", told, re.MULTILINE)[1]) / 1024
        return total

    def most(self):
        """Ends the watch."""
        self._ended.set()
        self._watch.join()
        return self._most


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(*sys.argv[2:])))
    else:
        for network in track(sys.argv[1:] or NETWORKS, "exporting"):
            make(network)
