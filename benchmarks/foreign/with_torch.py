"""Converts the networks by litert-torch, and to ONNX: `python with_torch.py FOLDER [NAME...]`; needs its environment.

Of each network NAME: litert_torch-NAME.tflite in floats, one of int8 by litert-quantizer where asked for, NAME.onnx.
"""

import sys
import traceback
from pathlib import Path

import litert_torch
import numpy as np
import torch
from litert_quantizer import quantizer, recipe
from networks import NETWORKS, build

# How many of the samples calibrate what is quantized.
CALIBRATION = 8


def main(folder, names):
    for name in names or NETWORKS:
        try:
            convert(name, folder)
        except Exception:  # of whatever class a converter raises; there is no file then, and the next is made
            (folder / f"{name}.failed").write_text(traceback.format_exc())


def convert(name, folder):
    samples = np.load(folder / f"{name}.npy")
    network = build(name, samples)
    one = (torch.from_numpy(samples[:1]),)
    onnx = folder / f"{name}.onnx"
    if not onnx.exists():
        torch.onnx.export(network, one, onnx, input_names=["input"], dynamo=False, opset_version=17)
    path = folder / f"litert_torch-{name}.tflite"
    if not path.exists():
        litert_torch.convert(network, one).export(str(path))
    quantized = folder / f"litert_torch-{name}-int8.tflite"
    if not quantized.exists():
        work = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
        calls = [{"args_0": sample[None]} for sample in samples[:CALIBRATION]]
        found = work.calibrate({"serving_default": calls})
        work.quantize(found).export_model(str(quantized))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
