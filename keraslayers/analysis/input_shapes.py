"""The shapes with which a model is analyzed: its own, and what it leaves open."""

from keraslayers import _checks
from keraslayers._rewrite import graph_of


def known_shapes(model):
    """The shapes of a model's inputs, of one sample where the batch is open."""
    return [(tensor.shape[0] or 1, *tensor.shape[1:]) for tensor in graph_of(model).inputs]


def input_shapes(who, model, input_shape):
    """The shapes of a model's inputs with all sizes known, or a ValueError."""
    known = known_shapes(model)
    if input_shape is None:
        given = known
    elif len(known) == 1 and not isinstance(input_shape, dict) and not _is_list_of_shapes(input_shape):
        given = [(known[0][0], *input_shape)]
    else:
        struct = graph_of(model).input
        if isinstance(input_shape, dict) and isinstance(struct, dict):
            parts = [input_shape.get(name) for name in struct]
        else:
            parts = list(input_shape.values() if isinstance(input_shape, dict) else input_shape)
        if len(parts) != len(known) or None in parts:
            raise ValueError(
                f"`{who}`: `input_shape` must hold a shape for each of the {len(known)} inputs of the model; got "
                f"{input_shape!r}."
            )
        given = [(shape[0], *part) for shape, part in zip(known, parts, strict=True)]
    for shape, own in zip(given, known, strict=True):
        if len(shape) != len(own) or any(size not in (None, new) for new, size in zip(shape, own, strict=True)):
            raise ValueError(
                f"`{who}`: `input_shape` must be one that the model {model.name!r} takes, {own[1:]}; got {shape[1:]}. "
                "Build the model for that size, or with None for sizes to be left open."
            )
        if None in shape:
            raise ValueError(
                f"`{who}`: `input_shape` must be given, since the model {model.name!r} takes inputs of any size, "
                f"{shape[1:]}: what they cost hangs on it."
            )
        for size in shape[1:]:
            _checks.positive_int(who, "input_shape", size)
    return given


def _is_list_of_shapes(shape):
    return any(isinstance(part, list | tuple) for part in shape)
