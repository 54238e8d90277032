"""Dynamic convolution: its training against a plain convolution's, its file with the sum and with the mixed kernel."""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks import timing
from keraslayers import DynamicConv2D, export
from keraslayers.export.passes import mix_kernels

TITLE = "Dynamic convolution of four kernels"
COLUMNS = ("what", "kernel", "ms", "ratio to Conv2D", "gpu")
NOTE = (
    "28x28 places, 64 channels to 64. Training: forward and backward of eight images to inputs and weights under "
    "tf.function, on all cores. Files, of one image: the sum of four convolutions, against one product with the mixed "
    "kernel, which export writes into float files for the CPU; both against `Conv2D` in the same precision. gpu: the "
    "verdict of LiteRT's GPU accelerator; how fast it is was not measured. In int8 products with a computed kernel are "
    "computed in floats, since XNNPACK has none in int8, and the file holds its kernels in floats, too."
)
SHAPE = (28, 28, 64)
KERNELS = (3, 1)
ROUNDS = 25


def rows():
    for kernel in KERNELS:
        times = training(kernel)
        ratio = statistics.median(times["DynamicConv2D"] / times["Conv2D"])
        name = f"{kernel}x{kernel}"
        yield "training", name, f"{np.median(times['DynamicConv2D']):.1f}", f"{ratio:.1f}", ""
        for precision in ("float32", "int8"):
            made = dict(files(kernel, precision))
            measured = timing.interleaved(made)
            for way in ("sum", "mixed"):
                ratio = timing.ratio(measured, way, "Conv2D")
                verdict = str(export.prove(made[way], "gpu").proof("gpu").verdict)
                yield f"{way}, {precision}", name, f"{np.median(measured[way]):.2f}", f"{ratio:.1f}", verdict


def training(kernel):
    """Milliseconds of forward and backward, by layer, round by round."""
    x = tf.constant(np.random.default_rng(0).normal(size=(8, *SHAPE)), "float32")

    def step(layer):
        @tf.function
        def run():
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = layer(x, training=True) if isinstance(layer, DynamicConv2D) else layer(x)
            return tape.gradient(outputs, [x, *layer.trainable_variables])

        return run

    steps = {type(layer).__name__: step(layer) for layer in made(kernel)}
    times = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, run in steps.items():
            before = time.perf_counter()
            run()[0].numpy()
            times[name].append(1000 * (time.perf_counter() - before))
    return {name: np.array(values[3:]) for name, values in times.items()}  # the first rounds compile


def made(kernel):
    """Both layers, built."""
    for layer in (keras.layers.Conv2D(64, kernel, padding="same"), DynamicConv2D(64, kernel, padding="same")):
        layer.build((None, *SHAPE))
        yield layer


def files(kernel, precision):
    samples = np.random.default_rng(0).normal(size=(16, *SHAPE)).astype("float32")
    plain, dynamic = made(kernel)
    for name, layer in (("Conv2D", plain), ("sum", dynamic), ("mixed", dynamic)):
        image = keras.Input(SHAPE, name="image")
        model = keras.Model(image, layer(image))
        if name == "mixed":
            model, _ = mix_kernels(model)
        # For the GPU export leaves the sum as it is.
        yield name, export.to_tflite(model, target="gpu", precision=precision, samples=samples, io=precision).tflite
