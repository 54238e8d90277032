"""The argument `weights` of the builders: a file's weights, found by the names of the layers.

Keras numbers layers by class and place, so that a file fits one graph alone; by their names a network without auxiliary
heads takes the weights of one that was trained with them.
"""

import io
import os
import zipfile

import h5py
import ml_dtypes
import numpy as np

from keraslayers.learned_positions import LearnedPositions

REMEDY = "train the model, or save weights of your own with model.save_weights('name.weights.h5')"
MOST_NAMED = 3  # differences that an error names


def check(who, weights):
    """Raises unless `weights` is None or the path of a file."""
    if weights is None:
        return
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"`{who}`: `weights` must be None or the path of a file; got {weights!r}.")
    path = os.fspath(weights)
    if not path.endswith((".weights.h5", ".keras")):
        raise ValueError(
            f"`{who}`: `weights` must be None or the path of a `.weights.h5` or `.keras` file; got {path!r}. "
            f"No published weights are shipped: {REMEDY}."
        )
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`{who}`: `weights` names a file that does not exist; got {path!r}.")


def load(who, model, weights):
    """Gives every layer the weights of the layer of its name; those of auxiliary heads may be left over.

    Raises:
        ValueError: if the file is none, or holds weights of another model.
    """
    path = os.fspath(weights)
    saved, heads = _read(who, path)
    wanted = {name: layer for top in model.layers for name, layer in _named(top, top.name)}
    problems, pairs = [], []
    for name, layer in wanted.items():
        variables = layer._trainable_variables + layer._non_trainable_variables
        arrays = saved.pop(name, [])
        if isinstance(layer, LearnedPositions):
            arrays = [layer.resized(array) if layer.takes(array.shape) else array for array in arrays]
        shapes, found = ([tuple(one.shape) for one in some] for some in (variables, arrays))
        if shapes and not found:
            problems.append(f"the file has none for {name!r}")
        elif shapes != found:
            problems.append(f"{name!r} has {_listed(shapes)}, in the file {_listed(found)}")
        pairs += zip(variables, arrays, strict=False)
    left = [name for name, arrays in saved.items() if arrays and not name.startswith(heads)]
    problems += [f"the file's {name!r} is not in the model" for name in left]
    if problems:
        more = len(problems) - MOST_NAMED
        raise ValueError(
            f"`{who}`: `weights` must hold the weights of this model, by the names of its layers; got {path!r}, where "
            f"{'; '.join(problems[:MOST_NAMED])}{f'; and {more} more' if more > 0 else ''}. Build the model with the "
            "options that the file's was built with; for other classes call `replace_classifier` then."
        )
    for variable, array in pairs:
        variable.assign(array)


def _named(layer, name):
    """Yields (name, layer) of a layer and of those inside it."""
    yield name, layer
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        yield from _named(inner, f"{name}/{inner.name}")


def _listed(shapes):
    return " and ".join(map(str, shapes)) or "no weights"


def _read(who, path):
    """Returns (arrays of each layer by its name, what the names of auxiliary heads' layers begin with)."""
    try:
        with _opened(path) as file:
            found, heads = {}, []
            for key, group in file["layers"].items():
                name = group["vars"].attrs["name"]
                found |= dict(_arrays(group, name))
                if key.startswith("auxiliary_output"):  # what Keras makes of the name of the class
                    heads.append(f"{name}_")
            return found, tuple(heads)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"`{who}`: `weights` must be a file that Keras 3 wrote; {path!r} is something else or damaged "
            f"({error}). Write one with model.save('name.keras') or model.save_weights('name.weights.h5')."
        ) from error


def _opened(path):
    if not path.endswith(".keras"):
        return h5py.File(path)
    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read("model.weights.h5")))


def _arrays(group, name):
    """Yields (name, arrays) of a layer and of those inside it."""
    own = group["vars"]
    yield name, [_array(own[key]) for key in sorted(own, key=int)]
    for key, inner in group.items():
        if key not in ("vars", "seed_generator"):  # how dropout goes on is no weight
            yield from _arrays(inner, f"{name}/{inner['vars'].attrs['name']}")


def _array(data):
    return np.array(data, ml_dtypes.bfloat16 if data.attrs.get("dtype") == "bfloat16" else data.dtype)
