"""Tensors of a file of torch.save, without torch and without unpickling what is no tensor.

A pickle is a program that calls what it names. Here it can name a dozen functions, all of them below, of which none
does more than to describe a tensor; whatever else it names is refused by its name before it is looked up.
"""

import io
import pickle
import zipfile
from dataclasses import dataclass
from typing import NamedTuple

import ml_dtypes
import numpy as np

from keraslayers.models.weights.errors import Unreadable

MAGIC = 0x1950A86A20F9469CFC6C  # torch/serialization.py, MAGIC_NUMBER of the format before version 1.6
STORAGES = {
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?", "UntypedStorage": "u1",
}  # fmt: skip
DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
)
REMEDY = (
    "save the weights alone, torch.save(model.state_dict(), path), or as .safetensors; a file of torch.load reads "
    "with weights_only=True"
)


def read(path):
    """Returns what a file of torch.save holds: tensors as arrays, within dicts and lists as they were saved."""
    with open(path, "rb") as file:
        start = file.read(4)
        file.seek(0)
        found = _zipped(file) if start[:2] == b"PK" else _in_a_row(file)
    if not isinstance(found, dict):
        raise Unreadable(f"it holds a {type(found).__name__}, no dict of tensors: {REMEDY}")
    return found


class Storage(NamedTuple):
    """Numbers in a row, of which tensors are views."""

    key: str
    dtype: np.dtype
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage whose bytes may come later in the file."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple

    def array(self, bytes_of):
        """The view, copied; it may not reach beyond its storage."""
        numbers = np.frombuffer(bytes_of[self.storage.key], self.storage.dtype)
        reach = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        empty = 0 in self.shape
        if min((self.offset, *self.shape, *self.strides)) < 0 or not (empty or reach < len(numbers)):
            raise Unreadable(f"a tensor of the shape {self.shape} reaches beyond the {len(numbers)} numbers it is in")
        if empty:
            return np.zeros(self.shape, self.storage.dtype)
        steps = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps, writeable=False).copy()


class State(dict):
    """A state dict; torch hangs the versions of its modules on it."""


class _Call:
    """What a pickle may call. It has no attributes that a pickle could reach behind."""

    __slots__ = ("_make",)

    def __init__(self, make):
        object.__setattr__(self, "_make", make)

    def __call__(self, *arguments):
        return self._make(*arguments)

    def __setattr__(self, name, value):
        raise pickle.UnpicklingError("a pickle sets attributes of a function")


def _tensor(storage, offset, shape, strides, *_):
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    if len(shape) != len(strides) or not all(isinstance(number, int) for number in (offset, *shape, *strides)):
        raise pickle.UnpicklingError("a tensor whose shape is none")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


# By module and name what a pickle may call.
KNOWN = {
    ("collections", "OrderedDict"): lambda items=(): State(items),
    ("torch", "Size"): lambda sizes=(): tuple(sizes),
    ("torch", "device"): lambda *arguments: None,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        """Of all names in the world these; nothing is imported."""
        if (module, name) in KNOWN:
            return _Call(KNOWN[module, name])
        if module in ("torch", "torch.storage") and name in STORAGES:
            return np.dtype(STORAGES[name])
        raise Unreadable(f"it has {module}.{name} made, which is no tensor, and could be any program: {REMEDY}")

    def persistent_load(self, pid):
        kind, dtype, key, _, count, *view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or (view and view[0] is not None):
            raise pickle.UnpicklingError(f"a reference {pid!r}, which is no storage")
        return Storage(str(key), dtype, count)


def _load(file):
    try:
        return _Reader(file, encoding="utf-8").load()
    except DAMAGED as error:
        raise Unreadable(f"it is none of torch.save, or damaged ({type(error).__name__}: {error})") from error


def _zipped(file):
    """Since torch 1.6 an archive: a pickle, and a file of bytes for each storage."""
    try:
        with zipfile.ZipFile(file) as archive:
            pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise Unreadable(f"the archive has no data.pkl, and is none of torch.save; {REMEDY}")
            folder = pickles[0].removesuffix("data.pkl")
            order = f"{folder}byteorder"
            if order in archive.namelist() and archive.read(order) != b"little":
                raise Unreadable("its numbers begin with their largest byte; save it on another machine")
            made = _load(io.BytesIO(archive.read(pickles[0])))
            keys = {tensor.storage.key for tensor in _tensors(made)}
            return _filled(made, {key: archive.read(f"{folder}data/{key}") for key in keys})
    except (zipfile.BadZipFile, KeyError, OSError, NotImplementedError, RuntimeError) as error:
        raise Unreadable(f"the archive is damaged ({error})") from error


def _in_a_row(file):
    """Before: pickles one behind the other, the keys of the storages, and their bytes."""
    if _load(file) != MAGIC:
        raise Unreadable("it does not begin as files of torch.save do")
    _load(file)  # version of the format
    _load(file)  # the machine that wrote it: little-endian, as all today
    made = _load(file)
    storages = {tensor.storage.key: tensor.storage for tensor in _tensors(made)}
    bytes_of = {}
    for key in _load(file):
        count = int.from_bytes(file.read(8), "little")
        if key not in storages:
            raise Unreadable(f"its storage {key!r} belongs to no tensor, so that its size is not known")
        length = count * storages[key].dtype.itemsize
        bytes_of[key] = file.read(length)
        if len(bytes_of[key]) < length:
            raise Unreadable(f"it ends after {len(bytes_of[key])} of {length} bytes of a storage")
    return _filled(made, bytes_of)


def _tensors(made):
    """Yields every tensor within dicts, lists and tuples."""
    if isinstance(made, Tensor):
        yield made
    elif isinstance(made, dict | list | tuple) and not isinstance(made, Storage):
        for value in made.values() if isinstance(made, dict) else made:
            yield from _tensors(value)


def _filled(made, bytes_of):
    if isinstance(made, Tensor):
        if made.storage.key not in bytes_of:
            raise Unreadable(f"the bytes of its storage {made.storage.key!r} are missing")
        return made.array(bytes_of)
    if isinstance(made, dict):
        return {key: _filled(value, bytes_of) for key, value in made.items()}
    if isinstance(made, list | tuple):
        return [_filled(value, bytes_of) for value in made]
    return made
