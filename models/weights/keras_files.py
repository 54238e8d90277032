"""Weights that Keras holds or wrote: of our networks by the names of layers, of keras.applications in a row.

Keras numbers layers by class and place, so that a file fits one graph alone; by their names a network without auxiliary
heads takes the weights of one that was trained with them. Layers of keras.applications have other names, some of them
numbers; but there is one for each of ours, in the same order.
"""

import io
import os
import re
import zipfile
from collections import Counter

import h5py
import keras
import ml_dtypes
import numpy as np

from keraslayers.models.weights import fit, sources
from keraslayers.models.weights.errors import Unreadable
from keraslayers.models.weights.torch_files import check_fit

OPTIONS = "Build the model with the options that the file's was built with"


def load(who, model, path):
    """Gives `model` the weights of a `.weights.h5`, `.keras` or `.h5` file.

    Raises:
        ValueError: if the file holds weights of another model.
        Unreadable: if it is none that Keras wrote, or damaged.
    """
    try:
        with _opened(path) as file:
            if "layers" not in file:
                _load_old(who, model, path, file.get("model_weights", file))
                return
            found, heads = {}, []
            for key, group in file["layers"].items():
                name = group["vars"].attrs["name"]
                found |= dict(_arrays(group, name))
                if key.startswith("auxiliary_output"):  # what Keras makes of the name of the class
                    heads.append(f"{name}_")
            if not _is_ours(model, found) and sources.of(who, sources.APPLICATIONS):
                row = [array for at in _places(sources.application(who, model)) for array in _vars(file, at)]
                _load_row(who, model, path, row)
                return
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise Unreadable(f"{error}") from error
    _load_named(who, model, path, found, heads)


def load_model(who, model, given):
    """Gives `model` the weights of `given`, a keras.Model: one of ours, or of keras.applications."""
    found = {name: [variable.numpy() for variable in fit.own(layer)] for name, layer in fit.leaves(given)}
    if _is_ours(model, found) or not sources.of(who, sources.APPLICATIONS):
        heads = [f"{layer.name}_" for layer in given.layers if type(layer).__name__ == "AuxiliaryOutput"]
        _load_named(who, model, given.name, found, heads)
    else:
        _load_row(who, model, given.name, given.get_weights())


def _is_ours(model, found):
    names = [name for name, layer in fit.leaves(model) if fit.own(layer)]
    return sum(name in found for name in names) > len(names) / 2


def _load_named(who, model, path, found, heads):
    names = {name for name, layer in fit.leaves(model)}
    left = [
        name
        for name, arrays in found.items()
        if len(arrays) and name not in names and not name.startswith(tuple(heads))
    ]
    fit.assign(who, path, model, found, left=left, remedy=f"{OPTIONS}.")


def _load_row(who, model, path, row):
    """The arrays of keras.applications in their order; what is in front of the first kernel scales images."""
    fits, options = sources.of(who, sources.APPLICATIONS)
    check_fit(who, model, path, "keras.applications", (fits,))
    kernels = [number for number, array in enumerate(row) if array.ndim == 4]
    row, found = row[kernels[0] if kernels else 0 :], {}
    for name, layer in fit.leaves(model):
        count = len(fit.own(layer))
        found[name], row = row[:count], row[count:]
    # A classifier has two at least.
    left = [f"array of the shape {array.shape}" for array in row] if fit.has_top(model) else []
    hint = f" ({options})" if options else ""
    fit.assign(who, path, model, found, left=left, remedy=f"{OPTIONS}{hint}; without classifier in the file "
               "with include_top=False.")  # fmt: skip


def _load_old(who, model, path, file):
    """`.h5` of Keras 2 and before, as keras.applications publishes: layers in a row, each with its arrays in a row."""
    layers = {
        name: [np.asarray(file[name][weight]) for weight in file[name].attrs["weight_names"]]
        for name in map(_text, file.attrs["layer_names"])
    }
    if _is_ours(model, layers) or not sources.of(who, sources.APPLICATIONS):
        _load_named(who, model, path, _split(model, layers), ())
    else:
        _load_row(who, model, path, [array for arrays in layers.values() for array in arrays])


def _split(model, layers):
    """The arrays of a layer go to it and to the layers in it, in their order."""
    found = dict(layers)
    for layer in model.layers:
        row = layers.get(layer.name, [])
        for name, inner in fit.named(layer, layer.name):
            count = len(fit.own(inner))
            found[name], row = row[:count], row[count:]
    return found


def _text(name):
    return name.decode() if isinstance(name, bytes) else name


def _opened(path):
    if not os.fspath(path).endswith(".keras"):
        return h5py.File(path)
    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read("model.weights.h5")))


def _arrays(group, name):
    """Yields (name, arrays) of a layer and of those inside it."""
    yield name, _own(group)
    # Where the layer is a model, as each downsampling of Keras's ConvNeXt, its layers lie one group deeper.
    inside = {**group, **group["layers"]} if "layers" in group else group
    for key, inner in inside.items():
        if key not in ("vars", "layers", "seed_generator"):  # how dropout goes on is no weight
            yield from _arrays(inner, f"{name}/{inner['vars'].attrs['name']}")


def _own(group):
    return [_array(group["vars"][key]) for key in sorted(group["vars"], key=int)]


def _array(data):
    return np.array(data, ml_dtypes.bfloat16 if data.attrs.get("dtype") == "bfloat16" else data.dtype)


def _places(model, begin="layers"):
    """Yields where Keras writes each layer of `model` within a `.weights.h5` file, in their order."""
    seen = Counter()
    for layer in model.layers:
        kind = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
        at = f"{begin}/{kind}_{seen[kind]}" if seen[kind] else f"{begin}/{kind}"
        seen[kind] += 1
        if isinstance(layer, keras.Model):
            yield from _places(layer, f"{at}/layers")
        else:
            yield at


def _vars(file, at):
    """The arrays of a layer, those of layers inside it behind; none where the file ends before."""
    if at not in file:
        return []
    group = file[at]
    inner = [array for key in group if key not in ("vars", "seed_generator") for array in _vars(group, key)]
    return _own(group) + inner
