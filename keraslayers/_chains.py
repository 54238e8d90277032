"""Two convolutions one behind the other, of which one can be made: the linear blocks of SESR."""

import keras
import numpy as np
from keras import layers

from keraslayers import _rewrite


def chains(model):
    """Returns (the convolution, the 1x1 convolution behind it, 0, what is different in the one of both, its weights).

    0 is the place of the input that goes on in place of the second. Each pair is of layers that are in no other pair;
    those that are left are found when these are one.
    """
    calls, found, taken = _rewrite.single_calls(model), [], set()
    for call in calls.values():
        first = _before(call, calls)
        if first is not None and not {id(first), id(call.layer)} & taken:
            taken |= {id(first), id(call.layer)}
            found.append((first, call.layer, 0, *_made_one(first, call.layer)))
    return found


def _before(call, calls):
    """The convolution that one of 1x1 alone reads, where both take fewer weights as one; None where there is none."""
    last = call.layer
    if not is_plain(last) or type(last) is not layers.Conv2D or last.groups > 1:
        return None
    if (*last.kernel_size, *last.strides) != (1, 1, 1, 1):
        return None
    if not call.alone or call.before[0] is None or id(call.before[0].layer) not in calls:
        return None
    first = call.before[0].layer
    if not is_plain(first) or type(first) is not layers.Conv2D or first.groups > 1 or not is_linear(first):
        return None
    if first.dtype_policy != last.dtype_policy:
        return None
    # A bottleneck would grow.
    size = first.kernel.shape[0] * first.kernel.shape[1] * first.kernel.shape[2] * last.filters
    return first if size < _size(first.kernel) + _size(last.kernel) else None


def _size(kernel):
    return int(np.prod(kernel.shape))


def _made_one(first, last):
    """Entries of the config of the first that are different, and the weights."""
    kernel, *bias = (weight.astype("float64") for weight in first.get_weights())
    matrix, *offset = (weight.astype("float64") for weight in last.get_weights())
    matrix = matrix[0, 0]
    weights = [kernel @ matrix]
    if bias or offset:
        weights.append(sum((part @ matrix for part in bias), start=sum(offset, start=np.zeros(last.filters))))
    entries = {
        "filters": last.filters,
        "use_bias": bool(bias or offset),
        "activation": keras.activations.serialize(last.activation),
    }
    return entries, [weight.astype(first.kernel.dtype) for weight in weights]


def is_linear(layer):
    """Whether nothing is behind a convolution's sums."""
    return layer.activation is keras.activations.linear


def is_plain(layer):
    """Whether a layer is a convolution of Keras with weights that are read as they are."""
    return (
        type(layer) in (layers.Conv2D, layers.DepthwiseConv2D)
        and layer.data_format == "channels_last"
        and tuple(layer.dilation_rate) == (1, 1)
        and not layer.dtype_policy.quantization_mode
        and not getattr(layer, "lora_enabled", False)
    )
