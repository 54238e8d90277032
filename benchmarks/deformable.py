"""Deformable convolution: its training against a plain convolution's, its file against a plain gather."""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks import timing
from keraslayers import DeformableConv2D, deform_conv2d, export

TITLE = "Deformable convolution, 3x3"
COLUMNS = ("what", "shape", "ms", "ratio", "to", "operators", "gpu")
NOTE = (
    "Training: forward and backward to inputs, offsets and kernel, normal offsets of a pixel, against `Conv2D` of the "
    "same shapes, each under tf.function or XLA, whichever is faster, on all cores. Files: the form with gathers "
    "against the bounded forms that export makes of `max_offset` R. gpu: the verdict of LiteRT's GPU accelerator."
)
TRAINED = [(1, 56, 64), (8, 28, 64), (8, 14, 256)]
ROUNDS = 25


def rows():
    for batch, size, channels in TRAINED:
        shape = f"{batch}x{size}x{size}x{channels}"
        times = training(batch, size, channels)
        best = {what: min((n for n in times if n.startswith(what)), key=lambda n: np.median(times[n])) for what in WAYS}
        ratio = statistics.median(times[best["deformable"]] / times[best["plain"]])
        yield "training", shape, f"{np.median(times[best['deformable']]):.1f}", f"{ratio:.1f}", "Conv2D", "", ""
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


WAYS = {"plain": plain, "deformable": deformable}


def training(batch, size, channels):
    """Milliseconds of forward and backward, by way and compiler, round by round."""
    random = np.random.default_rng(0)
    shapes = [(batch, size, size, channels), (batch, size, size, 18), (3, 3, channels, channels)]
    tensors = [tf.constant(random.normal(size=shape), "float32") for shape in shapes]

    def step(way):
        def run(*tensors):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                outputs = way(*tensors)
            return [gradient for gradient in tape.gradient(outputs, tensors) if gradient is not None]

        return run

    steps = {
        f"{name} {compiler}": tf.function(step(way), jit_compile=compiler == "XLA")
        for name, way in WAYS.items()
        for compiler in ("function", "XLA")
    }
    times = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, run in steps.items():
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
