"""The child process: converts one SavedModel after another, as its standard input asks.

Started by file name, so that it imports neither keraslayers nor Keras.
"""

import json
import os
import sys
import warnings
from pathlib import Path


def main():
    # The converter writes to stdout as it likes: answers go out by a copy that it does not know.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    import tensorflow as tf

    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        try:
            blob = convert(tf, **request)
            Path(request["folder"], "model.tflite").write_bytes(blob)
        except MemoryError:
            raise
        except Exception as error:  # of many classes, the converter's own not being public
            answer["error"] = str(error) or type(error).__name__
        answer["memory"] = resident()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def convert(tf, folder, types, kernels, io, optimize, batch):
    """Converts.

    Args:
        tf: tensorflow.
        folder: of the SavedModel.
        types: name of the dtype for weights, or None.
        kernels: name of the set of kernels that alone may be used, or None for all.
        io: dtype of inputs and outputs.
        optimize: whether weights or more become integers.
        batch: of the file; samples go through it in calls of so many.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # With preprocessing a model may take uint8 by itself, in every precision.
        converter.inference_input_type = converter.inference_output_type = getattr(tf, io)
    if types:
        converter.target_spec.supported_types = [getattr(tf, types)]
    if kernels:
        # Integer kernels only: an operator without one is an error, not a float in the middle.
        converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, kernels)]
        converter.representative_dataset = calibration(Path(folder) / "samples.npz", batch)
    return converter.convert()


def calibration(path, batch):
    """The samples call by call, in batches of the file's own size, the last one filled up with the last sample."""
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        samples = dict(stored)
    count = len(next(iter(samples.values())))

    def batches():
        for start in range(0, count, batch):
            chosen = np.minimum(np.arange(start, start + batch), count - 1)
            yield {name: values[chosen] for name, values in samples.items()}

    return batches


def resident():
    """Bytes of memory that this process holds; the most that it ever held where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most


if __name__ == "__main__":
    main()
