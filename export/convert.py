"""The only file that touches the TFLite converter."""

import contextlib
import logging
import os
import tempfile

import keras


def convert(interface, model, shapes, precision, samples, io):
    """Converts a Keras model.

    Args:
        interface: of the user's model: gives names and order.
        model: what to convert in its place.
        shapes: by input name the static shape, batch included.
        precision: one of `pipeline.PRECISIONS`.
        samples: by input name arrays of (samples, ...), to calibrate int8; else None.
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

    with tempfile.TemporaryDirectory(prefix="keraslayers-") as folder, _quiet():
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serve", serve, signature)
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        _configure(converter, tf, precision, io)
        if precision == "int8":
            converter.representative_dataset = _calibration(samples, shapes)
        try:
            return converter.convert()
        except (tf.errors.OpError, RuntimeError, ValueError, TypeError) as error:
            error.add_note(f"`to_tflite`: the TFLite converter refused model {interface.model.name!r}.")
            raise
        except Exception as error:
            # The converter's own error class is not public.
            if type(error).__name__ != "ConverterError":
                raise
            raise RuntimeError(
                f"`to_tflite`: the TFLite converter refused model {interface.model.name!r}: {_gist(str(error))}"
            ) from error


def _configure(converter, tf, precision, io):
    if precision == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        # Integer kernels only: an operator without one is an error, not a float in the middle.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, io)


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
    """The lines of a converter error that say something."""
    lines = [line.strip() for line in words.splitlines() if "error:" in line]
    return " ".join(lines[:3])[:600] or words[:600]


@contextlib.contextmanager
def _quiet():
    """Silences what the converter writes about every export, on stderr below Python too."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said, open(os.devnull, "w") as sink:
        os.dup2(said.fileno(), 2)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            with contextlib.redirect_stdout(sink):
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
