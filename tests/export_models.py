"""Small models for the export tests, with weights as training leaves them, and LiteRT's own runs of files."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers

import keraslayers
from keraslayers.export import passes
from keraslayers.export.runtimes import browser, gpu, micro

# Where the runtime is not installed these are skipped (conftest.py); `-m "not runtime"` leaves them out.
needs_gpu, needs_browser, needs_micro = (pytest.mark.runtime(module) for module in (gpu, browser, micro))


def as_converted(monkeypatch):
    """Files are what the converter makes of models: no pass before it, no rewrite behind it."""
    monkeypatch.setattr(passes, "PASSES", {})
    monkeypatch.setattr("keraslayers.export.rewrites.rewrite.REWRITES", {})


def enliven(model, seed=1):
    """Gives every weight a value, as training would: zeros and ones hide what is done with them.

    Biases are about 0.5, so that few units are dead: an activation that is always zero has no scale in int8.
    """
    random = np.random.default_rng(seed)
    for weight in model.weights:
        name = weight.path.split("/")[-1]
        if name.endswith(("bias", "beta", "moving_mean")):
            value = 0.5 + 0.2 * random.normal(size=weight.shape)
        elif name in ("gamma", "moving_variance"):
            value = random.uniform(0.5, 1.5, weight.shape)
        else:
            # Of a depthwise kernel each channel sums over its own window alone.
            summed = weight.shape[:2] if "depthwise" in weight.path else weight.shape[:-1]
            value = random.normal(size=weight.shape) / np.sqrt(max(1, np.prod(summed)))
        weight.assign(value)
    return model


def samples(count=24, shape=(8, 8, 3), seed=0):
    """Noise of another brightness in each sample: plain noise looks all the same to a network that averages."""
    random = np.random.default_rng(seed)
    brightness = random.normal(size=(count, *(1 for _ in shape)))
    return (brightness + random.normal(size=(count, *shape))).astype("float32")


def cnn(name="cnn"):
    """The parts of a mobile network; the wide Dense layer holds most of the weights."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = keraslayers.ReLU6(name="relu6")(x)
    x = keraslayers.ChannelShuffle(4, name="shuffle")(x)
    x = keraslayers.SqueezeExcite(name="squeeze_excite")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(512, activation="relu", name="wide")(x)
    x = layers.Dense(5, activation="softmax", name="classes")(x)
    model = enliven(keras.Model(image, x, name=name))
    kernel = model.get_layer("classes").kernel
    kernel.assign(2 * kernel)  # surer of its classes than numbers at random are
    return model


def dense(inputs=4, outputs=3, name="head"):
    """The smallest model worth exporting."""
    x = keras.Input((inputs,), name="x")
    return enliven(keras.Model(x, layers.Dense(outputs, name="y")(x), name=name))


def run_reference(tflite, **inputs):
    """Runs a file on LiteRT's reference kernels by its signature, call by call; returns the last call's raw outputs.

    The plain loops of the reference kernels share no code with XNNPACK, the GPU or this library.
    """
    interpreter = Interpreter(model_content=tflite, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    return interpreter.get_signature_runner()(**inputs)
