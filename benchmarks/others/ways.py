"""The ways to a file: what TensorFlow's converter makes of a model, what Keras's own export does, and ours."""

import tempfile
from pathlib import Path

import keras

from keraslayers import export
from keraslayers._quiet import quiet
from keraslayers.export import Proof, Verdict
from keraslayers.export.file.graph import read_graph


def stock(model, samples):
    """A bare `TFLiteConverter` of a SavedModel whose function has a batch of 1."""
    import tensorflow as tf

    flat = named(samples)
    specs = {name: tf.TensorSpec((1, *x.shape[1:]), x.dtype, name) for name, x in flat.items()}

    @tf.function(autograph=False, input_signature=[specs])
    def serve(inputs):
        tensors = [inputs[name] for name in specs]
        outputs = model(keras.tree.pack_sequence_as(samples, tensors), training=False)
        return {f"output_{i}": output for i, output in enumerate(keras.tree.flatten(outputs))}

    module = tf.Module()
    module.held = [variable.value for variable in model.variables]
    with tempfile.TemporaryDirectory() as folder, quiet():
        tf.saved_model.save(module, folder, {"serving_default": serve.get_concrete_function()})
        blob = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return export.prove(blob, ("cpu", "gpu"), flat, model).proofs


def keras_export(model, samples):
    """`keras.Model.export(format='litert')`, whose files leave the batch open and have names of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        with quiet():
            model.export(str(path), format="litert", verbose=False)
        blob = path.read_bytes()
    left, given = list(named(samples).values()), {}
    for tensor in read_graph(blob).inputs:
        found = max(range(len(left)), key=lambda i: _likeness(left[i], tensor))
        given[tensor.name] = left.pop(found).astype(tensor.dtype)
    try:
        return export.prove(blob, ("cpu", "gpu"), given).proofs
    except ValueError as error:
        if "leaves sizes open" not in str(error):
            raise
        return [Proof(runtime, Verdict.UNTESTED, str(error)) for runtime in ("cpu", "gpu")]


def named(samples):
    """Samples by name, in the order in which Keras lays them flat."""
    if isinstance(samples, dict):
        return dict(sorted(samples.items()))
    return {f"input_{i}": x for i, x in enumerate(keras.tree.flatten(samples))}


def _likeness(x, tensor):
    return x.ndim == len(tensor.shape), x.shape[1:] == tensor.shape[1:], x.dtype == tensor.dtype


def float32(model, samples):
    """Our file for a GPU, which must be right on the CPU, too."""
    return export.to_tflite(model, target="gpu", samples=samples).report.proofs


def int8(model, samples):
    """Our file for a CPU."""
    return export.to_tflite(model, target="cpu", precision="int8", samples=samples).report.proofs
