"""Weights that show, images, and comparison of outputs, for the tests of models."""

import math

import numpy as np


def randomize(model, seed=0):
    """Gives every weight a value that shows: no statistic is 0 or 1, no bias is 0."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            if weight.name in ("gamma", "moving_variance", "variance"):  # of normalizations, of a Normalization
                values.append(random.uniform(0.5, 1.5, weight.shape))
            elif len(weight.shape) == 1:
                values.append(random.normal(0, 0.2, weight.shape))
            else:
                # Keeps the scale of what passes through, with the gain of ReLU.
                inputs = math.prod(weight.shape[:2] if "depthwise" in weight.path else weight.shape[:-1])
                values.append(random.normal(0, math.sqrt(2 / inputs), weight.shape))
        layer.set_weights(values)


def image(shape, batch=2, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, *shape)).astype("float32")


def outputs(model, x):
    return np.asarray(model(x, training=False))


def assert_close(actual, expected):
    # float32 sums in another order; 1e-4 of the largest output where an output is near zero.
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
