"""One initializer for several weights."""

import keras
from keras import ops


def fresh(initializer):
    """Returns a copy: shared by two kernels, a random initializer would draw both from the same seed.

    A plain function has no seed and is returned itself.
    """
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer


def several(initializer):
    """Returns an initializer of (count, *shape) that draws each of `count` parts for itself.

    Drawn at once, they would count as one large kernel, and start too small by the root of `count`.
    """

    def draw(shape, dtype=None):
        return ops.stack([_nth(initializer, i)(tuple(shape[1:]), dtype=dtype) for i in range(shape[0])])

    return draw


def _nth(initializer, i):
    """A copy that draws other numbers than the copies before it; a seed that was given counts up."""
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    config = initializer.get_config()
    if isinstance(config.get("seed"), int):
        config["seed"] += i
    return type(initializer).from_config(config)
