"""What a layer is told of its weights: initializers, regularizers and constraints, kept, saved and put to use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

_KINDS = {"initializer": keras.initializers, "regularizer": keras.regularizers, "constraint": keras.constraints}
# The arguments of layers, such as `kernel_initializer`, and what of Keras reads them.
ARGUMENTS = {f"{weight}_{kind}": lib for kind, lib in _KINDS.items() for weight in ("kernel", "bias")}


def keep(layer: keras.layers.Layer, **arguments: Any) -> None:
    """Keeps `kernel_initializer` and its like as objects, as attributes of the layer under their own names."""
    for name, value in arguments.items():
        setattr(layer, name, ARGUMENTS[name].get(value))


def config(layer: keras.layers.Layer) -> dict[str, Any]:
    """Those entries of the layer's configuration."""
    return {name: lib.serialize(getattr(layer, name)) for name, lib in ARGUMENTS.items() if hasattr(layer, name)}


def add(layer: keras.layers.Layer, weight: str, shape: Sequence[int], name: str | None = None) -> Any:
    """Makes a weight with what the layer keeps for `weight`, `"kernel"` or `"bias"`; `name` is its own, if another."""
    return layer.add_weight(
        name=name or weight,
        shape=shape,
        initializer=fresh(getattr(layer, f"{weight}_initializer")),
        regularizer=getattr(layer, f"{weight}_regularizer"),
        constraint=getattr(layer, f"{weight}_constraint"),
    )


def add_several(layer: keras.layers.Layer, weight: str, shape: Sequence[int], name: str) -> Any:
    """The same for a weight of (count, *one's shape): each one is drawn and bound for itself, all are regularized."""
    return layer.add_weight(
        name=name,
        shape=shape,
        initializer=_drawn(getattr(layer, f"{weight}_initializer")),
        regularizer=getattr(layer, f"{weight}_regularizer"),
        constraint=_bound(getattr(layer, f"{weight}_constraint")),
    )


def fresh(initializer):
    """Returns a copy: shared by two kernels, a random initializer would draw both from the same seed.

    A plain function has no seed and is returned itself.
    """
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer


def _drawn(initializer):
    # Drawn at once, they would count as one large kernel, and start too small by the root of their count.
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


def _bound(constraint):
    # So that the axes of a constraint mean what they mean of a Conv2D's kernel.
    if constraint is None:
        return None
    return lambda several: ops.stack([constraint(several[i]) for i in range(several.shape[0])])
