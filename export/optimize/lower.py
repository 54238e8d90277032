"""Writes a model in calls that 8-bit integers are known to compute."""

import keras
import numpy as np
from keras import layers, ops

from keraslayers import _keras
from keraslayers.deformable import DeformableConv2D
from keraslayers.dynamic import DynamicConv2D
from keraslayers.export.optimize.bounded_deformable import in_parts
from keraslayers.export.optimize.floats import Kept, Passing, call_kept, compute_kept
from keraslayers.export.optimize.kernels import has_kernel, plain
from keraslayers.export.optimize.matrix_part import in_matrices
from keraslayers.export.optimize.mixture_part import mixed
from keraslayers.export.optimize.opening import RAISED, OwnNumbersError, opened, passes
from keraslayers.export.optimize.rules import (
    IN_FLOATS,
    OPERATIONS_IN_FLOATS,
    PASSING,
    PRODUCTS_IN_FLOATS,
    described,
    is_final,
    operation_name,
)
from keraslayers.export.optimize.separable_parts import (
    DepthwisePart,
    HorizontalPart,
    PointwisePart,
    VerticalPart,
)
from keraslayers.export.passes._graph import Altered, first, laid_open, made_by, owner, rewrite
from keraslayers.export.passes._relu import function_kind
from keraslayers.export.passes.bound_deformable import BoundedDeformable
from keraslayers.local_response import LocalResponseNormalization
from keraslayers.spatial_separable import SpatialSeparableConv2D

# A layer may hold a layer that holds a layer.
_DEEPEST = 20


def lower(who, model, origins):
    """Opens layers into the layers and operations they call, and writes those without integer kernels with others.

    Given:   x -> SqueezeExcite;  x -> Conv2D(activation="silu");  x -> SeparableConv2D
    Result:  x -> mean -> convolution -> convolution -> * x;  x -> convolution -> sigmoid -> * convolution's;
             x -> depthwise convolution -> 1x1 convolution

    Args:
        who: the function that quantizes, for messages.
        model: a Functional or Sequential model that nobody else needs: its layers remember new calls.
        origins: the `Origins`.

    Raises:
        ValueError: if a layer cannot be opened.
    """

    def applies(layer, *args, **kwargs):
        return _replacement(layer, origins, args, kwargs) is not None

    def replace(layer, fresh, *args, **kwargs):
        try:
            outputs = _replacement(layer, origins, args, kwargs)(layer, fresh, *args, **kwargs)
        except RAISED as error:
            raise ValueError(
                f"`{who}`: {described(layer)} cannot be quantized: {_cause(error)}. {origins.remedy(layer.name)}"
            ) from error
        regularizer = getattr(layer, "activity_regularizer", None)
        if regularizer is None or isinstance(owner(made_by(keras.tree.flatten(outputs)[0])[0]), Kept | Passing):
            return outputs  # or it is called as it is, and tells of that itself
        return layers.Identity(activity_regularizer=regularizer, name=fresh(f"{layer.name}_activity"))(outputs)

    for _ in range(_DEEPEST):
        model, count = rewrite(model, applies, replace)
        if not count:
            break
    # A layer may hold a model of layers all of which stay.
    return laid_open(model) if any(isinstance(layer, keras.Model) for layer in model.layers) else model


def _cause(error):
    words = str(error).splitlines()[0].rstrip(".")
    if isinstance(error, NotImplementedError) and words:
        return words
    return f"its `call` is not made of Keras operations ({type(error).__name__}: {words})"


def _replacement(layer, origins, args, kwargs):
    """What writes a call of this with others; None if it stays."""
    name = operation_name(layer)
    tensors = [value for value in keras.tree.flatten((args, kwargs)) if isinstance(value, keras.KerasTensor)]
    if name in OPERATIONS_IN_FLOATS or (name in PRODUCTS_IN_FLOATS and len(tensors) > 1):
        return compute_kept
    # Between two that are floats: attention's.
    floats = bool(tensors) and isinstance(made_by(tensors[0])[0], Kept)
    if floats and name == "Softmax":
        return compute_kept
    if name is not None:
        return _OPERATIONS.get(name)
    if isinstance(layer, Kept | Passing):
        return None
    between = type(layer) in (layers.Softmax, layers.Dropout) and layer.name not in origins.names
    if id(layer) in origins.kept or type(layer) in IN_FLOATS or (floats and between):
        return call_kept
    if type(layer) in _LAYERS:
        return _LAYERS[type(layer)]
    if has_kernel(layer) and _loose_activation(layer):
        return _split_activation
    return None if is_final(layer) else _open


def _open(layer, fresh, *args, **kwargs):
    """Calls a layer's `call` with symbolic tensors: what it calls are calls of the model then."""
    kwargs = {name: value for name, value in kwargs.items() if name != "training"}
    if passes(layer, args, kwargs):
        return Passing(layer, fresh(layer.name))(first(args, kwargs))
    try:
        outputs = opened(layer, args, kwargs, PASSING)
    except OwnNumbersError:
        return call_kept(layer, fresh, *args, **kwargs)
    _rename(layer, fresh, keras.tree.flatten((args, kwargs)), keras.tree.flatten(outputs))
    return outputs


def _rename(layer, fresh, inputs, outputs):
    """Names what a layer's `call` called after the layer: two layers of a model may hold layers of one name."""
    known, seen = {id(tensor) for tensor in inputs}, set()
    tensors = [tensor for tensor in outputs if isinstance(tensor, keras.KerasTensor)]
    while tensors:
        tensor = tensors.pop()
        operation = _keras.history(tensor).operation
        if id(tensor) in known or id(operation) in seen:
            continue
        seen.add(id(operation))
        if type(operation) is type(layer):
            raise NotImplementedError("it calls a layer of its own class")
        own = isinstance(operation, keras.layers.Layer)
        operation.name = fresh(f"{layer.name}_{operation.name if own else type(operation).__name__.lower()}")
        tensors.extend(_keras.node_of(tensor).input_tensors)


def _loose_activation(layer):
    activation = getattr(layer.view if isinstance(layer, Altered) else layer, "activation", None)
    return activation not in (None, keras.activations.linear) and function_kind(activation) is None


def _split_activation(layer, fresh, *args, **kwargs):
    attributes = layer.view._attributes if isinstance(layer, Altered) else {}
    linear = Altered(
        plain(layer),
        fresh(f"{layer.name}_linear"),
        **{**attributes, "activation": lambda layer: keras.activations.linear},
    )
    x = linear(first(args, kwargs))
    outputs = plain(layer).activation(x)
    _rename(layer, fresh, [x], [outputs])
    return outputs


def _split_separable(layer, fresh, *args, **kwargs):
    x = DepthwisePart(layer, fresh(f"{layer.name}_depthwise"))(first(args, kwargs))
    x = PointwisePart(layer, fresh(f"{layer.name}_pointwise"))(x)
    return x if layer.activation is None else layer.activation(x)


def _multiply_matrix(layer, fresh, *args, **kwargs):
    inputs = first(args, kwargs)
    outputs = in_matrices(layer, fresh, inputs)
    _rename(layer, fresh, [inputs], [outputs])
    return outputs


def _mix(layer, fresh, *args, **kwargs):
    inputs = first(args, kwargs)
    outputs = mixed(layer, fresh, inputs)
    _rename(layer, fresh, [inputs], [outputs])
    return outputs


def _step_by_step(layer, fresh, *args, **kwargs):
    """One call for each step, as Keras and the converter have it; of Dense one for all, which sees each by itself."""
    inputs = first(args, kwargs)
    if type(layer.layer) is layers.Dense:
        outputs = layer.layer(inputs)
    elif inputs.shape[1] is None:
        raise NotImplementedError("how many steps it takes is not known. Build the model for one number of them")
    else:
        outputs = ops.stack([layer.layer(inputs[:, i]) for i in range(inputs.shape[1])], axis=1)
    _rename(layer, fresh, [inputs], [outputs])
    return outputs


def _split_spatially(layer, fresh, *args, **kwargs):
    x = VerticalPart(layer, fresh(f"{layer.name}_vertical"))(first(args, kwargs))
    return layer.activation(HorizontalPart(layer, fresh(f"{layer.name}_horizontal"))(x))


def _scale(layer, fresh, *args, **kwargs):
    return _product_and_sum(first(args, kwargs), layer.scale, layer.offset)


def _normalize(layer, fresh, *args, **kwargs):
    deviation = np.maximum(np.sqrt(ops.convert_to_numpy(layer.variance)), keras.config.epsilon())
    mean = ops.convert_to_numpy(layer.mean)
    if layer.invert:
        return _product_and_sum(first(args, kwargs), deviation, mean)
    return _product_and_sum(first(args, kwargs), 1 / deviation, -mean / deviation)


def _product_and_sum(x, scale, offset):
    scale, offset = (np.asarray(value, "float32") for value in (scale, offset))
    x = ops.multiply(x, scale) if np.any(scale != 1) else x
    return ops.add(x, offset) if np.any(offset != 0) else x


def _hard_sigmoid(operation, fresh, x):
    return ops.multiply(ops.relu6(ops.add(x, 3.0)), 1 / 6)


def _hard_silu(operation, fresh, x):
    return ops.multiply(x, _hard_sigmoid(operation, fresh, x))


def _hard_tanh(operation, fresh, x):
    return ops.clip(x, -1.0, 1.0)


def _silu(operation, fresh, x):
    return ops.multiply(x, ops.sigmoid(x))


def _keep_floats(operation, fresh, x):
    if x.dtype != "float32" or operation.dtype != "float32":
        raise NotImplementedError(f"it turns {x.dtype} into {operation.dtype}")
    return x


def _divide(operation, fresh, x1, x2):
    if isinstance(x2, keras.KerasTensor):
        raise NotImplementedError("it divides by what it computes, for which there is no integer kernel")
    return ops.multiply(x1, 1 / np.asarray(x2, "float32"))


def _elu(operation, fresh, x):
    below = ops.subtract(ops.exp(ops.minimum(x, 0.0)), 1.0)
    return ops.add(ops.relu(x), below if operation.alpha == 1 else ops.multiply(below, operation.alpha))


def _bounded_relu(operation, fresh, x):
    if operation.threshold or (operation.negative_slope and operation.max_value is not None):
        raise NotImplementedError("it has a threshold, or both a slope and a bound, for which there is no rule")
    if operation.negative_slope:
        return ops.leaky_relu(x, operation.negative_slope)
    return ops.relu(x) if operation.max_value is None else ops.clip(x, 0.0, operation.max_value)


def _flip(operation, fresh, x):
    """As a slice, as TFLite reverses no integers of 8 bits."""
    axes = range(len(x.shape)) if operation.axis is None else np.atleast_1d(operation.axis) % len(x.shape)
    return x[tuple(slice(None, None, -1 if axis in axes else None) for axis in range(len(x.shape)))]


def _split(operation, fresh, x):
    ends = operation.indices_or_sections
    if isinstance(ends, int):
        ends = [(i + 1) * x.shape[operation.axis] // ends for i in range(ends - 1)]
    begins, axis = [0, *ends], operation.axis % len(x.shape)
    return [
        x[(*(slice(None) for _ in range(axis)), slice(begin, end))]
        for begin, end in zip(begins, [*ends, None], strict=True)
    ]


def _split_deformable(layer, fresh, *args, **kwargs):
    outputs = in_parts(layer, fresh, *args, **kwargs)
    _rename(layer, fresh, keras.tree.flatten((args, kwargs)), keras.tree.flatten(outputs))
    return outputs


def _ask_for_a_bound(layer, fresh, *args, **kwargs):
    raise NotImplementedError(
        "its offsets have no bound, and places in an image do not fit into 8 bits. With `max_offset` it takes the same "
        "weights, and computes the same as long as no offset is larger"
    )


def _normalize_locally(layer, fresh, *args, **kwargs):
    """The layer's own formula, its sum over neighbours as a 1x1 convolution."""
    x = first(args, kwargs)
    if layer.data_format != "channels_last" or len(x.shape) != 4:
        raise NotImplementedError("it normalizes what is no image with the channels last")
    places = np.arange(x.shape[-1])
    near = np.abs(np.subtract.outer(places, places)) <= layer.depth_radius
    sums = ops.conv(ops.multiply(x, x), (layer.alpha * near)[None, None].astype("float32"), 1, "valid", "channels_last")
    return ops.multiply(x, ops.exp(ops.multiply(ops.log(ops.add(sums, layer.bias)), -layer.beta)))


_LAYERS = {
    BoundedDeformable: _split_deformable,
    DeformableConv2D: _ask_for_a_bound,
    DynamicConv2D: _mix,
    LocalResponseNormalization: _normalize_locally,
    layers.EinsumDense: _multiply_matrix,
    layers.Normalization: _normalize,
    layers.Rescaling: _scale,
    layers.SeparableConv1D: _split_separable,
    layers.SeparableConv2D: _split_separable,
    layers.TimeDistributed: _step_by_step,
    SpatialSeparableConv2D: _split_spatially,
}
_OPERATIONS = {
    "Cast": _keep_floats,
    "Divide": _divide,
    "Elu": _elu,
    "Flip": _flip,
    "HardSigmoid": _hard_sigmoid,
    "HardSilu": _hard_silu,
    "HardTanh": _hard_tanh,
    "ReLU": _bounded_relu,
    "Silu": _silu,
    "Split": _split,
    "TrueDivide": _divide,
}
