"""What rounding, pruning and clustering during training give: accuracy, size, compressed size, time."""

import statistics
import time
import warnings
import zlib

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from benchmarks import timing
from keraslayers import export
from keraslayers.export import optimize

TITLE = "Quantization-aware training, pruning and clustering"
COLUMNS = (
    "network",
    "trained as",
    "file",
    "accuracy in Keras",
    "of the file",
    "bytes",
    "zipped",
    "ms",
    "training step",
)
NOTE = (
    "A MobileNet of nine convolutions on scikit-learn's digits at 16x16: 1,400 to learn, 397 to test (one is 0.25 "
    "points). Each row but the first is trained on from what it is made of. Accuracy: in Keras, and of the file. "
    "Pruned: half of the weights zero; clustered: 16 different weights in a kernel; PQAT, CQAT and PCQAT: "
    "quantization-aware training that keeps zeros, clusters, both. The uneven network computes the same as the first "
    "one, with channels scaled by 1/16 to 16 before ReLU and back behind it: int8 has one scale for all channels of "
    "an activation. Zipped: deflate at level 9. Step: of training, its time over that of the float network, batches of "
    "64."
)
LEARN = 1400
EPOCHS, MORE = 20, 8
SPREAD = 16.0


def rows():
    x, y, x_test, y_test = digits()
    keras.utils.set_random_seed(0)
    floats = fit(network(), x, y, EPOCHS, 3e-3)
    even = {"float": floats}
    uneven = {"float": spread(floats)}
    even["QAT"] = fit(optimize.quantize_aware(floats, samples=x[:200]), x, y, MORE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of how much there is to regain
        uneven["QAT"] = fit(optimize.quantize_aware(uneven["float"], samples=x[:200]), x, y, EPOCHS, 3e-3)
    even["pruned"] = fit(optimize.prune(floats), x, y, MORE)
    even["clustered"] = fit(optimize.cluster(floats), x, y, MORE)
    even["pruned, clustered"] = fit(optimize.cluster(even["pruned"]), x, y, MORE)
    for name, source in (("PQAT", "pruned"), ("CQAT", "clustered"), ("PCQAT", "pruned, clustered")):
        even[name] = fit(optimize.quantize_aware(even[source], samples=x[:200]), x, y, MORE)
    rows, files = {}, {}
    for network_name, made in (("even", even), ("uneven", uneven)):
        for name, model in made.items():
            in_keras = accuracy(model.predict(x_test, verbose=0), y_test)
            for precision in ("float32", "int8") if name in ("float", "pruned") else ("int8",):
                key = network_name, name, precision
                files[key] = export.to_tflite(model, precision=precision, samples=x[:200], io=precision).tflite
                rows[key] = [in_keras, accuracy(run(files[key], x_test), y_test)]
    times = timing.interleaved(files, seconds=8.0)
    steps = step_times(even, x, y)  # which trains them on
    for key, accuracies in rows.items():
        network_name, name, precision = key
        step = steps[name] if network_name == "even" and precision == "int8" else None
        yield (
            *key,
            *(f"{100 * part:.1f} %" for part in accuracies),
            f"{len(files[key]):,}",
            f"{len(zlib.compress(files[key], 9)):,}",
            f"{np.median(times[key]):.3f}",
            f"{step:.2f}" if step else "",
        )


def digits():
    data = load_digits()
    images = np.kron(data.images, np.ones((2, 2)))[..., None].astype("float32") / 16
    return images[:LEARN], data.target[:LEARN], images[LEARN:], data.target[LEARN:]


def network():
    image = keras.Input((16, 16, 1), name="image")
    x = _norm(layers.Conv2D(32, 3, padding="same", use_bias=False)(image))
    for filters, strides in ((64, 2), (128, 1), (128, 2), (128, 1)):
        x = _norm(layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x))
        x = _norm(layers.Conv2D(filters, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, name="digit")(x), name="small_mobilenet")


def _norm(x):
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def spread(model):
    """The same function with channels of very different sizes between a pointwise convolution and a depthwise one."""
    made = keras.models.clone_model(model)
    made.set_weights(model.get_weights())
    random = np.random.default_rng(0)
    norm = None
    for layer in made.layers:
        if type(layer) is layers.DepthwiseConv2D:
            sizes = (SPREAD ** random.uniform(-1, 1, layer.kernel.shape[2])).astype("float32")
            norm.gamma.assign(norm.gamma * sizes)
            norm.beta.assign(norm.beta * sizes)
            layer.kernel.assign(layer.kernel / sizes[:, None])
        norm = layer if type(layer) is layers.BatchNormalization else norm
    return made


def fit(model, x, y, epochs, rate=1e-3):
    steps = epochs * -(-len(x) // 64)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)), loss)
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    return model


def step_times(models, x, y, rounds=30):
    """By name the median of a training step's time over the float model's in the same round."""
    times = {name: [] for name in models}
    for i in range(rounds + 2):
        for name, model in models.items():
            before = time.perf_counter()
            model.train_on_batch(x[:64], y[:64])
            if i > 1:  # the first ones are traced
                times[name].append(time.perf_counter() - before)
    ratios = {name: np.array(values) / np.array(times["float"]) for name, values in times.items()}
    return {name: statistics.median(values) for name, values in ratios.items()}


def accuracy(scores, y):
    return float(np.mean(np.argmax(np.asarray(scores), -1) == y))


def run(tflite, x):
    """A file's outputs, sample by sample."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = taken["quantization"]
    outputs = []
    for image in x:
        values = np.clip(np.round(image[None] / scale) + zero, -128, 127) if scale else image[None]
        interpreter.set_tensor(taken["index"], values.astype(taken["dtype"]))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(given["index"])[0].astype("float32"))
    return np.array(outputs)
