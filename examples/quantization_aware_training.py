"""A network that loses accuracy in int8 gets it back by training with the rounding: `optimize.quantize_aware`.

python examples/quantization_aware_training.py --epochs 15 --out digits.tflite
"""

import argparse
import warnings

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from sklearn.datasets import load_digits

from keraslayers.export import optimize, to_tflite


def load():
    """(images to learn from, their digits), (images to judge by, their digits): 8x8 pixels within [0, 1]."""
    data = load_digits()
    images = (data.images[..., None] / 16).astype("float32")
    return (images[:1400], data.target[:1400]), (images[1400:], data.target[1400:])


def network():
    image = keras.Input((8, 8, 1), name="image")
    x = image
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, name="digit")(x), name="digits")


def make_uneven(model):
    """Scales the channels before the depthwise convolution, and back in it: the same function.

    In int8 all channels of an activation have one scale, so that the small ones are lost. Networks come to be so by
    themselves, MobileNets above all; here it is done on purpose.
    """
    depthwise = model.get_layer("depthwise")
    norm = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)][1]
    sizes = (100 ** np.random.default_rng(0).uniform(-1, 1, norm.gamma.shape)).astype("float32")
    norm.gamma.assign(norm.gamma * sizes)
    norm.beta.assign(norm.beta * sizes)
    depthwise.kernel.assign(depthwise.kernel / sizes[:, None])


def fit(model, data, epochs, rate):
    """Ordinary Keras: a quantization-aware model trains as any other."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    steps = epochs * -(-len(data[0]) // 32)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)), loss)
    model.fit(*data, batch_size=32, epochs=epochs, verbose=0)


def accuracy(tflite, images, digits):
    """Of a file with one input and one output, run image by image."""
    runner = Interpreter(model_content=tflite).get_signature_runner()
    scores = [runner(image=image[None])["digit"][0] for image in images]
    return np.mean(np.argmax(scores, -1) == digits)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", default="digits.tflite")
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    learn, judge = load()
    samples = learn[0][:200]

    model = network()
    fit(model, learn, arguments.epochs, 1e-2)
    make_uneven(model)
    print(f"float32                      {accuracy(to_tflite(model, samples=samples).tflite, *judge):.1%}")
    plain = to_tflite(model, precision="int8", samples=samples)
    print(f"int8, ranges of the samples  {accuracy(plain.tflite, *judge):.1%}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it tells how much there is to regain
        rounding = optimize.quantize_aware(model, samples=samples)
    fit(rounding, learn, arguments.epochs, 3e-3)
    made = to_tflite(rounding, precision="int8", samples=judge[0])
    print(f"int8, trained with rounding  {accuracy(made.tflite, *judge):.1%}")
    made.report.require()
    made.save(arguments.out)
    print(f"wrote {arguments.out}: {made.report.proof('cpu').verdict} on cpu")


if __name__ == "__main__":
    main()
