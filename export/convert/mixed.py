"""Files in int8 some of whose layers stay in floats."""

import contextlib
import functools
from collections import defaultdict

import keras

from keraslayers import _checks
from keraslayers.export.convert.convert import saved
from keraslayers.export.convert.layer_errors import LayerError, decibels
from keraslayers.export.measures import signal
from keraslayers.export.progress import each
from keraslayers.export.source.layer_names import labels_of, layers_of, namer

# XNNPACK has no kernels in int8 for products of two activations: the graph would fall into pieces, and the built-in
# product takes ten times as long as XNNPACK's in floats. Nor has it any for GELU and for what normalizations of single
# samples compute: a small vision transformer fell into 11 pieces and took three times as long. These layers stay in
# floats whole.
IN_FLOATS = {"BATCH_MATMUL", "GELU", "SQUARED_DIFFERENCE", "RSQRT"}
# Nor has it any for a softmax. In floats, nets with one in the middle took 0.58 of the time (over 64 channels of every
# pixel), 0.96 (over all pixels), and the same within 2 per cent (over four kernels, over two branches). One that ends a
# net cuts nothing; it goes with the others where there are some.
SOFTMAX = "SOFTMAX"
NORMALIZATIONS = (
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
    keras.layers.UnitNormalization,
)


def is_cut(computed):
    """Whether XNNPACK would take a graph in int8 in pieces.

    Args:
        computed: of each operator its name, and whether other operators compute with what it computes.
    """
    return any(operator in IN_FLOATS or (operator == SOFTMAX and inner) for operator, inner in computed)


class Calibrated:
    """A model whose ranges are measured, from which files with one or another layer in floats are soon made."""

    def __init__(self, ask, layer_of, io, batch, normalizations):
        self._ask, self._io, self._batch = ask, io, batch
        self._nodes, self._floats = defaultdict(list), []
        made = ask("calibrate", batch=batch)
        mixes = normalizations is not None and is_cut(entry[1:] for entry in made)
        for tensor, operator, _ in made:
            layer = layer_of(tensor)
            floats = mixes and (operator in IN_FLOATS or operator == SOFTMAX or layer in normalizations)
            (self._floats if floats else self._nodes[layer or tensor]).append(tensor)

    @functools.cached_property
    def errors(self):
        """A tuple of `LayerError`, the worst first."""
        every = [*self._floats, *(tensor for nodes in self._nodes.values() for tensor in nodes)]
        found = []
        for layer, nodes in each(list(self._nodes.items()), "what int8 costs, layer by layer"):
            losses = self._ask("lose", batch=self._batch, nodes=nodes, every=every)
            found.append(LayerError(layer, min(decibels(error, signal(*powers)) for error, *powers in losses)))
        return tuple(sorted(found, key=lambda error: error.snr_db))

    def file(self, floats=()):
        """Bytes of the file with the layers of those names in floats."""
        nodes = [tensor for layer, tensors in self._nodes.items() if layer in floats for tensor in tensors]
        return self._ask("quantize", io=self._io, nodes=[*self._floats, *nodes])


@contextlib.contextmanager
def calibrated(interface, model, shapes, samples, io, on_phone):
    """Measures a model's ranges; see `convert.convert` for the arguments. Returns a `Calibrated`.

    On phones what XNNPACK has no int8 kernels for stays in floats.
    """
    normalizations = None
    if on_phone:
        normalizations = {layer.name for layer in layers_of(interface.model) if isinstance(layer, NORMALIZATIONS)}
    with saved(interface, model, shapes, samples) as ask:
        yield Calibrated(ask, namer(interface.model), io, next(iter(shapes.values()))[0], normalizations)


def find_layers(who, skip, model):
    """The labels (`layer_names.labels_of`) of the layers that `skip` means: names, names of classes, or classes.

    Raises:
        TypeError: if an entry is neither.
        ValueError: if the model has no such layer.
    """
    layers, labels = layers_of(model), labels_of(model)
    names = {layer.name for layer in layers} | set(labels.values())
    classes = {type(layer).__name__ for layer in layers}
    found = set()
    for entry in [skip] if isinstance(skip, str | type) else skip:
        if isinstance(entry, type) and issubclass(entry, keras.layers.Layer):
            matching = {labels[id(layer)] for layer in layers if isinstance(layer, entry)}
            if not matching:
                raise ValueError(f"`{who}`: `skip`: model {model.name!r} has no layer of the class {entry.__name__}.")
        elif isinstance(entry, str):
            _checks.choice(who, "skip", entry, [*sorted(names | classes)])
            matching = {
                labels[id(layer)] for layer in layers if entry in (layer.name, labels[id(layer)], type(layer).__name__)
            }
        else:
            raise TypeError(f"`{who}`: `skip` must hold names or classes of layers; got {entry!r}.")
        found |= matching
    return found
