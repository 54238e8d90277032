"""Optimized models in files, so that training can go on another day."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers.export.file.files import writable, write
from keraslayers.export.optimize import clustering, pruning, quantizing
from keraslayers.export.optimize._tfmot import tfmot
from keraslayers.export.optimize.kernels import kernel_key
from keraslayers.export.optimize.model import Optimized, plan_of, settle, tied, ties
from keraslayers.export.optimize.rebuild import every_kernel
from keraslayers.export.source.in_float32 import float32_policy

SUFFIX = ".zip"
VERSION = 2  # in 1 the weights of some networks with shortcuts stood in another order


def save(model: Optimized, path: str | os.PathLike[str]) -> None:
    """Writes an optimized model: the user's model, all weights, ranges, masks, centroids and steps.

    What it was compiled with and the optimizer's own weights are not in it.

    Args:
        model: what `quantize_aware`, `prune` or `cluster` gave.
        path: of a file that ends in `.zip`: JSON and NumPy arrays.

    Raises:
        TypeError: if `model` is no such model.
        ValueError, OSError: if no such file can be written there.
    """
    who = "save"
    plan = plan_of(model)
    if plan is None:
        raise TypeError(
            f"`{who}`: `model` must be one that `quantize_aware`, `prune` or `cluster` gave; got "
            f"{type(model).__name__}. Any other saves itself: model.save(path)."
        )
    path = writable(who, "path", path, SUFFIX)
    about = {
        "version": VERSION,
        "kind": plan.kind,
        "options": plan.options,
        "sparse": sorted(plan.sparse),
        "clustered": sorted(plan.clustered),
        "ties": ties(plan.source),
        "source": keras.saving.serialize_keras_object(plan.source),
    }
    arrays = {f"source_{i}": ops.convert_to_numpy(weight) for i, weight in enumerate(plan.source.weights)}
    arrays |= {f"added_{i}": ops.convert_to_numpy(weight) for i, weight in enumerate(_added(model))}
    for wrapper in plan.wrappers:
        arrays |= {f"begin_{name}": values for name, values in wrapper.beginnings().items()}
    file, packed = io.BytesIO(), io.BytesIO()
    np.savez(packed, **arrays)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("about.json", json.dumps(about, indent=1))
        archive.writestr("weights.npz", packed.getvalue())
    write({path: file.getvalue()})


@float32_policy()
def load(path: str | os.PathLike[str], *, custom_objects: Mapping[str, Any] | None = None) -> Optimized:
    """Reads what `save` wrote; no code out of the file is run.

    Args:
        path: of the file.
        custom_objects: by name the classes of the model's own layers, where they are not registered with Keras.

    Returns:
        An `Optimized` model, not compiled.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is another kind of file.
        ImportError: if tensorflow-model-optimization is not installed.
    """
    who = "load"
    tfmot(who)
    path = Path(os.fspath(path))
    if not path.is_file():
        raise FileNotFoundError(f"`{who}`: `path`: there is no file {str(path)!r}.")
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("about.json"))
            with np.load(io.BytesIO(archive.read("weights.npz")), allow_pickle=False) as packed:
                arrays = dict(packed)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(f"`{who}`: `path` {str(path)!r} is no file that `optimize.save` wrote: {error}") from error
    if about["version"] != VERSION:
        raise ValueError(f"`{who}`: `path` {str(path)!r} is of version {about['version']}; known is {VERSION}.")
    source = keras.saving.deserialize_keras_object(about["source"], custom_objects=custom_objects)
    source = tied(who, source, about.get("ties"))
    weights = [arrays[f"source_{i}"] for i in range(len(source.weights))]
    source.set_weights(weights)
    settle(source)
    begin = {name.removeprefix("begin_"): values for name, values in arrays.items() if name.startswith("begin_")}
    options = about["options"]
    if about["kind"] == "prune":
        made = pruning.build(who, source, options)
    elif about["kind"] == "cluster":
        made = clustering.build(who, source, options, about["sparse"], begin)
    else:
        # Clusters are looked for in the kernels as they were when training began.
        for kernel in every_kernel(source):
            key = kernel_key(kernel.label, kernel.variable)
            if key in begin:
                kernel.variable.assign(begin[key])
        made = quantizing.build(who, source, options, about["sparse"], about["clustered"])
        source.set_weights(weights)
    for i, weight in enumerate(_added(made)):
        weight.assign(arrays[f"added_{i}"])
    return made


def _added(model):
    """The weights that the user's model does not have."""
    own = {id(weight) for weight in model.plan.source.weights}
    return [weight for weight in model.weights if id(weight) not in own]
