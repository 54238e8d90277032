"""What is found of a file goes into a model: other classes, other channels, no top; or an error says what is amiss."""

import re
import warnings

import numpy as np
from keras import layers

from keraslayers import _keras
from keraslayers.learned_positions import LearnedPositions

SCALES = "preprocessing"
MOST_NAMED = 3  # differences that an error names
# Of a detector or a segmenter several layers tell classes.
CLASSIFIER = re.compile(r"(.*_)?(predictions|logits|class_maps)|classes(_fine|_coarse|\d+_end)?")
# What is left out with include_top=False.
TOP = re.compile(r"(fc\d|c5|f6|features(_bn)?|head_norm|aux\d_.*|(.*_)?(predictions|logits)(_bn)?|class_maps)")


def leaves(model):
    """Yields (name, layer) of every layer and of those inside it, in the order of the network.

    What scales images is none of them: it comes from the builder.
    """
    for layer in model.layers:
        if layer.name != SCALES:
            yield from named(layer, layer.name)


def named(layer, name):
    yield name, layer
    for inner in _keras.flatten_layers(layer, include_self=False, recursive=False):
        yield from named(inner, f"{name}/{inner.name}")


def own(layer):
    """The variables of a layer without those of the layers inside it, in the order in which files have them."""
    trained, others = _keras.own_variables(layer)
    return trained + others


def has_top(model):
    return any(CLASSIFIER.fullmatch(layer.name) and layer.weights for layer in model.layers)


def assign(who, path, model, found, *, left=(), problems=(), remedy):
    """Gives every layer its arrays.

    The first convolution takes images of other channels: for one channel the kernels of all are summed, so that a grey
    image gives what its copies in all channels gave; for others they are repeated and scaled to the same sum. The last
    layer keeps its initial weights where the classes are others, and a warning says so; of detectors and segmenters
    every layer that tells classes does.

    Args:
        found: arrays by the names of the layers, in the order of `own`.
        left: names of what else the file has.
        problems: what is amiss already.
        remedy: how an error ends.

    Raises:
        ValueError: if layers have other arrays than the file, or none.
    """
    problems, pairs, kept = list(problems), [], []
    first = next((name for name, layer in leaves(model) if isinstance(layer, layers.Conv2D)), None)
    for name, layer in leaves(model):
        variables, arrays = own(layer), [np.asarray(array) for array in found.get(name, ())]
        if isinstance(layer, LearnedPositions):
            arrays = [layer.resized(array) if layer.takes(array.shape) else array for array in arrays]
        shapes = [tuple(one.shape) for one in variables]
        if len(arrays) == len(shapes):
            arrays = [_formed(array, shape) for array, shape in zip(arrays, shapes, strict=True)]
        given = [array.shape for array in arrays]
        if name == first and given and _but(2, given[0]) == _but(2, shapes[0]) and given[0] != shapes[0]:
            arrays[0] = other_channels(arrays[0], shapes[0][2])
            given = [array.shape for array in arrays]
        if shapes and not given:
            problems.append(f"the file has none for {name!r}")
        elif shapes != given and CLASSIFIER.fullmatch(name) and _classes_differ(shapes, given):
            kept.append((name, given[-1][-1], shapes[-1][-1]))
        elif shapes != given:
            problems.append(f"{name!r} has {_listed(shapes)}, in the file {_listed(given)}")
        else:
            pairs += zip(variables, arrays, strict=True)
    if not has_top(model):
        left = [name for name in left if not TOP.fullmatch(name)]
    problems += [f"the file's {name!r} is not in the model" for name in left if name != SCALES]
    if problems:
        more = len(problems) - MOST_NAMED
        raise ValueError(
            f"`{who}`: `weights` must hold the weights of this model; got {path!r}, where "
            f"{'; '.join(problems[:MOST_NAMED])}{f'; and {more} more' if more > 0 else ''}. {remedy}"
        )
    for variable, array in pairs:
        variable.assign(array)
    if kept:
        names = " and ".join(repr(name) for name, _, _ in kept)
        *_, (_, theirs, ours) = kept
        few, keeps, it = ("its", "keeps", "it") if len(kept) == 1 else ("their", "keep", "them")
        warnings.warn(
            f"`{who}`: {names} {keeps} {few} initial weights, since `weights` {path!r} is for other classes, of "
            f"{theirs} numbers in place of {ours}; train {it}.",
            stacklevel=2,
        )


def other_channels(kernel, channels):
    """A kernel (height, width, channels, filters) for images of other channels, with the same sum over them.

    Source: timm, adapt_input_conv of timm/models/_manipulate.py, which does so.
    """
    theirs = kernel.shape[2]
    if channels == 1:
        return kernel.sum(axis=2, keepdims=True)
    repeated = np.concatenate([kernel] * -(-channels // theirs), axis=2)[:, :, :channels]
    return repeated * (theirs / channels)


def _formed(array, shape):
    """The array in `shape`, where only axes of size 1 differ: a Dense layer is a convolution of 1x1."""
    if array.shape == shape or _large(array.shape) != _large(shape):
        if array.ndim == 4 and len(shape) == 2 and array.shape[:2] == (1, 1):
            return array[0, 0]
        if array.ndim == 2 and len(shape) == 4 and shape[:2] == (1, 1):
            return array[None, None]
        return array
    return array.reshape(shape)


def _large(shape):
    return [size for size in shape if size != 1]


def _but(axis, shape):
    return (*shape[:axis], *shape[axis + 1 :])


def _classes_differ(shapes, given):
    return [len(shape) for shape in shapes] == [len(shape) for shape in given] and [shape[:-1] for shape in shapes] == [
        shape[:-1] for shape in given
    ]


def _listed(shapes):
    return " and ".join(map(str, shapes)) or "no weights"
