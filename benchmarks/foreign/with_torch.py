"""Converts a network by litert-torch, and to ONNX: `python with_torch.py FOLDER WORD NAME [COUNT]`, in its environment.

Makes WORD-NAME.tflite in floats, WORD-NAME-int8.tflite by litert-quantizer, and NAME.onnx, of the samples in NAME.npy,
of which the first COUNT are calibrated with; NAME.pth, its weights, and NAME-given.npy, what PyTorch gives of them.
"""

import sys
from pathlib import Path

import litert_torch
import numpy as np
import torch
from litert_quantizer import quantizer, recipe
from networks import NETWORKS, build, published

CALIBRATION = 8


def main(folder, word, name, count=CALIBRATION):
    samples = np.load(folder / f"{name}.npy")
    network = (build if name in NETWORKS else published)(name, samples[: int(count)])
    with torch.no_grad():
        given = network(torch.from_numpy(samples))
    if isinstance(given, torch.Tensor):
        np.save(folder / f"{name}-given.npy", given.numpy())
    torch.save(network.state_dict(), folder / f"{name}.pth")
    one = (torch.from_numpy(samples[:1]),)
    torch.onnx.export(network, one, folder / f"{name}.onnx", input_names=["input"], dynamo=False, opset_version=17)
    path = folder / f"{word}-{name}.tflite"
    litert_torch.convert(network, one).export(str(path))
    work = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
    calls = [{"args_0": sample[None]} for sample in samples[: int(count)]]
    found = work.calibrate({"serving_default": calls})
    work.quantize(found).export_model(str(folder / f"{word}-{name}-int8.tflite"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
