"""The one door to tensorflow-model-optimization, which leaves the process as it was."""

import functools
import importlib
import importlib.util
import os
import types
import warnings

import keras

SWITCH = "TF_USE_LEGACY_KERAS"
_CORE = "tensorflow_model_optimization.python.core."
# What is used of it. None of these takes a model or a layer of Keras 2: they compute on tensors and tf.Variables.
_PARTS = {
    "quantizers": "quantization.keras.quantizers",
    "default": "quantization.keras.default_8bit.default_8bit_quantizers",
    "config": "quantization.keras.quantize_config",
    "prune_preserve": "quantization.keras.collab_opts.prune_preserve.prune_preserve_quantize_registry",
    "cluster_preserve": "quantization.keras.collab_opts.cluster_preserve.cluster_preserve_quantize_registry",
    "pruning": "sparsity.keras.pruning_impl",
    "schedules": "sparsity.keras.pruning_schedule",
    "clustering": "clustering.keras.clustering_algorithm",
    "centroids": "clustering.keras.clustering_centroids",
    "cluster_config": "clustering.keras.cluster_config",
}


def tfmot(who):
    """The parts of tensorflow-model-optimization by name, and `keras2`, the Keras it is written for.

    Args:
        who: the function that needs them, for messages.

    Raises:
        ImportError: if it is not installed.
        RuntimeError: if Keras computes with another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"`{who}`: needs the TensorFlow backend, as tensorflow-model-optimization does; Keras runs on "
            f"{keras.backend.backend()!r}. Save the model and go on in a process with KERAS_BACKEND=tensorflow."
        )
    lacking = [name for name in ("tensorflow_model_optimization", "tf_keras") if not importlib.util.find_spec(name)]
    if lacking:
        raise ImportError(
            f"`{who}`: needs {' and '.join(lacking)}, not installed here: pip install 'keraslayers[optimize]'"
        )
    return _parts()


@functools.cache
def _parts():
    import tensorflow as tf

    # Importing tfmot sets the switch, and `tf.keras` reads it when it is first used: from then on it would be Keras 2
    # for the whole process. So it is used before.
    _ = tf.keras.__name__
    before = os.environ.get(SWITCH)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = {name: importlib.import_module(_CORE + path) for name, path in _PARTS.items()}
            parts["keras2"] = importlib.import_module("tf_keras")
    finally:
        os.environ.pop(SWITCH, None)
        if before is not None:
            os.environ[SWITCH] = before
    return types.SimpleNamespace(**parts)
