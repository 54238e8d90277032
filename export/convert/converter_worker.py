"""The child process: converts one SavedModel after another, as its standard input asks.

`converter_worker.py MODULE`: one of Keras's that TensorFlow shall do without. Started by file name, so that it imports
neither keraslayers nor Keras.
"""

import json
import os
import re
import sys
import warnings
from pathlib import Path

STDERR = 2  # a file, so that what was written there can be read


def main(left_out):
    # The converter writes to stdout as it likes: answers go out by a copy that it does not know.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    # TensorFlow imports Keras for its optimizers, and goes without where it is not there: a third of the time to start.
    sys.modules[left_out] = None
    import tensorflow as tf

    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        try:
            answer["result"] = WAYS[request.pop("do")](tf, **request)
        except MemoryError:
            raise
        except Exception as error:  # of many classes, the converter's own not being public
            answer["error"] = str(error) or type(error).__name__
        answer["memory"] = resident()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def convert(tf, folder, types, io, optimize):
    """Makes `model.tflite`.

    Args:
        tf: tensorflow.
        folder: of the SavedModel.
        types: name of the dtype for weights, or None.
        io: dtype of inputs and outputs.
        optimize: whether weights or more become integers.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # With preprocessing a model may take uint8 by itself, in every precision.
        converter.inference_input_type = converter.inference_output_type = getattr(tf, io)
    if types:
        converter.target_spec.supported_types = [getattr(tf, types)]
    Path(folder, "model.tflite").write_bytes(converter.convert())


def calibrate(tf, folder, batch):
    """Makes `model.tflite` of `given.tflite`, a file in floats: the same with the ranges of what it computes.

    Args:
        tf, folder: see above.
        batch: of the file; samples go through it in calls of so many.
    """
    from tensorflow.lite.python.optimize import calibrator

    blob = calibrator.add_intermediate_tensors(Path(folder, "given.tflite").read_bytes())
    blob = calibrator.Calibrator(blob).calibrate(in_order(blob, calibration(folder, batch)))
    Path(folder, "model.tflite").write_bytes(blob)


def quantize_shorts(tf, folder, io, batch):
    """Makes `model.tflite` of `given.tflite`: weights of 8 bits, activations of 16."""
    from tensorflow.lite.python.optimize import calibrator

    blob = calibrator.add_intermediate_tensors(Path(folder, "given.tflite").read_bytes())
    outside = getattr(tf, io)
    blob = calibrator.Calibrator(blob).calibrate_and_quantize(
        in_order(blob, calibration(folder, batch)),
        outside,
        outside,
        allow_float=False,
        activations_type=tf.int16,
        bias_type=tf.int64,
    )
    Path(folder, "model.tflite").write_bytes(blob)


def quantize(tf, folder, io, nodes):
    """Makes `model.tflite` of `given.tflite`, a file in floats with ranges.

    The operators that compute the tensors of those names stay in floats, all others become integers.
    """
    Path(folder, "model.tflite").write_bytes(mixed(folder, getattr(tf, io), nodes))


def mixed(folder, outside, nodes):
    """A file whose operators that compute the tensors of those names are in floats.

    The quantizer gives what it moves and what it moves it to two scales at times, and dies of that: such an operator
    joins the others in floats.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    given, nodes = Path(folder, "given.tflite").read_bytes(), list(nodes)
    while True:
        start = os.fstat(STDERR).st_size
        try:
            return mlir_quantize(given, input_data_type=outside, output_data_type=outside, denylisted_nodes=nodes)
        except RuntimeError as error:  # which says nothing; what it died of stands in its error stream
            said = os.pread(STDERR, os.fstat(STDERR).st_size - start, start).decode(errors="replace")
            torn = re.search(r'loc\("([^"]*)"\): .* violate the same scale constraint', said)
            if not torn or torn[1] in nodes:
                why = re.search(r"error: (.*)", said)
                raise RuntimeError(str(error) or (why[1] if why else "the quantizer died")) from error
            nodes.append(torn[1])


def lose(tf, folder, batch, nodes, every):
    """What int8 loses in the operators that compute the tensors of those names.

    Args:
        tf, folder, batch: see above.
        nodes: their names.
        every: those of all operators.

    Returns:
        By output sums of squares: [of the error, of what differs from sample to sample, of all], outputs with these
        operators in int8 and all others in floats against those with all in floats.
    """
    import numpy as np

    exact = Path(folder, "exact.npz")
    if not exact.exists():
        np.savez(exact, *outputs(mixed(folder, tf.float32, every), folder, batch))
    with np.load(exact, allow_pickle=False) as stored:
        wanted = [stored[f"arr_{i}"] for i in range(len(stored.files))]
    got = outputs(mixed(folder, tf.float32, sorted(set(every) - set(nodes))), folder, batch)
    return [
        [float(np.sum(values**2)) for values in (x - y, y - y.mean(axis=0 if len(y) > 1 else None), y)]
        for x, y in zip(got, wanted, strict=True)
    ]


def outputs(blob, folder, batch, most=16):
    """What a file in floats computes of the first samples."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=blob, num_threads=os.cpu_count())
    run = interpreter.get_signature_runner()
    calls = [run(**call) for call in calibration(folder, batch, most)()]
    return [
        np.concatenate([np.atleast_1d(call[name]) for call in calls]).astype("float64") for name in sorted(calls[0])
    ]


WAYS = {way.__name__: way for way in (convert, calibrate, quantize, quantize_shorts, lose)}


def calibration(folder, batch, most=None):
    """The samples call by call, in batches of the file's own size, the last one filled up with the last sample."""
    import numpy as np

    with np.load(Path(folder) / "samples.npz", allow_pickle=False) as stored:
        samples = {name[1:]: stored[name] for name in stored.files}  # a sign comes before each name
    count = len(next(iter(samples.values())))
    count = min(count, most or count)

    def batches():
        for start in range(0, count, batch):
            chosen = np.minimum(np.arange(start, start + batch), count - 1)
            yield {name: values[chosen] for name, values in samples.items()}

    return batches


def in_order(blob, batches):
    """The same as lists in the order of a file's inputs: the calibrator takes dicts to be in that of its tensors."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=blob)
    order = [detail["index"] for detail in interpreter.get_input_details()]
    named = interpreter.get_signature_runner().get_input_details()
    names = sorted(named, key=lambda name: order.index(named[name]["index"]))
    return lambda: ([call[name] for name in names] for call in batches())


def resident():
    """Bytes of memory that this process holds; the most that it ever held where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most


if __name__ == "__main__":
    main(*sys.argv[1:])
