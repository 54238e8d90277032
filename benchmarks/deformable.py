"""Deformable convolution: its calls and training against a plain convolution's, its file against a plain gather."""

import itertools
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks import timing
from keraslayers import DeformableConv2D, deform_conv2d, export

TITLE = "Deformable convolution, 3x3"
COLUMNS = ("what", "shape", "ms or MB", "ratio", "to", "operators", "gpu")
NOTE = (
    "Forward: one call. Training: forward and backward to inputs, offsets and kernel. Both with normal offsets of a "
    "pixel, against `Conv2D` of the same shapes, each under tf.function or XLA, whichever is faster, on all cores; the "
    "one that is faster for the deformable form is named. Memory: what the peak of a fresh process rises by when it "
    "trains one step under tf.function. Files: the form with gathers against the bounded forms that export makes of "
    "`max_offset` R. gpu: the verdict of LiteRT's GPU accelerator. XNNPACK has no batched matrix product in int8, so "
    "that an int8 file computes that part in floats."
)
SHAPES = [(1, 56, 64), (8, 28, 64), (8, 14, 256)]
BATCHES = (8, 16, 32)
ROUNDS = 25


def rows():
    for kind, (batch, size, channels) in itertools.product(KINDS, SHAPES):
        times = measured(kind, batch, size, channels)
        best = {
            way: min((name for name in times if name[0] == way), key=lambda name: np.median(times[name]))
            for way in WAYS
        }
        for way in list(WAYS)[1:]:
            ratio = statistics.median(times[best[way]] / times[best["plain"]])
            milliseconds = np.median(times[best[way]])
            what, shape = f"{kind}, {way}, {best[way][1]}", f"{batch}x{size}x{size}x{channels}"
            yield what, shape, f"{milliseconds:.1f}", f"{ratio:.1f}", "Conv2D", "", ""
    for way in list(WAYS)[1:]:
        peaks = {batch: memory(way, batch) for batch in BATCHES}
        for batch, peak in peaks.items():
            shape, first = f"{batch}x28x28x64", peaks[BATCHES[0]]
            yield f"memory, {way}", shape, f"{peak:.0f}", f"{peak / first:.1f}", f"a batch of {BATCHES[0]}", "", ""
    made = dict(files())
    times = timing.interleaved({name: artifact.tflite for name, artifact in made.items()}, seconds=8.0)
    for name, artifact in made.items():
        verdict = str(artifact.report.proof("gpu").verdict)
        ratio = f"{timing.ratio(times, name, 'gathers float32'):.2f}"
        operators = str(sum(artifact.report.operators.values()))
        yield name, "1x28x28x64", f"{np.median(times[name]):.2f}", ratio, "gathers float32", operators, verdict


def plain(x, offsets, kernel):
    return keras.ops.conv(x, kernel, 1, "same", "channels_last")


def deformable(x, offsets, kernel):
    return deform_conv2d(x, offsets, kernel, padding="same")


def bounded(x, offsets, kernel):
    return deform_conv2d(x, offsets, kernel, padding="same", max_offset=2)


WAYS = {"plain": plain, "unbounded": deformable, "max_offset=2": bounded}


def tensors_of(batch, size, channels):
    random = np.random.default_rng(0)
    shapes = [(batch, size, size, channels), (batch, size, size, 18), (3, 3, channels, channels)]
    return [tf.constant(random.normal(size=shape), "float32") for shape in shapes]


def forward(way):
    """One call, as a function of tensors that gives a list."""
    return lambda *tensors: [way(*tensors)]


def training(way):
    """Forward and backward, as a function of tensors that gives their gradients."""

    def run(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs = way(*tensors)
        return [gradient for gradient in tape.gradient(outputs, tensors) if gradient is not None]

    return run


KINDS = {"forward": forward, "training": training}


def memory(way, batch):
    """Megabytes that a fresh process needs for a step."""
    command = [sys.executable, "-c", f"from benchmarks import deformable; deformable.print_peak({way!r}, {batch})"]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def print_peak(way, batch):
    run = tf.function(training(WAYS[way]))
    run(*tensors_of(1, 28, 64))
    tensors = tensors_of(batch, 28, 64)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew: the highest so far was TensorFlow's own start
    before = resident("VmRSS")
    run(*tensors)
    print(resident("VmHWM") - before)


def resident(entry):
    """Megabytes, from the kernel's account of this process."""
    return int(re.search(rf"{entry}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


def measured(kind, batch, size, channels):
    """Milliseconds of a kind of run, by (way, compiler), round by round."""
    tensors = tensors_of(batch, size, channels)
    runs = {
        (name, compiler): tf.function(KINDS[kind](way), jit_compile=compiler == "XLA")
        for name, way in WAYS.items()
        for compiler in ("tf.function", "XLA")
    }
    times = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            before = time.perf_counter()
            run(*tensors)[0].numpy()
            times[name].append(1000 * (time.perf_counter() - before))
    return {name: np.array(values[3:]) for name, values in times.items()}  # the first rounds compile


def files():
    random = np.random.default_rng(0)
    samples = random.normal(size=(16, 28, 28, 64)).astype("float32")
    for reach in (None, 1, 2):
        keras.utils.set_random_seed(0)
        image = keras.Input((28, 28, 64), name="image")
        layer = DeformableConv2D(64, 3, padding="same", max_offset=reach, offset_initializer="glorot_normal")
        model = keras.Model(image, layer(image), name="deformable")
        for precision in ("float32", "int8") if reach else ("float32",):
            name = f"bounded {reach} {precision}" if reach else "gathers float32"
            yield name, export.to_tflite(model, target="gpu", precision=precision, samples=samples)
