"""Classifies pictures with a .tflite file on a Raspberry Pi, or any computer: needs `ai-edge-litert` and `numpy` alone.

The file is an image classifier that was saved with its labels, best exported with `preprocessing`, so that it takes
pixels as they are; for others --mean and --std say what it was trained on. A picture is a .ppm or .pgm file (binary, 8
bits, as `convert photo.jpg photo.ppm` of ImageMagick writes it) or a .npy array of (height, width, channels).

python raspberry_pi.py model.tflite photo.ppm --threads 4
"""

import argparse
import statistics
import time
import zipfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def read_labels(path):
    """The lines of labels.txt, which lies in a zip archive behind the model; none if there is no archive."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        return archive.read("labels.txt").decode().split("\n")


def read_image(path):
    """Pixels as an array of (height, width, channels)."""
    if path.suffix == ".npy":
        pixels = np.load(path, allow_pickle=False)
        return pixels if pixels.ndim == 3 else pixels[..., None]
    # P6 (RGB) or P5 (gray), width, height, 255, one white space, then the pixels; a line may be a comment.
    head, data = [], path.read_bytes()
    while len(head) < 4:
        line, _, data = data.partition(b"\n")
        head += line.partition(b"#")[0].split()
    channels = {b"P6": 3, b"P5": 1}[head[0]]
    width, height = int(head[1]), int(head[2])
    return np.frombuffer(data, np.uint8, height * width * channels).reshape(height, width, channels)


def resize(pixels, height, width):
    """The largest middle part of the wanted shape, brought to size by means over its pixels, or repeated ones."""
    scale = min(pixels.shape[0] / height, pixels.shape[1] / width)
    top, left = (pixels.shape[0] - scale * height) / 2, (pixels.shape[1] - scale * width) / 2
    # Four by four points in every new pixel.
    rows = (top + scale * (np.arange(height * 4) + 0.5) / 4).astype(int)
    columns = (left + scale * (np.arange(width * 4) + 0.5) / 4).astype(int)
    points = pixels[rows][:, columns].reshape(height, 4, width, 4, -1)
    return points.mean((1, 3), dtype="float32")


def to_channels(pixels, channels):
    """Gray of RGB, or RGB of gray."""
    if pixels.shape[2] == channels:
        return pixels
    return pixels @ np.float32([[0.299], [0.587], [0.114]]) if channels == 1 else np.repeat(pixels, 3, axis=2)


def quantize(values, tensor):
    """Real values as the input holds them."""
    scale, zero_point = tensor["quantization"]
    if np.issubdtype(tensor["dtype"], np.integer):
        limits = np.iinfo(tensor["dtype"])
        values = np.clip(np.round(values / (scale or 1)) + zero_point, limits.min, limits.max)
    return values.astype(tensor["dtype"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=4, help="cores to use; a Raspberry Pi has four")
    parser.add_argument("--mean", type=float, nargs="+", default=[0.0], help="trained on (pixel - mean) / std")
    parser.add_argument("--std", type=float, nargs="+", default=[1.0])
    parser.add_argument("--runs", type=int, default=20, help="calls to time")
    options = parser.parse_args()

    labels = read_labels(options.model)
    interpreter = Interpreter(str(options.model), num_threads=options.threads)
    interpreter.allocate_tensors()
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    _, height, width, channels = entry["shape"]
    scale, zero_point = exit_["quantization"]
    for path in options.images:
        pixels = to_channels(resize(read_image(path), height, width), channels)
        values = (pixels - np.float32(options.mean)) / np.float32(options.std)
        interpreter.set_tensor(entry["index"], quantize(values, entry)[None])
        interpreter.invoke()
        scores = interpreter.get_tensor(exit_["index"]).reshape(-1)
        if scale:
            scores = (scores.astype("float32") - zero_point) * scale
        best = np.argsort(-scores)[:3]
        print(f"{path}: " + ", ".join(f"{labels[i] if labels else i} {scores[i]:.3f}" for i in best))

    times = []
    for _ in range(options.runs):
        start = time.perf_counter()
        interpreter.invoke()
        times.append(1000 * (time.perf_counter() - start))
    print(f"{statistics.median(times):.2f} ms a call, {options.threads} threads, median of {options.runs}")


if __name__ == "__main__":
    main()
