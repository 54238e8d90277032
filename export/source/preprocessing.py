"""Pixels of 0 to 255 as a file's input: what training did to them before the model becomes part of the file."""

import dataclasses

import keras
import numpy as np


def take_pixels(who, interface, preprocessing, dtype):
    """Returns the interface of the model behind `preprocessing`.

    Args:
        who: function to name in errors.
        interface: of the model.
        preprocessing: a layer, or a function of a tensor: pixels to what the model takes.
        dtype: of the pixels, `"float32"` or `"uint8"`.

    Raises:
        TypeError: if it is nothing to be called.
        ValueError: if the model takes something else than one image.
    """
    if not callable(preprocessing) or isinstance(preprocessing, type):
        raise TypeError(
            f"`{who}`: `preprocessing` must be a layer or a function of tensors, such as keras.layers.Rescaling(1 / "
            f"255) or keras.applications.mobilenet_v2.preprocess_input; got {preprocessing!r}."
        )
    name = interface.model.name
    if len(interface.inputs) != 1:
        raise ValueError(
            f"`{who}`: `preprocessing` is for models of one input; {name!r} has {[e.name for e in interface.inputs]}."
        )
    (entry,) = interface.inputs
    if not entry.dtype.startswith(("float", "bfloat")) or len(entry.shape) < 3:
        raise ValueError(
            f"`{who}`: `preprocessing` is for models that take an image in floats; input `{entry.name}` of {name!r} is "
            f"{entry.dtype} of shape {entry.shape}."
        )
    pixels = dataclasses.replace(entry, dtype=dtype)
    return dataclasses.replace(interface, inputs=(pixels,), preprocessing=preprocessing)


def check_preprocessing(who, interface, shapes):
    """Runs the preprocessing once, on a black image.

    Raises:
        ValueError: if what comes out of it does not fit the model; and what it raises itself.
    """
    ((name, shape),) = shapes.items()
    try:
        scaled = interface.preprocessing(keras.ops.zeros(shape))
    except Exception as error:
        error.add_note(f"`{who}`: `preprocessing` does not take a float32 tensor of shape {shape}, input `{name}`.")
        raise
    got = tuple(getattr(scaled, "shape", ()))
    if got != shape:
        raise ValueError(
            f"`{who}`: `preprocessing` must give a tensor of the shape it takes, {shape} for input `{name}`; got "
            f"{got or type(scaled).__name__}."
        )


def require_pixels(who, graph):
    """Raises if a quantized input of 8 bits holds something else than the pixels themselves.

    Raises:
        RuntimeError: if the converter gave it another scale.
    """
    (entry,) = graph.inputs
    bytes_ = entry.scale is not None and entry.dtype in ("int8", "uint8")
    if bytes_ and (entry.scale, entry.zero_point) != (1.0, np.iinfo(entry.dtype).min):
        raise RuntimeError(
            f"`{who}`: `preprocessing`: the converter gave input `{entry.name}` the scale {entry.scale:.6g} and the "
            f"zero point {entry.zero_point}, so that apps could not put pixels there as they are. It does so where "
            "channels are sliced and put together again, as for BGR; keras.ops.take(x, [2, 1, 0], axis=-1) turns them "
            "without. Or export with io='float32'."
        )


def name_of(preprocessing):
    """What a report calls it; None for none."""
    return None if preprocessing is None else getattr(preprocessing, "__name__", type(preprocessing).__name__)


def span(samples):
    """Samples of pixels and one more with a black and a white corner.

    The range of an int8 file's input is then 0 to 255 whatever the samples hold, a step a value: what an app puts
    there are the pixels themselves.
    """
    spanned = {}
    for name, values in samples.items():
        more = values[:1].copy()
        corners = more.reshape(-1, more.shape[-1])
        corners[0], corners[-1] = 0, 255
        spanned[name] = np.concatenate([values, more])
    return spanned
