"""Deformable convolution on JAX beside torchvision's operator, on a GPU where there is one: `make bench-deformable`.

Both get the same numbers; outputs and gradients are compared before anything is timed. It needs JAX, PyTorch,
torchvision and Keras, and no TensorFlow.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch needs memory, too

import itertools
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torchvision.ops import deform_conv2d as theirs

from benchmarks.readme import machine, write_block
from keraslayers import deform_conv2d as ours

PAGE = Path(__file__).with_name("README.md")
TITLE = "Deformable convolution beside torchvision's"
NOTE = (
    "`deform_conv2d` under jax.jit beside `torchvision.ops.deform_conv2d`, 3x3, offsets of a pixel, run in turn; both "
    "gave the same outputs and gradients before. Training: the gradients to images, offsets and kernel. Ratio: our "
    "time over torchvision's, a dash where it has no kernel for the type. GB/s: what any form has to read and write at "
    "least, over our time; and that as a part of what a copy reached."
)
COLUMNS = ("what", "shape", "dtype", "ms", "torchvision's, ms", "ratio", "GB/s", "of a copy's")
TAPS = 9
# (size, channels) and batches, by the device.
SHAPES = ((56, 64), (28, 128), (14, 256))
BATCHES = {"gpu": (8, 16, 32, 64), "cpu": (1, 8)}
DTYPES = {"gpu": ("float32", "bfloat16"), "cpu": ("float32",)}
ROUNDS = {"gpu": 30, "cpu": 7}
COPIED = {"gpu": 2**28, "cpu": 2**26}  # numbers, far beyond any cache
# Largest difference as a part of the largest number.
WITHIN = {"float32": 1e-3, "bfloat16": 5e-2}


def rows(device):
    copied = copy_rate(device)
    for kind, (size, channels), batch, dtype in itertools.product(KINDS, SHAPES, BATCHES[device], DTYPES[device]):
        given = arrays(batch, size, channels)
        mine, other = KINDS[kind](given, dtype)
        compare(mine(), other, dtype)
        times = interleaved({"ours": mine, **({"theirs": other} if other else {})}, ROUNDS[device])
        took = statistics.median(times["ours"])
        # What any form has to read and write: inputs and outputs, and their gradients in training.
        numbers = sum(array.size for array in given) + given[0].size
        rate = numbers * (2 if kind == "training" else 1) * jnp.dtype(dtype).itemsize / took
        yield (
            kind,
            f"{batch}x{size}x{size}x{channels}",
            dtype,
            f"{1e3 * took:.2f}",
            f"{1e3 * statistics.median(times['theirs']):.2f}" if other else "-",
            f"{statistics.median(np.divide(times['ours'], times['theirs'])):.2f}" if other else "-",
            f"{rate / 1e9:.1f}",
            f"{rate / copied:.0%}",
        )


def arrays(batch, size, channels):
    """Images, offsets of a pixel and a kernel, as we have them."""
    random = np.random.default_rng(0)
    shapes = [(batch, size, size, channels), (batch, size, size, 2 * TAPS), (3, 3, channels, channels)]
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def forward(given, dtype):
    function = jax.jit(lambda *x: (ours(*x, padding="same"),))
    return _ours(function, given, dtype), _theirs(lambda outputs, x: (outputs,), given, dtype)


def training(given, dtype):
    """The gradients of the outputs' sum to images, offsets and kernel."""
    gradients = jax.grad(lambda x: ours(*x, padding="same").astype("float32").sum())
    return _ours(jax.jit(lambda *x: tuple(gradients(x))), given, dtype), _theirs(
        lambda outputs, x: torch.autograd.grad(outputs.float().sum(), x), given, dtype
    )


KINDS = {"forward": forward, "training": training}


def _ours(function, given, dtype):
    """A call of our function that has finished when it returns."""
    images, offsets, kernel = (jnp.asarray(array) for array in given)
    tensors = images.astype(dtype), offsets, kernel.astype(dtype)  # places need more than 8 bits
    return lambda: jax.block_until_ready(function(*tensors))


def _theirs(finish, given, dtype):
    """The same of torchvision's; None where it has no kernel for the type."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    turned = given[0].transpose(0, 3, 1, 2), given[1].transpose(0, 3, 1, 2), given[2].transpose(3, 2, 0, 1)
    kind = getattr(torch, dtype)
    x = [torch.from_numpy(array.copy()).to(device, kind).requires_grad_() for array in turned]

    def run():
        results = finish(theirs(x[0], x[1], x[2], padding=1), x)
        if device == "cuda":
            torch.cuda.synchronize()
        return results

    try:
        run()
    except (NotImplementedError, RuntimeError) as error:
        print(f"torchvision in {dtype}: {str(error).splitlines()[0]}", file=sys.stderr)
        return None
    return run


def compare(mine, other, dtype):
    """Raises unless both give the same numbers."""
    if other is None:
        return
    orders = [(0, 2, 3, 1), (0, 2, 3, 1), (2, 3, 1, 0)]
    for order, result, wanted in zip(orders, mine, other(), strict=False):
        wanted = wanted.detach().float().cpu().numpy().transpose(order)
        away = np.abs(np.asarray(result, "float32") - wanted).max() / np.abs(wanted).max()
        if not away <= WITHIN[dtype]:
            raise ValueError(f"in {dtype} results differ by {away:.1e} of the largest number.")


def interleaved(calls, rounds):
    """Seconds of each call, round by round, run in turn."""
    for call in calls.values():
        call()
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            before = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - before)
    return times


def copy_rate(device):
    """Bytes read and written a second by a copy that does nothing else."""
    x = jnp.zeros(COPIED[device], "float32")
    copy = jax.jit(lambda x: x + 1)
    seconds = interleaved({"copy": lambda: jax.block_until_ready(copy(x))}, 5)["copy"]
    return 2 * 4 * COPIED[device] / min(seconds)


def main():
    device = "gpu" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"
    on = machine()
    if device == "gpu":
        on += f", {torch.cuda.get_device_name()}"
    else:
        on += "; no GPU that both JAX and PyTorch use was there: the figures are the CPU's, on all cores"
    tools = ", ".join(f"{package} {version(package)}" for package in ("jax", "keras", "torch", "torchvision"))
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for row in rows(device):
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    parts = [f"## {TITLE}", f"`make bench-deformable` on {on}; {tools}.", "\n".join(lines), NOTE]
    write_block("deformable_torch", "\n" + "\n\n".join(parts) + "\n\n", PAGE)


if __name__ == "__main__":
    main()
