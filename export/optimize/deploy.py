"""An optimized model as a file wants it."""

from contextlib import contextmanager

from keraslayers.export.optimize.kernels import Rounded
from keraslayers.export.optimize.model import plan_of
from keraslayers.export.optimize.ruled import Ruled
from keraslayers.export.optimize.stripping import strip


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
    plan = plan_of(model)
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


@contextmanager
def deployed(model):
    """Within it, a quantized model computes with constant kernels, rounded, the normalizations in them.

    The converter takes a kernel's scales from its numbers: of rounded ones it finds the scales they were rounded with.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, Rounded | Ruled)]
    try:
        for layer in layers:
            layer.constants = layer.fold()
        yield
    finally:
        for layer in layers:
            layer.constants = None


def check_integers(who, graph, model):
    """Refuses a file that computes in floats where nothing was left to floats.

    A file with `skip`ped layers may, as may what stands between two of them. The numbers that come in and go out may
    be floats in any.

    Raises:
        RuntimeError: which names the operators.
    """
    skipped = plan_of(model).options["skip"]
    if graph.float_operators and not skipped:
        counted = ", ".join(f"{count} {name}" for name, count in graph.float_operators.items())
        raise RuntimeError(
            f"`{who}`: the converter left operators of the quantized model {model.name!r} in floats: {counted}. No "
            "layer was skipped, so none should be: this is a fault of a rule in export/optimize/rules.py."
        )
