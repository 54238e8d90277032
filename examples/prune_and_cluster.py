"""A file that compresses to a fraction: half of the weights zero, 16 different ones in a kernel, all of 8 bits.

python examples/prune_and_cluster.py --epochs 6 --out small.tflite
"""

import argparse
import zlib

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from keraslayers.export import optimize, to_tflite


def load():
    """(images to learn from, their digits), (images to judge by, their digits): 8x8 pixels within [0, 1]."""
    data = load_digits()
    images = (data.images[..., None] / 16).astype("float32")
    return (images[:1400], data.target[:1400]), (images[1400:], data.target[1400:])


def network():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )


def fit(model, data, epochs, rate=1e-3):
    """Ordinary Keras. Pruning and clustering need no callback."""
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*data, batch_size=64, epochs=epochs, verbose=0)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", default="small.tflite")
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    learn, judge = load()
    samples, epochs = learn[0][:200], arguments.epochs

    def show(name, model, **options):
        made = to_tflite(model, precision="int8", samples=samples, **options)
        made.report.require()
        right = np.mean(np.argmax(model.predict(judge[0], verbose=0), -1) == judge[1])
        print(f"{name:28} {right:6.1%} {len(made.tflite):8,} bytes {len(zlib.compress(made.tflite, 9)):8,} zipped")
        return made

    model = fit(network(), learn, 2 * epochs)
    show("int8", model)
    # From nothing to half of the weights over the first half of the training.
    steps = epochs * -(-len(learn[0]) // 64)
    schedule = {"initial_sparsity": 0.0, "final_sparsity": 0.5, "begin_step": 1, "end_step": max(2, steps // 2)}
    pruned = fit(optimize.prune(model, sparsity=schedule), learn, epochs)
    show("pruned, int8", pruned)
    clustered = fit(optimize.cluster(pruned, clusters=16), learn, epochs)
    show("pruned, clustered, int8", clustered)
    rounding = fit(optimize.quantize_aware(clustered, samples=samples), learn, epochs)
    made = show("all of it, trained with int8", rounding)
    made.save(arguments.out)

    # The ordinary Keras model with these weights, for whatever comes next.
    plain = optimize.strip(rounding)
    zeros = np.mean([np.mean(layer.get_weights()[0] == 0) for layer in plain.layers if layer.weights])
    print(f"wrote {arguments.out}; {zeros:.0%} of the weights are zero")


if __name__ == "__main__":
    main()
