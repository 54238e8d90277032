"""Converts a network by litert-torch, and to ONNX: `python with_torch.py FOLDER WORD NAME`, in its environment.

Makes WORD-NAME.tflite in floats, WORD-NAME-int8.tflite by litert-quantizer, and NAME.onnx, of the samples in NAME.npy.
"""

import sys
from pathlib import Path

import litert_torch
import numpy as np
import torch
from litert_quantizer import quantizer, recipe
from networks import build

# How many of the samples calibrate what is quantized.
CALIBRATION = 8


def main(folder, word, name):
    samples = np.load(folder / f"{name}.npy")
    network = build(name, samples)
    one = (torch.from_numpy(samples[:1]),)
    torch.onnx.export(network, one, folder / f"{name}.onnx", input_names=["input"], dynamo=False, opset_version=17)
    path = folder / f"{word}-{name}.tflite"
    litert_torch.convert(network, one).export(str(path))
    work = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
    calls = [{"args_0": sample[None]} for sample in samples[:CALIBRATION]]
    found = work.calibrate({"serving_default": calls})
    work.quantize(found).export_model(str(folder / f"{word}-{name}-int8.tflite"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
