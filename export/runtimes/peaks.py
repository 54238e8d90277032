"""What one thread of this machine reaches at best in LiteRT: multiply-adds and bytes a second; what a call takes."""

from __future__ import annotations

import itertools
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import File, Graph, Tensor
from keraslayers.export.file.quantized import quantization
from keraslayers.export.runtimes.timed import Given

# 1x1 convolutions of so many places and channels: large enough that a call's own time is nothing, and of several sizes,
# as kernels want their operands in one cache or another.
PRODUCTS = ((3136, 128), (784, 512), (196, 1024))
# Bytes that an addition, or a product with one row, moves.
MOVED = tuple(3 * 2**k for k in (14, 16, 18, 20, 22, 24))
# A chain of additions moves so many bytes, one of them where that is enough.
CHAIN = 2**24
# A product with fewer bytes takes hardly longer than the call of it.
LARGE = 2**19


@dataclass(frozen=True)
class Peaks:
    """What one thread of a machine reaches at best in LiteRT with XNNPACK.

    Attributes:
        host: the machine in words.
        multiply_adds: a second, of large convolutions, by type: `"float32"` and `"int8"`.
        bandwidths: bytes a second by how many bytes an operator moves, of additions and of products of a matrix with a
            vector: what fits a nearer cache comes faster.
        call_ms: milliseconds of a call that computes next to nothing.
    """

    host: str
    multiply_adds: dict[str, float]
    bandwidths: dict[int, float]
    call_ms: float

    def floor_ms(self, multiply_adds: int, kind: str, moved: int) -> float:
        """The least milliseconds of an operator: the longer of what its products take and what its bytes take.

        Args:
            multiply_adds: how many.
            kind: `"float32"` or `"int8"`, what they are of.
            moved: bytes that it reads and writes at least.
        """
        return 1000 * max(multiply_adds / self.multiply_adds[kind], moved / self.bandwidth(moved))

    def bandwidth(self, moved: int) -> float:
        """Bytes a second where so many are moved, at best: no more are known to go faster."""
        smaller = [size for size in self.bandwidths if size <= moved]
        return max(rate for size, rate in self.bandwidths.items() if size >= max(smaller, default=0))


def probes():
    """The files whose calls tell: a `Given` by what it is, to be run among others, as much disturbed as they are."""
    files = {"call": _additions(1, 1)}
    files |= {(kind, *size): _convolution(kind, *size) for kind in ("float32", "int8") for size in PRODUCTS}
    files |= {("addition", size): _additions(size // 12, _chained(size)) for size in MOVED}
    files |= {("dense", size): _dense(_side(size)) for size in MOVED if size >= LARGE}
    random = np.random.default_rng(0)
    return {key: Given(blob, (_drawn(random, kind, shape),)) for key, (blob, kind, shape) in files.items()}


def peaks_of(outcomes):
    """The `Peaks` that they tell.

    Args:
        outcomes: a `Timed` by what it is.

    Raises:
        RuntimeError: if LiteRT does not run one.
    """
    for timed in outcomes.values():
        if timed.reason:
            raise RuntimeError(f"LiteRT does not run on this machine: {timed.reason}")
    call = float(np.median(outcomes["call"].times_ms))

    def rate(work, *key):
        least = float(np.min(outcomes[key].times_ms))
        return 1000 * work / max(least - call, least / 2)  # a call that was disturbed must not make rates endless

    products, bandwidths = {}, {}
    for kind in ("float32", "int8"):
        products[kind] = max(rate(n * c * c, kind, n, c) for n, c in PRODUCTS)
    for size in MOVED:
        found = [rate(size * _chained(size), "addition", size)]
        if size >= LARGE:
            found.append(rate(4 * _side(size) ** 2, "dense", size))
        bandwidths[size] = max(found)
    return Peaks(host(), products, bandwidths, call)


def _chained(size):
    """How many additions that move so many bytes stand in a file."""
    return max(1, CHAIN // size)


def _side(size):
    """Of a square matrix of so many bytes."""
    return round((size / 4) ** 0.5)


def host():
    """This machine in words: its processor, how many cores, the system."""
    told = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", told.read_text(), re.MULTILINE) if told.exists() else None
    processor = found[1].strip() if found else platform.processor() or "unknown processor"
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _drawn(random, kind, shape):
    """Values of one call."""
    values = random.normal(size=(1, *shape))
    return (40 * values).clip(-127, 127).astype("int8") if kind == "int8" else values.astype("float32")


def _file(x, y, build):
    """(A file of one input and output, and the type and shape of its input)."""
    graph = Graph("main", [x], [y], [])
    build(Builder(graph))
    return File([graph]).write(), x.dtype, x.shape


def _convolution(kind, places, channels):
    steps = {"int8": {"quantization": quantization(0.02)}, "float32": {}}[kind]
    x, y = (Tensor(name, (1, places, 1, channels), kind, **steps) for name in "xy")
    kernel = _drawn(np.random.default_rng(1), kind, (channels, 1, 1, channels))[0]
    scales = {"int8": quantization(np.full(channels, 0.002)), "float32": None}[kind]
    sums = {"int8": quantization(np.full(channels, 0.00004)), "float32": None}[kind]

    def build(builder):
        bias = np.zeros(channels, "int32" if kind == "int8" else "float32")
        read = (x, builder.constant(kernel, quantization=scales), builder.constant(bias, quantization=sums))
        builder.add("CONV_2D", read, y, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)

    return _file(x, y, build)


def _additions(size, count):
    """Numbers are added so often to what came out."""
    tensors = [Tensor(f"x{i}", (1, size), "float32") for i in range(count + 1)]

    def build(builder):
        for before, made in itertools.pairwise(tensors):
            builder.add("ADD", (before, tensors[0]), made)

    return _file(tensors[0], tensors[-1], build)


def _dense(side):
    x, y = (Tensor(name, (1, side), "float32") for name in "xy")

    def build(builder):
        builder.add("FULLY_CONNECTED", (x, builder.constant(np.full((side, side), 0.01, "float32")), None), y)

    return _file(x, y, build)
