"""What the models are given, and what training would have left in their weights."""

import keras
import numpy as np

SAMPLES = 32


def images(*shape, count=SAMPLES, seed=0):
    """Images within [0, 1] that differ in the large and in the small, as photographs do and noise does not."""
    random = np.random.default_rng(seed)
    found = np.zeros((count, *shape))
    for cells in (2, 4, 8, 16):
        coarse = random.normal(size=(count, cells, cells, shape[2]))
        y, x = (np.arange(side) * cells // side for side in shape[:2])
        found += coarse[:, y[:, None], x[None, :]] / np.sqrt(cells)
    return (0.5 + 0.5 * found / np.abs(found).max((1, 2, 3), keepdims=True)).astype("float32")


def signals(*shape, count=SAMPLES, seed=0):
    """Sums of waves along the first axis, other ones in each channel, with noise on them."""
    random = np.random.default_rng(seed)
    time = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    found = 0.1 * random.normal(size=(count, *shape))
    for _ in range(3):
        rate, phase, height = (random.uniform(low, high, (count, 1, *shape[1:])) for low, high in RANGES)
        found += height * np.sin(rate * time + phase)
    return found.astype("float32")


# Of a wave: radians a step, its phase, its height.
RANGES = ((0.02, 1.5), (0, 2 * np.pi), (0.2, 0.6))


def tokens(vocabulary, length, count=SAMPLES, seed=0, low=0):
    """Rows of token ids, all as likely."""
    return np.random.default_rng(seed).integers(low, vocabulary, (count, length)).astype("int32")


def padded(vocabulary, length, count=SAMPLES, seed=0):
    """Token ids of sentences of several lengths, zeros behind them; and 1 where there is a token."""
    found = tokens(vocabulary, length, count, seed, low=1)
    lengths = np.random.default_rng(seed + 1).integers(length // 2, length + 1, (count, 1))
    there = (np.arange(length) < lengths).astype("int32")
    return found * there, there


def normal(*shape, count=SAMPLES, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


def settle(model, x):
    """Returns the model, called, with weights that tell mistakes apart, and the averages of `x` in its normalizations.

    As Keras makes them, biases, offsets and scales are all equal, tokens of classes and tables of positions all zero:
    a file that mixed them up would pass. Those are given values that differ. Tokens are so near to one another that
    nothing depends on them; they are drawn apart.
    """
    model(x)
    random = np.random.default_rng(0)
    for weight in model.trainable_variables:
        values = np.array(weight)
        if values.size and np.all(values == values.flat[0]):
            weight.assign(values + random.normal(0, 0.1, values.shape))
        elif weight.name == "embeddings" and values.std() < 0.1:
            weight.assign(values * (0.3 / values.std()))
    norms = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) or type(layer).__name__ == "BatchNormalization"
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        model(x, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    _decide(model, x)
    return model


def _decide(model, x):
    """Has a model that ends in probabilities be as sure of them as training makes it."""
    last = next((layer for layer in reversed(model._flatten_layers()) if hasattr(layer, "kernel")), None)
    activation = getattr(last, "activation", None)
    if activation in (keras.activations.softmax, keras.activations.sigmoid):
        last.activation = keras.activations.linear
        found = np.array(keras.tree.flatten(model(x))[0])
        last.kernel.assign(last.kernel * (2 / found.std(0).mean()))
        last.activation = activation
