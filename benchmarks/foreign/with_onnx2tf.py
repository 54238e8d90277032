"""Converts NAME.onnx by onnx2tf: `python with_onnx2tf.py FOLDER WORD NAME [COUNT [KIND]]`, in its environment.

Makes WORD-NAME.tflite in floats, and WORD-NAME-int8.tflite where it can, of the first COUNT samples in NAME.npy. KIND
is its word for files of integers: "full_integer_quant", or "integer_quant" for one whose ends are floats.
"""

import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import onnx2tf

CALIBRATION = 8
INTEGERS = "full_integer_quant"


def main(folder, word, name, count=CALIBRATION, kind=INTEGERS):
    os.chdir(folder)  # where it looks for images to run every network on, before it fetches some
    samples = np.load(f"{name}.npy")
    if samples.dtype == np.float32:
        try:
            convert(name, word, samples[: int(count)], kind)
        except (Exception, SystemExit):  # of whatever class; where it cannot quantize, it leaves no other file, either
            traceback.print_exc()
        else:
            return
    convert(name, word, None)


def convert(name, word, samples, integers=INTEGERS):
    """Writes the files of a network, that of integers where there are samples."""
    with tempfile.TemporaryDirectory() as made:
        options = {"replace_to_pseudo_operators": ["erf", "gelu"]}  # else files need TensorFlow's kernel of erf
        if samples is not None:
            channels_last = np.moveaxis(samples, 1, -1)
            np.save(calls := f"{made}/calls.npy", channels_last)
            ones = np.ones([1] * channels_last.ndim)
            options["output_integer_quantized_tflite"] = True
            options["custom_input_op_name_np_data_path"] = [["input", calls, (0 * ones).tolist(), ones.tolist()]]
        onnx2tf.convert(f"{name}.onnx", output_folder_path=made, non_verbose=True, **options)
        for kind, called in {"": "float32", "-int8": integers}.items():
            found = Path(made, f"{name}_{called}.tflite")
            if found.exists():
                shutil.copy(found, f"{word}-{name}{kind}.tflite")


if __name__ == "__main__":
    main(*sys.argv[1:])
