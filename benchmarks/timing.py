"""Times .tflite files side by side on LiteRT's CPU runtime, as an app on one thread runs them."""

import random
import statistics
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def interleaved(files, seconds=4.0, threads=1):
    """Runs the files in turn, so that a change of the machine's speed meets all of them.

    The order is another one in each round: a file pays for what the one before it threw out of the caches.

    Args:
        files: bytes by name.
        seconds: how long in all.
        threads: of the runtime.

    Returns:
        By name an array of milliseconds, one a round; the rounds pair up.
    """
    calls = {}
    for name, blob in files.items():
        interpreter = Interpreter(model_content=blob, num_threads=threads)
        interpreter.allocate_tensors()
        for entry in interpreter.get_input_details():
            values = np.random.default_rng(0).uniform(0, 1, entry["shape"])
            interpreter.set_tensor(entry["index"], values.astype(entry["dtype"]))
        calls[name] = interpreter.invoke
        calls[name]()
    times = {name: [] for name in files}
    order = list(calls)
    shuffle = random.Random(0).shuffle
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[order[0]]) < 5:
        shuffle(order)
        for name in order:
            before = time.perf_counter()
            calls[name]()
            times[name].append(1000 * (time.perf_counter() - before))
    return {name: np.array(values) for name, values in times.items()}


def ratio(times, name, to):
    """Median over the rounds of one file's time over another's in the same round."""
    return statistics.median(times[name] / times[to])


def rate(precision, size=56, channels=256):
    """Multiply-adds per second of a large 1x1 convolution: what this runtime can do on this machine at best."""
    import keras

    from keraslayers import export

    image = keras.Input((size, size, channels), name="image")
    model = keras.Model(image, keras.layers.Conv2D(channels, 1)(image), name="floor")
    samples = np.random.default_rng(0).uniform(0, 1, (4, size, size, channels)).astype("float32")
    io = "int8" if precision == "int8" else "float32"
    blob = export.to_tflite(model, precision=precision, samples=samples, io=io).tflite
    milliseconds = np.median(interleaved({"floor": blob}, seconds=1.0)["floor"])
    return size * size * channels * channels / milliseconds * 1000
