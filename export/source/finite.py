"""Whether a model computes numbers at all."""

import keras
import numpy as np

from keraslayers import _keras
from keraslayers._rewrite import graph_of, laid_open, owner
from keraslayers.export.source.layer_names import labels_of, layers_of


def check_finite(who, interface, samples, outputs, *, made_up):
    """Raises if a model gives NaN or infinity, or has NaN among its weights: no file could be right.

    Args:
        who: the function that exports, for messages.
        interface: of the model.
        samples: by input name arrays.
        outputs: by name what the model computes of them.
        made_up: whether nobody gave the samples.

    Raises:
        ValueError: which names the first layer that gives them.
    """
    name, labels = interface.model.name, labels_of(interface.model)
    for layer in layers_of(interface.model):
        if any(_is_nan(weight) for weight in layer.weights):
            raise ValueError(
                f"`{who}`: `model` {name!r} has NaN among the weights of layer `{labels[id(layer)]}`: its training "
                "went astray. Train it anew, with a smaller learning rate."
            )
    bad = [key for key, values in outputs.items() if not np.all(np.isfinite(values))]
    if bad:
        what = "NaN" if any(np.any(np.isnan(outputs[key])) for key in bad) else "infinity"
        layer = _first(interface, samples, labels)
        where = f"first at layer `{layer}`" if layer else f"in output `{bad[0]}`"
        remedy = "Give typical `samples`; these were made up" if made_up else "Look at what comes in there"
        raise ValueError(f"`{who}`: `model` {name!r} gives {what} on the samples, {where}. {remedy}.")


def _is_nan(weight):
    return keras.backend.is_float_dtype(weight.dtype) and bool(keras.ops.any(keras.ops.isnan(weight)))


def _first(interface, samples, labels):
    """The label of the first layer that gives NaN or infinity; None of a subclassed model."""
    if graph_of(interface.model) is None:
        return None
    flat = laid_open(interface.model)
    made = [
        (owner(node.operation), tensor)
        for node in _keras.nodes(flat)
        for tensor in node.outputs
        if keras.backend.is_float_dtype(tensor.dtype)
    ]
    values = interface.largest(samples, flat, [tensor for _, tensor in made], most=None)
    layer = next((layer for (layer, _), value in zip(made, values, strict=True) if not np.isfinite(value)), None)
    return layer and labels.get(id(layer), layer.name)
