"""The argument `weights` of the builders: what others have published and what you have trained, in our layers."""

import os

import keras

from keraslayers.models.weights import keras_files, tensors, torch_files
from keraslayers.models.weights.errors import Unreadable

KERAS = (".weights.h5", ".keras", ".h5", ".hdf5")
ENDINGS = (*KERAS, *tensors.ENDINGS)


def check(who, weights):
    """Raises unless `weights` is None, a keras.Model or the path of a file that can hold weights."""
    if weights is None or isinstance(weights, keras.Model):
        return
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"`{who}`: `weights` must be None, the path of a file or a keras.Model; got {weights!r}.")
    path = os.fspath(weights)
    if not path.endswith(ENDINGS):
        raise ValueError(
            f"`{who}`: `weights` must be None, a keras.Model or the path of a file that ends in "
            f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}; got {path!r}."
        )
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`{who}`: `weights` names a file that does not exist; got {path!r}.")


def load(who, model, weights):
    """Gives every layer its weights; those of auxiliary heads may be left over.

    Raises:
        ValueError: if the file is none, or holds weights of another model.
    """
    if isinstance(weights, keras.Model):
        keras_files.load_model(who, model, weights)
        return
    path = os.fspath(weights)
    try:
        (keras_files if path.endswith(KERAS) else torch_files).load(who, model, path)
    except Unreadable as error:
        wrote = "Keras 3 wrote" if path.endswith(KERAS) else "torch.save or safetensors wrote"
        write = (
            " Write one with model.save('name.keras') or model.save_weights('name.weights.h5')."
            if path.endswith(KERAS)
            else ""
        )
        raise ValueError(
            f"`{who}`: `weights` must be a file that {wrote}; {path!r} is something else or damaged ({error}).{write}"
        ) from error
