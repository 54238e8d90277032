"""The ways to a file: what TensorFlow's converter makes of a model, what Keras's own export does, and ours."""

import tempfile
from pathlib import Path

import keras

from keraslayers import export
from keraslayers._quiet import quiet
from keraslayers.export.file.graph import read_graph


def stock(model, samples):
    """A bare `TFLiteConverter` of a function with a batch of 1."""
    import tensorflow as tf

    flat = keras.tree.flatten(samples)

    @tf.function(autograph=False)
    def serve(*inputs):
        outputs = model(keras.tree.pack_sequence_as(samples, list(inputs)), training=False)
        return keras.tree.flatten(outputs)

    names = samples if isinstance(samples, dict) else [f"input_{i}" for i in range(len(flat))]
    specs = [tf.TensorSpec((1, *x.shape[1:]), x.dtype, name) for name, x in zip(names, flat, strict=True)]
    with quiet():
        function = serve.get_concrete_function(*specs)
        blob = tf.lite.TFLiteConverter.from_concrete_functions([function], model).convert()
    return proven(blob, model, samples)


def keras_export(model, samples):
    """`keras.Model.export(format='litert')`, whose files leave the batch open."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        with quiet():
            model.export(str(path), format="litert", verbose=False)
        return proven(path.read_bytes(), model, samples)


def proven(blob, model, samples):
    graph = read_graph(blob)
    given = dict(samples) if isinstance(samples, dict) else keras.tree.flatten(samples)
    if isinstance(given, dict) and set(given) != {tensor.name for tensor in graph.inputs}:
        given = list(given.values())
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    return export.prove(blob, ("cpu", "gpu"), given, model).proofs


def float32(model, samples):
    """Our file for a GPU, which must be right on the CPU, too."""
    return export.to_tflite(model, target="gpu", samples=samples).report.proofs


def int8(model, samples):
    """Our file for a CPU."""
    return export.to_tflite(model, target="cpu", precision="int8", samples=samples).report.proofs
