"""The runtimes, each a file that holds all there is of it, run in a child process.

A runtime may abort or hang on a file; in a child that is an Outcome like any other. A runtime's file has

- `available()`: "" where it can run, else what to install;
- `run(blob, graph, inputs)`: what came of a file, an `Outcome`, by way of `child.run_in_child` or of a browser;
- `load(path, inputs, outputs, **options)`: what the child calls, where there is one, see `worker.py`;
- `LIMITS`: what no file for it may hold, in words;
- `PLAIN`: whether its kernels are LiteRT's plain reference kernels, so that it is compared with these;
- `FLOATS`: 32, or 16 where it computes in floats of so many bits, so that its numbers are judged by other limits;
- `TYPES`, where it takes and gives some types alone: their names; `unfit(blob, graph)`, why it takes no file of such
  inputs and outputs, "" if it does;
- `LIKE`, where files for it are made as for another runtime: the name of that one.

The child imports the file by its path and has nothing of this library: what the file needs of that, it imports in its
functions, and at its top the standard library and NumPy alone.

What runs in another place than this machine has no name here; it is an object with the same, and its `str` its name.
"""

from collections.abc import Iterable

from keraslayers import _checks
from keraslayers.export.runtimes import arm64, browser, browser_gpu, cpu, cpu_fp16, gpu, gpu_fp16, lavapipe, micro
from keraslayers.export.runtimes.arm64 import A53, A710, Arm64

# The one that decides what a file means stands beside these: `cpu.run_reference`, the plain built-in kernels.
RUNTIMES = {
    "cpu": cpu,
    "cpu-fp16": cpu_fp16,
    "gpu": gpu,
    "gpu-fp16": gpu_fp16,
    "browser": browser,
    "browser-gpu": browser_gpu,
    "micro": micro,
    "arm64": Arm64(),
    "arm64-a53": Arm64(A53),
    "arm64-i8mm": Arm64(A710),
    "arm64-fp16": Arm64(runtime=cpu_fp16),
}
# What `keraslayers setup` fetches, each with a `setup()` that returns where it lies.
SETUPS = {"arm64": arm64, "gpu": lavapipe}


def of(runtime):
    """The runtime of a name; one that is none of `RUNTIMES` passes through."""
    return RUNTIMES[runtime] if isinstance(runtime, str) else runtime


def kind(runtime):
    """The name of the runtime that files for this one are made for: its own, unless it says `LIKE`."""
    return getattr(of(runtime), "LIKE", str(runtime))


def check(who, argument, runtime):
    """Returns `runtime` if it is a name of one, or is one; else raises a ValueError that names the nearest."""
    if not isinstance(runtime, str) and hasattr(runtime, "available") and hasattr(runtime, "run"):
        return runtime
    return _checks.choice(who, argument, runtime, RUNTIMES)


def several(who, argument, runtimes):
    """Returns those that are asked for: a single one, several, or `"all"` that are on this machine."""
    if isinstance(runtimes, str) and runtimes == "all":
        return tuple(name for name, runtime in RUNTIMES.items() if not runtime.available())
    single = isinstance(runtimes, str) or not isinstance(runtimes, Iterable)
    return tuple(check(who, argument, runtime) for runtime in ([runtimes] if single else runtimes))
