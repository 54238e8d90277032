"""The only file that touches the TFLite converter."""

import tempfile
import warnings

import keras

from keraslayers._quiet import quiet
from keraslayers.export.four_bits import four_bits
from keraslayers.export.precisions import INTEGER, IO


def convert(interface, model, shapes, precision, samples, io):
    """Converts a Keras model.

    Args:
        interface: of the user's model: gives names and order.
        model: what to convert in its place.
        shapes: by input name the static shape, batch included.
        precision: one of `precisions.PRECISIONS`.
        samples: by input name arrays of (samples, ...), to measure the ranges of an integer file; None where the
            model holds trained ones, and for other files.
        io: dtype of inputs and outputs.

    Returns:
        The bytes of a .tflite file.

    Raises:
        RuntimeError: if the converter refuses the model, in its own words.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"`to_tflite`: needs the TensorFlow backend, Keras runs on {keras.backend.backend()!r}. Save the model, "
            "then export it in a process with KERAS_BACKEND=tensorflow: `keraslayers export model.keras`."
        )
    import tensorflow as tf

    signature = [tf.TensorSpec(shapes[entry.name], entry.dtype, entry.name) for entry in interface.inputs]

    def serve(*tensors):
        return interface(tensors, model)

    with tempfile.TemporaryDirectory(prefix="keraslayers-") as folder, quiet(), warnings.catch_warnings():
        # The converter itself calls what it warns of, once for every int8 file.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
        try:
            archive = keras.export.ExportArchive()
            archive.track(model)
            if isinstance(interface.preprocessing, keras.layers.Layer):
                archive.track(interface.preprocessing)
            archive.add_endpoint("serve", serve, signature)
            archive.write_out(folder, verbose=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            measure = precision in INTEGER and samples is not None
            _configure(converter, tf, precision, io, measure)
            if measure:
                converter.representative_dataset = _calibration(samples, shapes)
            blob = converter.convert()
        except (tf.errors.OpError, RuntimeError, ValueError, TypeError) as error:
            error.add_note(f"`to_tflite`: the TFLite converter refused model {interface.model.name!r}.")
            raise
        except Exception as error:
            # The converter's own error class is not public.
            if type(error).__name__ != "ConverterError":
                raise
            raise RuntimeError(
                f"`to_tflite`: the TFLite converter refused model {interface.model.name!r}: {_gist(str(error))}"
                f"{_remedy(interface.model)}"
            ) from error
    return four_bits(blob) if precision == "int4" else blob


def _configure(converter, tf, precision, io, measure):
    if precision in ("float32", "int4"):  # those of 4 bits are made of a file in floats
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if measure:
        # Integer kernels only: an operator without one is an error, not a float in the middle.
        kernels = {
            "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            "int16x8": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        }
        converter.target_spec.supported_ops = [kernels[precision]]
    if precision in INTEGER:
        # With preprocessing a model may take uint8 by itself, in every precision.
        outside = getattr(tf, io if IO[io] == precision else "float32")
        converter.inference_input_type = converter.inference_output_type = outside


def _calibration(samples, shapes):
    """The samples call by call, in batches of the file's own size, the last one filled up with the last sample."""
    import numpy as np

    def batches():
        count = len(next(iter(samples.values())))
        batch = next(iter(shapes.values()))[0]
        for start in range(0, count, batch):
            chosen = np.minimum(np.arange(start, start + batch), count - 1)
            yield {name: values[chosen] for name, values in samples.items()}

    return batches


def _gist(words):
    """The lines of a converter error that say something: which operators it has no kernels for, else its errors."""
    lines = [line.strip() for line in words.splitlines()]
    lacking = [line for line in lines if line.startswith(("TF Select ops:", "Custom ops:"))]
    return " ".join(lacking or [line for line in lines if "error:" in line][:3])[:600] or words[:600]


def _remedy(model):
    """What to do about layers that compute in floats for which TFLite has hardly a kernel; empty without any."""
    odd = {layer.compute_dtype for layer in model._flatten_layers()} & {"float16", "bfloat16", "float64"}
    if not odd:
        return ""
    return (
        f". It computes in {' and '.join(sorted(odd))}: build it anew under the dtype policy 'float32' and give it "
        "these weights, new.set_weights(model.get_weights())"
    )
