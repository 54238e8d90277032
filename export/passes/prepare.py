"""The passes that a target and a precision want, one after the other."""

import inspect

from keraslayers._rewrite import graph_of
from keraslayers.export import passes


def prepare(model, target, precision, largest=None):
    """Applies the passes that the target and precision want.

    Args:
        model: a Keras model.
        target, precision: of the file.
        largest: what passes measure tensors with, as `Interface.largest` with the samples given; None without samples.

    Returns:
        (a model with the same outputs, the count of changes by pass). A subclassed model is code, not a graph: it
        passes through as it is.
    """
    done = {}
    if graph_of(model) is not None:
        for name, (function, wanted) in passes.PASSES.items():
            if wanted(target, precision):
                measures = "largest" in inspect.signature(function).parameters
                model, count = function(model, largest) if measures else function(model)
                done |= {name: count} if count else {}
    return model, done
