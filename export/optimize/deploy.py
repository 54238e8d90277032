"""An optimized model as a file wants it."""

from contextlib import contextmanager

from keraslayers import _keras
from keraslayers._rewrite import graph_of, owner
from keraslayers.export.file.graph import ENDS
from keraslayers.export.optimize.config_wrapper import ConfigWrapper
from keraslayers.export.optimize.floats import Floats, Kept
from keraslayers.export.optimize.kernels import Rounded
from keraslayers.export.optimize.model import plan_of
from keraslayers.export.optimize.ranges import Range
from keraslayers.export.optimize.stripping import strip
from keraslayers.export.source.layer_names import layers_of, namer, operations_of

# A range that is so much narrower than that of what was computed there says that this was zero.
NARROW = 2**-20


def deployable(who, model, precision, pixels):
    """What to export of a model, and whether it holds trained ranges.

    Args:
        who: the function that exports, for messages.
        model: any.
        precision: of the file.
        pixels: whether the file shall do the preprocessing.

    Returns:
        (the model itself or, of a pruned or clustered one, the ordinary model inside; whether ranges are trained).

    Raises:
        ValueError: if trained ranges do not fit the file.
    """
    quantized = quantized_in(model)
    plan = plan_of(model) if quantized is None else plan_of(quantized)
    if plan is None:
        return model, False
    if plan.kind != "quantize":
        return strip(model), False
    if precision != "int8":
        raise ValueError(
            f"`{who}`: `model` {model.name!r} was trained for precision='int8'; got precision={precision!r}. For "
            "another one give the ordinary model with its weights: optimize.strip(model)."
        )
    if pixels:
        raise ValueError(
            f"`{who}`: `model` {model.name!r} was trained with ranges, and `preprocessing` has none. Make it a part of "
            "the model, keras.Sequential([preprocessing, model]), before `optimize.quantize_aware`."
        )
    return model, True


def quantized_in(model):
    """The quantized model that a model is, or goes on behind, with layers that decode what it gives; None of others."""
    layers = _keras.flatten_layers(model, include_self=False) if graph_of(model) is not None else ()
    return next((layer.mode.model for layer in layers if isinstance(layer, Range)), None)


@contextmanager
def deployed(model):
    """Within it, a quantized model computes with constant kernels, rounded, the normalizations in them.

    The converter takes a kernel's scales from its numbers: of rounded ones it finds the scales they were rounded with.
    Ranges of what was always zero have a width, as runtimes want it.
    """
    layers = [layer for layer in _keras.flatten_layers(model) if isinstance(layer, Rounded | ConfigWrapper)]
    trained = []
    try:
        for layer in layers:
            layer.constants = layer.fold()
        for bounds, width in _dead(model):
            for bound, end in zip((bounds["min_var"], bounds["max_var"]), (0.0, width), strict=True):
                trained.append((bound, bound.numpy()))
                bound.assign(end)
        yield
    finally:
        for layer in layers:
            layer.constants = None
        for bound, value in reversed(trained):
            bound.assign(value)


def _dead(model):
    """Ranges next to nothing, each with the width of what was computed there: (bounds, width)."""
    widths, dead = {}, []
    graph = graph_of(quantized_in(model))
    for node in [] if graph is None else _keras.nodes(graph):
        layer = node.operation
        width = max((widths.get(id(x), 1.0) for x in node.input_tensors), default=1.0)  # 1 of the model's inputs
        if isinstance(layer, Range):
            own = float(layer.bounds["max_var"] - layer.bounds["min_var"]) if layer.bounds else 1.0
            if own < NARROW * width:
                dead.append((layer.bounds, width))
            else:
                width = own
        widths |= {id(x): width for x in node.outputs}
    return dead


def check_integers(who, graph, model):
    """Refuses a file that computes in floats what trained with rounding, or in integers what was to stay in floats.

    Operators of a file that may be floats: `ENDS`, those of the layers that were skipped or have no integer kernels,
    those of a layer whose rule, given to `register`, does not round its output, and those of layers behind the
    quantized model.

    Returns:
        The names of the user's layers that the file leaves in floats.

    Raises:
        RuntimeError: which names the operators and layers.
    """
    quantized = quantized_in(model)
    own = {id(each) for each in (*layers_of(quantized), *operations_of(quantized))}
    skipped = set()
    free = {each.name for each in (*layers_of(model), *operations_of(model)) if id(each) not in own}
    for layer in _keras.flatten_layers(model, include_self=False):
        if isinstance(owner(layer), Kept):
            skipped.add(layer.name)
        elif isinstance(layer, Floats) or (isinstance(layer, ConfigWrapper) and layer.output_quantizer is None):
            free.add(layer.name)
    layer_of, wrong = namer(model), []
    for made in graph.computed:
        if made.operator in ENDS:
            continue
        layer = layer_of(made.tensor)
        if made.floats and layer not in skipped | free:
            wrong.append(f"{made.operator} of {layer or made.tensor!r} in floats, which trained with rounding")
        if "int8" in made.dtypes and layer in skipped:  # other integers are its own
            wrong.append(f"{made.operator} of {layer!r} in integers, which was to stay in floats")
    if wrong:
        raise RuntimeError(
            f"`{who}`: the converter computes of the quantized model {model.name!r} {'; '.join(wrong)}. This is a "
            "fault of a rule in export/optimize/rules.py or floats.py."
        )
    return tuple(plan_of(quantized).options["skip"])
