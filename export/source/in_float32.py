"""A model that computes in other floats, such as one of the policy mixed_float16, as one in float32."""

import contextlib

import keras
import numpy as np

from keraslayers._rewrite import graph_of
from keraslayers.export.measures import snr_db
from keraslayers.export.source.layer_names import layers_of

# TFLite has hardly a kernel for these.
OTHERS = ("float16", "bfloat16", "float64")
# How far the copy's outputs may be from the model's, in decibels. Its roundings are those of the copy's every layer:
# 11 bits give 40 dB and more, the 8 of bfloat16 a few tens through a deep network; a wrong copy gives 3 and less.
LEAST = 10.0


@contextlib.contextmanager
def float32_policy():
    """Within it, layers that are made without a dtype policy compute in float32, whatever training has set."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_float32(who, model):
    """Returns the model with every layer in float32 and the same weights, and how many layers are others for it.

    Given:   a -> b, which computes in float16 with weights in float32 -> c
    Result:  copies of a -> b -> c in float32; nested models stay nested

    Args:
        who: the function that exports, for messages.
        model: any model; one whose layers compute in float32 passes through.

    Raises:
        ValueError: if it is a subclassed model, or a layer cannot be made again from its config.
    """
    odd = [layer for layer in layers_of(model) if layer.compute_dtype in OTHERS]
    odd = [layer for layer in odd if not isinstance(layer, keras.layers.InputLayer)]
    if not odd:
        return model, 0
    if graph_of(model) is None:
        kinds = " and ".join(sorted({layer.compute_dtype for layer in odd}))
        raise ValueError(
            f"`{who}`: `model` {model.name!r} computes in {kinds}, for which TFLite has hardly a kernel, and it is a "
            "subclassed model: code, which cannot be made again in float32. Build it anew under the dtype policy "
            "'float32' and give it these weights, new.set_weights(model.get_weights())."
        )
    pairs = []

    def twin_of(layer):
        pairs.append((layer, twin := _twin(who, model, layer)))
        return twin

    graph = graph_of(model)
    # The same graph, not compiled: nobody needs an optimizer.
    graph = keras.Model(graph.input, graph.output, name=model.name)
    made = keras.models.clone_model(graph, clone_function=twin_of, recursive=True)
    for layer, twin in pairs:
        if isinstance(layer, keras.layers.Layer):
            twin.set_weights(layer.get_weights())
            if hasattr(twin, "finalize_state"):  # Normalization keeps what it works out from its weights
                twin.finalize_state()
    return made, len(odd)


def layer_in_float32(who, layer):
    """The same of a layer alone; a function passes through, as does a layer in float32."""
    if not isinstance(layer, keras.layers.Layer) or layer.compute_dtype not in OTHERS:
        return layer
    twin = _twin(who, None, layer)
    if layer.built and layer.weights:
        twin.build_from_config(layer.get_build_config())
        twin.set_weights(layer.get_weights())
    return twin


def check_same(who, name, wanted, got):
    """Raises if the copy's outputs are further from the model's than rounding explains.

    Raises:
        ValueError: which says how far.
    """
    for key in wanted:
        if not np.all(np.isfinite(wanted[key])) and np.all(np.isfinite(got[key])):
            raise ValueError(
                f"`{who}`: model {name!r} gives NaN or infinity in output `{key}` on the samples, and in float32 it "
                "does not: its values are too large for the 16 bits in which it computes."
            )
        ratio = snr_db(wanted[key], got[key])
        if ratio is not None and not ratio >= LEAST:
            raise ValueError(
                f"`{who}`: model {name!r} in float32, as it is exported, gives other numbers than under its own dtype "
                f"policy: output `{key}` is {ratio:.1f} dB over the difference, which roundings do not explain. Build "
                "it anew under the dtype policy 'float32' and give it these weights."
            )


def _twin(who, model, layer):
    """A layer or operation that is made as this one was, in float32."""
    where = "" if model is None else f" of `model` {model.name!r}"
    try:
        return type(layer).from_config(float32_config(layer))
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"`{who}`: {layer.name!r}{where} cannot be made again in float32, as `from_config` does not take what its "
            f"`get_config` gives: {error}"
        ) from error


def float32_config(layer):
    """The config of a layer or operation with float32 in place of other floats, in layers within it, too."""
    return {key: _single(key, value) for key, value in layer.get_config().items()}


def _single(key, value):
    """An entry of a config with float32 in place of the other policies, in layers within the layer, too."""
    if key == "dtype" and _is_other(value):
        return "float32"
    if isinstance(value, dict):
        return {inner: _single(inner, part) for inner, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_single(None, part) for part in value)
    return value


def _is_other(value):
    """Whether the entry `dtype` of a config means a policy that computes in other floats."""
    try:
        policy = keras.dtype_policies.get(value)
    except (TypeError, ValueError):  # what a layer of somebody's own calls a dtype
        return False
    return policy.compute_dtype in OTHERS
