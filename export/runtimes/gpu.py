"""LiteRT's GPU accelerator (ML Drift over WebGPU over Vulkan), alone: what it does not take is refused.

It needs a Vulkan driver. On a machine with a GPU that is the GPU's own. Elsewhere SwiftShader computes the same
shaders on the CPU; every Chromium and Chrome carries it.
"""

import ctypes.util
import dataclasses
import functools
import os
import re
import tempfile
from pathlib import Path

import numpy as np

SOFTWARE = [
    Path("/usr/lib/chromium/vk_swiftshader_icd.json"),
    Path("/usr/lib/chromium-browser/vk_swiftshader_icd.json"),
    Path("/opt/google/chrome/vk_swiftshader_icd.json"),
]
MANIFESTS = [Path("/usr/share/vulkan/icd.d"), Path("/etc/vulkan/icd.d")]
DEVICES = ["/dev/dri/renderD*", "/dev/nvidia[0-9]*"]
# Of a long list of operators that it refuses, so many are told.
MOST_TOLD = 3
LIMITS = (
    "tensors of four axes at most, the batch among them",
    "no loops: LSTM, GRU and SimpleRNN with unroll=True",
    "no int16x8",
)
PLAIN = False
REMEDY = "no Vulkan driver found: install Debian's package `chromium` (or Google Chrome) for its software driver"


@functools.cache
def _system_loader():
    return ctypes.util.find_library("vulkan") is not None


def driver():
    """Returns the environment in which the accelerator finds a Vulkan driver, or None where there is none."""
    for variable in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        if os.environ.get(variable):
            return _with_loader({}, Path(os.environ[variable].split(os.pathsep)[0]).parent)
    if any(any(Path("/").glob(pattern[1:])) for pattern in DEVICES):
        # Mesa's lavapipe (lvp) is a software driver too, and this runtime refuses it.
        manifests = [m for folder in MANIFESTS for m in sorted(folder.glob("*.json")) if not m.name.startswith("lvp")]
        if manifests and _system_loader():
            return {"VK_ICD_FILENAMES": os.pathsep.join(map(str, manifests))}
    for manifest in SOFTWARE:
        if manifest.exists():
            return _with_loader({"VK_ICD_FILENAMES": str(manifest)}, manifest.parent)
    return None


def _with_loader(environment, folder):
    # Chromium brings the Vulkan loader as well, for systems that have none of their own.
    if not _system_loader() and (folder / "libvulkan.so.1").exists():
        path = os.environ.get("LD_LIBRARY_PATH")
        environment["LD_LIBRARY_PATH"] = f"{folder}{os.pathsep}{path}" if path else str(folder)
    if not os.environ.get("XDG_RUNTIME_DIR"):
        environment["XDG_RUNTIME_DIR"] = tempfile.gettempdir()
    return environment


def available():
    """Returns "" where this runtime can run, else what to install."""
    from keraslayers.export.runtimes import cpu

    return cpu.available() or ("" if driver() is not None else REMEDY)


def run(blob, graph, inputs):
    """Runs a file on the GPU alone, in 32-bit floats."""
    from keraslayers.export.runtimes.child import run_in_child

    outcome, said = run_in_child(__file__, blob, graph, inputs, environment=driver(), options={"enforce_f32": True})
    adapter = re.search(r"Selected adapter: (.*?), arch=.*adapterType=(\S+)", said)
    device = f"{adapter[1]} ({'software' if adapter[2] == 'CPU' else adapter[2]})" if adapter else ""
    if outcome.outputs is not None:
        # It accepts a file only whole.
        return dataclasses.replace(outcome, operators=graph.total, delegated=graph.total, partitions=1, device=device)
    if "No adapters found" in said:
        return dataclasses.replace(outcome, reason=f"the Vulkan driver gives no device; {REMEDY}", missing=True)
    delegated = re.search(r"(\d+) operations will run on the GPU", said)
    return dataclasses.replace(
        outcome,
        reason=outcome.reason if outcome.died else own_words(said) or outcome.reason,
        device=device,
        operators=graph.total,
        delegated=int(delegated[1]) if delegated else 0,
    )


def load(path, inputs, outputs, enforce_f32):
    """Loads a file, in the child; for the arguments and what is returned see `worker.py`."""
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import GpuOptions, Options

    # GPU alone: with CPU beside it a file counts as fully accelerated though nothing runs on the GPU.
    model = CompiledModel.from_file(
        path,
        options=Options(
            hardware_accelerators=HardwareAccelerator.GPU,
            gpu_options=GpuOptions(enforce_f32=enforce_f32),
        ),
    )
    if not model.is_fully_accelerated():
        raise RuntimeError("some operators do not run on the GPU")
    signature = model.get_signature_by_index(0)
    buffers_in = dict(zip(signature["inputs"], model.create_input_buffers(0), strict=True))
    buffers_out = dict(zip(signature["outputs"], model.create_output_buffers(0), strict=True))

    def call(values):
        for (name, _), value in zip(inputs, values, strict=True):
            buffers_in[name].write(np.ascontiguousarray(value))
        model.run_by_index(0, list(buffers_in.values()), list(buffers_out.values()))
        results = []
        for name, _, shape, dtype in outputs:
            count = int(np.prod(shape))
            results.append(np.array(buffers_out[name].read(count, np.dtype(dtype).type)).reshape(shape))
        return results

    return call, {}


def own_words(said):
    """Why the accelerator refused: its list of operators, else its last error line. Both are on stderr alone."""
    listed = re.search(r"not supported by GPU delegate:\n(.*?)\n[^\n]*operations will run on the", said, re.DOTALL)
    if listed:
        return _gist(listed[1].splitlines())
    # Of this it only warns, and the error that follows says nothing.
    static = re.search(r"Attempting to use a delegate that only supports static-sized tensors.*\S", said)
    if static:
        return static[0]
    errors = re.findall(r"^(?:ERROR: |E\d{4} .*?\] )(.*\S)", said, re.MULTILINE)
    return errors[-1] if errors else ""


def _gist(lines):
    """The first of what it says of operators: `NAME: reason. tensor`, once for all of a name and reason."""
    told = {}
    for line in lines:
        told.setdefault(re.sub(r"(\.) \S+$", r"\1", line), line)
    first, rest = [*told.values()][:MOST_TOLD], len(lines) - MOST_TOLD
    return "; ".join(line.rstrip(".") for line in first) + (f"; and {rest} more" if rest > 0 and len(told) > 1 else "")
