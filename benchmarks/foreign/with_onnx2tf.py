"""Converts NAME.onnx by onnx2tf: `python with_onnx2tf.py FOLDER WORD [NAME...]`; needs its environment.

Of each network NAME: WORD-NAME.tflite in floats, and WORD-NAME-int8.tflite.
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
KINDS = {"": "float32", "-int8": "full_integer_quant"}
# It runs every network of images on these, which it looks for here before it fetches them.
IMAGES = "calibration_image_sample_data_20x128x128x3_float32.npy"


def main(folder, word, names):
    os.chdir(folder)
    np.save(IMAGES, np.load("images.npy"))
    for path in sorted(Path().glob("*.onnx")):
        made = {kind: Path(f"{word}-{path.stem}{kind}.tflite") for kind in KINDS}
        if (names and path.stem not in names) or all(file.exists() for file in made.values()):
            continue
        for quantize in (True, False):  # where it cannot quantize, it leaves no file in floats, either
            try:
                convert(path, made, quantize)
            except (Exception, SystemExit):  # what a converter raises; it ends the process, too
                Path(f"{word}-{path.stem}.failed").write_text(traceback.format_exc())
            else:
                break


def convert(path, made, quantize):
    """Writes the files of a network; without calibration where its input is no floats."""
    samples = np.load(path.with_suffix(".npy"))
    with tempfile.TemporaryDirectory() as folder:
        options = {}
        if quantize and samples.dtype == np.float32:
            channels_last = np.moveaxis(samples[:CALIBRATION], 1, -1)
            np.save(calls := f"{folder}/calls.npy", channels_last)
            ones = np.ones([1] * channels_last.ndim)
            options["output_integer_quantized_tflite"] = True
            options["custom_input_op_name_np_data_path"] = [["input", calls, (0 * ones).tolist(), ones.tolist()]]
        onnx2tf.convert(str(path), output_folder_path=folder, non_verbose=True, **options)
        for kind, file in made.items():
            found = Path(folder, f"{path.stem}_{KINDS[kind]}.tflite")
            if found.exists():
                shutil.copy(found, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
