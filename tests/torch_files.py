"""Files as torch.save writes them, without torch: the pickle names its functions, stand-ins of which are put there."""

import contextlib
import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage", "int64": "LongStorage"}


class Numbers:
    """A storage, saved by reference."""

    def __init__(self, key, array):
        self.key, self.array = key, np.ascontiguousarray(array)


class Tensor:
    def __init__(self, numbers, shape, strides, offset=0):
        self.parts = (numbers, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


@contextlib.contextmanager
def stand_ins():
    """While a file is written, modules that have what its pickle names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    torch._utils = utils
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        yield torch
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def pickled(value, torch):
    class Pickler(pickle.Pickler):
        def persistent_id(self, numbers):
            if not isinstance(numbers, Numbers):
                return None
            kind = getattr(torch, STORAGES[numbers.array.dtype.name])
            return "storage", kind, numbers.key, "cpu", numbers.array.size

    file = io.BytesIO()
    Pickler(file, 2).dump(value)
    return file.getvalue()


def contiguous(arrays):
    """{name: Tensor}, and what they are views of."""
    storages = [Numbers(str(number), array) for number, array in enumerate(arrays.values())]
    tensors = [
        Tensor(one, one.array.shape, tuple(s // one.array.itemsize for s in one.array.strides)) for one in storages
    ]
    return OrderedDict(zip(arrays, tensors, strict=True)), storages


def save(path, value, storages, zipped=True):
    """Writes a file of torch since 1.6, or of before."""
    with stand_ins() as torch:
        if zipped:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("archive/data.pkl", pickled(value, torch))
                archive.writestr("archive/byteorder", "little")
                for one in storages:
                    archive.writestr(f"archive/data/{one.key}", one.array.tobytes())
            return
        head = [pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True})]
        body = [pickled(value, torch), pickle.dumps([one.key for one in storages], 2)]
        numbers = [one.array.size.to_bytes(8, "little") + one.array.tobytes() for one in storages]
        path.write_bytes(b"".join([*head, *body, *numbers]))
