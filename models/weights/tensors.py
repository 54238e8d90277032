"""Files of PyTorch's tensors, by name: `.safetensors`, and `.pth` as far as tensors are all that is in it."""

import json
import math
import os

import ml_dtypes
import numpy as np

from keraslayers.models.weights import pickled
from keraslayers.models.weights.errors import Unreadable

ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".tar")
TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": ml_dtypes.bfloat16, "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
# What training scripts put around the weights, the averaged ones first.
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")


def read(path):
    """Returns the tensors of a file as a dict of arrays by their names.

    Raises:
        Unreadable: if the file is damaged, is something else, or wants to have other objects made than tensors.
    """
    found = safetensors(path) if os.fspath(path).endswith(".safetensors") else pickled.read(path)
    for wrapper in WRAPPERS:
        if isinstance(found.get(wrapper), dict):
            found = found[wrapper]
            break
    tensors = {str(name): value for name, value in found.items() if isinstance(value, np.ndarray)}
    if not tensors:
        raise Unreadable("it has no tensors by name; save a model's with torch.save(model.state_dict(), path)")
    if all(name.startswith("module.") for name in tensors):  # of DataParallel
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return tensors


def safetensors(path):
    """Reads a `.safetensors` file: the length of a header of JSON, the header, and the bytes that it divides.

    Source: github.com/huggingface/safetensors, README.md, Format.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise Unreadable(f"its header would be {length} bytes long, the file has {size}")
        try:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            places = {name: (TYPES[e["dtype"]], e["shape"], *e["data_offsets"]) for name, e in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(f"its header is none of safetensors ({type(error).__name__}: {error})") from error
        data = file.read()
    return {name: _cut(name, data, *place) for name, place in places.items()}


def _cut(name, data, dtype, shape, start, stop):
    dtype = np.dtype(dtype)
    if not 0 <= start <= stop <= len(data) or math.prod(shape) * dtype.itemsize != stop - start:
        raise Unreadable(f"{name!r} of the shape {shape} would lie at bytes {start} to {stop} of {len(data)}")
    return np.frombuffer(data[start:stop], dtype).reshape(shape)
