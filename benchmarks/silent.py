"""A file that fails without saying so: one trained network in int8, from the stock converter and from `to_tflite`."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

from keraslayers import export
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import RUNTIMES

TITLE = "A file that fails without saying so"
COLUMNS = ("file", "runtime", "operators taken", "verdict", "right of 397 digits", "in Keras")
NOTE = (
    "One network with squeeze-and-excitation of Dense layers, as most people write it, trained on scikit-learn's "
    "digits: 1,400 to learn, 397 to test. Both files are int8, made of the same trained model and the same samples: "
    "stock by a bare `TFLiteConverter` with `Optimize.DEFAULT`, ours by `to_tflite`, which writes the Dense layers as "
    "1x1 convolutions. Operators taken: by the runtime's accelerator, of all in the file. No row raised an error."
)
TRAINED = 1400


def network(batch_size=None):
    """Three convolutions, the last one gated, and a classifier."""
    image = keras.Input((8, 8, 1), batch_size=batch_size, name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu6")(image)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu6")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu6")(x)
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Dense(8, activation="relu")(gate)
    gate = layers.Dense(32, activation="sigmoid")(gate)
    x = layers.Multiply()([x, layers.Reshape((1, 1, 32))(gate)])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="digits")


def stock(model, samples):
    """The model in int8, with a batch of 1, as TensorFlow's converter makes it by itself."""
    single = network(batch_size=1)
    single.set_weights(model.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(single)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in samples)
    return converter.convert()


def right(blob, runtime, x, y):
    """How many digits a runtime reads rightly; none of a file that it refuses."""
    graph = read_graph(blob)
    (source,), (result,) = graph.inputs, graph.outputs
    outcome = RUNTIMES[runtime].run(blob, graph, {source.name: x[:, None]})
    if outcome.outputs is None:
        return ""
    return str(np.sum(outcome.outputs[result.name][:, 0].argmax(-1) == y))


def rows():
    keras.utils.set_random_seed(0)
    pixels, y = load_digits(return_X_y=True)
    x = pixels.reshape(-1, 8, 8, 1).astype("float32") / 16
    model = network()
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    model.fit(x[:TRAINED], y[:TRAINED], epochs=20, verbose=0)
    x_test, y_test = x[TRAINED:], y[TRAINED:]
    in_keras = int(np.sum(model.predict(x_test, verbose=0).argmax(-1) == y_test))
    samples = x[:200]
    files = {
        "stock": stock(model, samples),
        "ours": export.to_tflite(model, target="gpu", precision="int8", samples=samples).tflite,
    }
    for name, blob in files.items():
        for proof in export.prove(blob, samples=x_test[:16]).proofs:
            yield (
                name,
                proof.runtime,
                f"{proof.delegated} of {proof.operators}",
                str(proof.verdict),
                right(blob, proof.runtime, x_test, y_test),
                str(in_keras),
            )
