"""The argument `weights` of the builders: what others have published and what you have trained, in our layers.

It takes

- a keras.Model, of ours or of keras.applications, or a file of it: `.weights.h5`, `.keras`, `.h5`;
- a state dict of torchvision or timm: `.safetensors`, or `.pth`, which is read without PyTorch and runs no program;
- an address of such a file: `https://...`, or `hf://owner/name`, `hf://owner/name@revision/file`. `#sha256=...` behind
  it has the file checked. It is downloaded once, into the user's cache;
- `"imagenet"`, which is the first set of `published` that fits the other options, or one of those sets.

Images of other channels than the file's network has, other classes, and a file with a classifier for
`include_top=False` are no matter.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

import keras

from keraslayers.models.weights import download, keras_files, tensors, torch_files
from keraslayers.models.weights.errors import Unreadable
from keraslayers.models.weights.published import Published, chosen, of, scaled

__all__ = ["Published", "check", "chosen", "given", "load", "loaded", "of", "scaled"]

KERAS = (".weights.h5", ".keras", ".h5", ".hdf5")
ENDINGS = (*KERAS, *tensors.ENDINGS)


def given(who: str, parameters: Mapping[str, inspect.Parameter], options: dict[str, Any]) -> dict[str, Any]:
    """Returns `options` with what `weights="imagenet"` stands for; with published weights goes their preprocessing.

    Args:
        who: name of the builder.
        parameters: those of its signature, by their names.
    """
    weights = options.get("weights")
    if isinstance(weights, str) and weights == "imagenet":
        defaults = {name: parameter.default for name, parameter in parameters.items()}
        weights = chosen(who, {**defaults, **options})
    if not isinstance(weights, Published):
        return options
    options = {**options, "weights": weights}
    return {**options, "preprocessing": weights} if options.get("preprocessing") else options


def check(who: str, weights: Any) -> None:
    """Raises unless `weights` is None, a keras.Model, a published set, an address, or the path of a file."""
    if weights is None or isinstance(weights, keras.Model):
        return
    if isinstance(weights, Published):
        if weights.builder != who:
            raise ValueError(f"`{who}`: `weights` must be of this network; got those of {weights.builder}.")
        return
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(
            f"`{who}`: `weights` must be None, the path or address of a file, 'imagenet' or a keras.Model; got "
            f"{weights!r}."
        )
    path = os.fspath(weights)
    if download.is_address(path):
        path, _ = download.parse(who, path)
    if not path.endswith(ENDINGS):
        raise ValueError(
            f"`{who}`: `weights` must be None, 'imagenet', a keras.Model or the path or address of a file that ends in "
            f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}; got {path!r}."
        )
    if not download.is_address(path) and not os.path.isfile(path):
        raise FileNotFoundError(f"`{who}`: `weights` names a file that does not exist; got {path!r}.")


def loaded(
    who: str, model: keras.Model, weights: str | os.PathLike[str] | keras.Model | Published | None
) -> keras.Model:
    """The model with `weights`, or as it is where these are None; raises as `load`."""
    if weights is not None:
        load(who, model, weights)
    return model


def load(who: str, model: keras.Model, weights: str | os.PathLike[str] | keras.Model | Published) -> None:
    """Gives every layer its weights; those of auxiliary heads may be left over.

    Raises:
        ConnectionError: if they cannot be downloaded.
        ValueError: if the file is none, or holds weights of another model.
    """
    if isinstance(weights, keras.Model):
        keras_files.load_model(who, model, weights)
        return
    if isinstance(weights, Published):
        path = download.fetch(who, *download.parse(who, weights.url)[:1], weights.hash)
    elif download.is_address(weights):
        path = download.fetch(who, *download.parse(who, weights))
    else:
        path = os.fspath(weights)
    try:
        (keras_files if path.endswith(KERAS) else torch_files).load(who, model, path)
    except Unreadable as error:
        wrote, write = "torch.save or safetensors wrote", ""
        if path.endswith(KERAS):
            wrote = "Keras 3 wrote"
            write = " Write one with model.save('name.keras') or model.save_weights('name.weights.h5')."
        raise ValueError(
            f"`{who}`: `weights` must be a file that {wrote}; {path!r} is something else or damaged ({error}).{write}"
        ) from error
