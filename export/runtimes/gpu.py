"""LiteRT's GPU accelerator (ML Drift over WebGPU over Vulkan), alone: what it does not take is refused.

It needs a Vulkan driver. On a machine with a GPU that is the GPU's own. Elsewhere a software driver computes the same
shaders on the CPU: Mesa's lavapipe, which has 16-bit floats, or SwiftShader, which has none and is in every Chromium
and Chrome.
"""

import ctypes.util
import dataclasses
import functools
import json
import os
import re
import tempfile
from pathlib import Path

from keraslayers.export.runtimes import compiled

SWIFTSHADER = [
    Path("/usr/lib/chromium/vk_swiftshader_icd.json"),
    Path("/usr/lib/chromium-browser/vk_swiftshader_icd.json"),
    Path("/opt/google/chrome/vk_swiftshader_icd.json"),
]
MANIFESTS = [Path("/usr/share/vulkan/icd.d"), Path("/etc/vulkan/icd.d")]
DEVICES = ["/dev/dri/renderD*", "/dev/nvidia[0-9]*"]
# The Vulkan of Mesa 25, whose lavapipe this runtime takes; that of Mesa 22, which it refuses, is 1.3.
LEAST_VULKAN = (1, 4)
# In how many bits lavapipe's vectors are: code for the widest that the processor has takes LLVM more than twice as long
# to compile, and is not faster; see `make bench-drivers`. Mesa keeps both apart in no way, hence a folder for these.
WIDTH = "128"
# Of a long list of operators that it refuses, so many are told.
MOST_TOLD = 3
LIMITS = (
    "tensors of four axes at most, the batch among them",
    "no loops: LSTM, GRU and SimpleRNN with unroll=True",
    "no int16x8",
)
PLAIN = False
FLOATS = 32
REMEDY = "no Vulkan driver found: install Debian's package `chromium` (or Google Chrome) for its software driver"
# What the runtime says where a software driver compiles the shaders of a large graph for longer than it waits. What was
# compiled is kept, so that the next run takes a second.
LATE = "Failed to lock custom tensor buffer"
load = compiled.load


@functools.cache
def _system_loader():
    return ctypes.util.find_library("vulkan") is not None


def drivers():
    """The environments in which the accelerator may find a Vulkan driver, the one to try first before the others."""
    from keraslayers.export.runtimes import lavapipe

    for variable in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        if os.environ.get(variable):
            return [_environment([Path(path) for path in os.environ[variable].split(os.pathsep)])]
    manifests = [manifest for folder in MANIFESTS for manifest in sorted(folder.glob("*.json"))]
    found = []
    if any(any(Path("/").glob(pattern[1:])) for pattern in DEVICES) and _system_loader():
        found = [[manifest for manifest in manifests if not _is_lavapipe(manifest)]]
    found += [[manifest] for manifest in SWIFTSHADER if manifest.exists()][:1]
    found += [[lavapipe.manifest()]] if lavapipe.manifest().exists() else []
    found += [[m] for m in manifests if _is_lavapipe(m) and _vulkan_of(m) >= LEAST_VULKAN and _system_loader()]
    return [_environment(driver) for driver in found if driver]


def _is_lavapipe(manifest):
    return manifest.name.startswith("lvp")


def _vulkan_of(manifest):
    """The version of Vulkan that a driver has, as its manifest says; () where it says none."""
    try:
        return tuple(map(int, json.loads(manifest.read_text())["ICD"]["api_version"].split(".")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()


def _environment(manifests):
    """In which a driver is found, and what it needs beside itself."""
    from keraslayers.export.cache import cache
    from keraslayers.export.runtimes import lavapipe

    # What Mesa compiled for one file serves the next.
    environment = {
        "VK_ICD_FILENAMES": os.pathsep.join(map(str, manifests)),
        "LP_NATIVE_VECTOR_WIDTH": WIDTH,
        "MESA_SHADER_CACHE_DIR": str(cache(f"shaders-{WIDTH}")),
    }
    if not os.environ.get("XDG_RUNTIME_DIR"):
        environment["XDG_RUNTIME_DIR"] = tempfile.gettempdir()
    folder, libraries = manifests[0].parent, []
    if manifests == [lavapipe.manifest()]:
        libraries = lavapipe.libraries(folder)
    elif not _system_loader() and (folder / "libvulkan.so.1").exists():
        libraries = [folder]  # Chromium brings the Vulkan loader as well, for systems that have none of their own
    if libraries:
        known = [os.environ["LD_LIBRARY_PATH"]] if os.environ.get("LD_LIBRARY_PATH") else []
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, [*libraries, *known]))
    return environment


def available():
    """Returns "" where this runtime can run, else what to install."""
    return compiled.available() or ("" if drivers() else REMEDY)


def run(blob, graph, inputs, **elsewhere):
    """Runs a file on the GPU alone, in 32-bit floats; `place` is where, by default here."""
    return run_in(FLOATS, [{}] if elsewhere else drivers(), blob, graph, inputs, REMEDY, **elsewhere)


def run_in(floats, environments, blob, graph, inputs, remedy, **elsewhere):
    """Runs a file on the GPU alone.

    Args:
        floats: of so many bits it computes with.
        environments: of drivers, as `drivers` gives them; the first that has a device, and such floats, is taken.
        blob, graph, inputs: as for `run`.
        remedy: what to install where none has.
    """
    from keraslayers.export.runtimes.child import Outcome, run_in_child

    outcome = Outcome(reason=remedy, missing=True)
    options = {"gpu": True, "floats": floats, "probe": None if floats == 32 else compiled.probe()}
    for environment in environments:
        for _ in range(2):
            outcome, said = run_in_child(
                compiled.__file__, blob, graph, inputs, environment=environment, options=options, **elsewhere
            )
            if LATE not in outcome.reason:
                break
        outcome = _told(outcome, said, graph, remedy)
        if not outcome.missing:
            break
    return outcome


def _told(outcome, said, graph, remedy):
    """An outcome with what stands on stderr alone."""
    adapter = re.search(r"Selected adapter: (.*?), arch=.*adapterType=(\S+)", said)
    device = f"{adapter[1]} ({'software' if adapter[2] == 'CPU' else adapter[2]})" if adapter else ""
    if outcome.outputs is not None:
        # It accepts a file only whole.
        return dataclasses.replace(outcome, operators=graph.total, delegated=graph.total, partitions=1, device=device)
    if "No adapters found" in said:
        return dataclasses.replace(outcome, reason=f"the Vulkan driver gives no device; {remedy}", missing=True)
    if outcome.reason == compiled.NO_HALF:
        reason = f"the Vulkan driver has no 16-bit floats ({device}); {remedy}"
        return dataclasses.replace(outcome, reason=reason, missing=True, device=device)
    if LATE in outcome.reason:
        reason = "the Vulkan driver took too long to compile the shaders, twice: try it again, it goes on where it was"
        return dataclasses.replace(outcome, reason=reason, missing=True, device=device)
    delegated = re.search(r"(\d+) operations will run on the GPU", said)
    return dataclasses.replace(
        outcome,
        reason=outcome.reason if outcome.died else own_words(said) or outcome.reason,
        device=device,
        operators=graph.total,
        delegated=int(delegated[1]) if delegated else 0,
    )


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
