"""LiteRT.js in headless Chromium on the CPU: WebAssembly on one thread, XNNPACK in it, as a page runs it.

It is on npm alone, whose `node_modules` is looked for here and in the folders above, as Node does.
"""

import base64
import json
import os
from pathlib import Path

import numpy as np

PACKAGE = "@litertjs/core"
SETTING = "KERASLAYERS_NODE_MODULES"
REMEDY = f"LiteRT.js is not installed: `npm install {PACKAGE}` in this folder, or set {SETTING} to a node_modules"
LIMITS = ("inputs and outputs of float32, int32 or uint8, of shapes that the file says",)
PLAIN = False
FLOATS = 32
LIKE = "cpu"
# What it takes and gives, and what another one may become.
TYPES = ("float32", "int32", "uint8")
HERE = Path(__file__).parent
# What a page loads, by its address; the loader picks one of the wasm files by what the browser can do.
CORE, UTILITIES = f"{PACKAGE}/dist/index.js", "@litertjs/wasm-utils/dist/index.js"
# What it says where a browser has no WebGPU.
NO_GPU = ("No GPU adapter found", "no WebGPU device is set")
NO_WEBGPU = "this Chromium gives pages no GPU, not even its software driver: install Debian's package `chromium`"


def packages():
    """The folder of npm's packages that LiteRT.js is in, a `node_modules`; None where there is none."""
    checkout = HERE.parent.parent
    near = [folder / "node_modules" for folder in (Path.cwd(), *Path.cwd().parents, checkout)]
    named = os.environ.get(SETTING)
    found = (folder for folder in ([Path(named)] if named else near) if (folder / CORE).is_file())
    return next(found, None)


def version():
    """The version of LiteRT.js; None where there is none."""
    folder = packages()
    return folder and json.loads((folder / PACKAGE / "package.json").read_text())["version"]


def available():
    """Returns "" where this runtime can run, else what to install."""
    from keraslayers.export.runtimes import chromium

    if packages() is None:
        return REMEDY
    return "" if chromium.find() else chromium.REMEDY


def run(blob, graph, inputs):
    """Runs a file in WebAssembly on one thread."""
    return run_in_page(blob, graph, inputs, "wasm")


def run_in_page(blob, graph, inputs, accelerator, *flags):
    """Runs a file in a page of a fresh browser.

    Args:
        blob, graph, inputs: as `run_in_child` takes them.
        accelerator: `"wasm"` or `"webgpu"`.
        *flags: of Chromium's.

    Returns:
        An `Outcome`.
    """
    from keraslayers.export.runtimes.child import TIME_LIMIT, TIMED, Outcome
    from keraslayers.export.runtimes.chromium import Chromium, PageDied
    from keraslayers.export.runtimes.gpu import own_words

    if reason := unfit(blob, graph):
        return Outcome(reason=reason, operators=graph.total)
    request = {
        "accelerator": accelerator,
        "key": graph.signatures[0] if graph.signatures else "",
        "inputs": list(map(_entry, graph.inputs)),
        "outputs": list(map(_entry, graph.outputs)),
        "count": len(next(iter(inputs.values()))),
        "milliseconds": 1000 * TIMED,
    }
    said, up = [], False
    try:
        with Chromium(*flags, files=_files(blob, graph, inputs)) as page:
            said, where = page.said, f"LiteRT.js {version()}, {page.version}"
            page.open()
            page.evaluate(f"load({json.dumps(accelerator)})")
            up = True
            answer = page.evaluate(f"answer({json.dumps(request)})", seconds=TIME_LIMIT)
    except RuntimeError as error:
        # Of operators the console tells, in the words of the native runtime.
        words = own_words("\n".join(said)) or str(error).removeprefix("Error: ")
        if any(each in words for each in NO_GPU):
            return Outcome(reason=NO_WEBGPU, missing=True, operators=graph.total)
        if not up:  # the file was not even read: that says nothing of it
            return Outcome(reason=f"no page to run it in: {error}", missing=True, operators=graph.total)
        died = isinstance(error, PageDied)
        return Outcome(reason=str(error) if died else words, died=died, operators=graph.total)
    outputs = {
        tensor.name: _calls(answer["calls"], base64.b64decode(values), tensor)
        for tensor, values in zip(graph.outputs, answer["outputs"], strict=True)
    }
    gpu = accelerator == "webgpu"
    return Outcome(
        outputs,
        operators=graph.total,
        delegated=graph.total if gpu else None,  # there it takes a file only whole
        partitions=1 if gpu else None,
        latency_ms=answer["latency_ms"],
        device=f"{answer['gpu'] if gpu else 'WebAssembly, 1 thread'}, {where}",
    )


def unfit(blob, graph):
    """Why LiteRT.js takes no such file, before it is run; empty if nothing speaks against it."""
    from keraslayers.export.file import edit

    for side, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in tensors:
            if tensor.dtype not in TYPES:
                return (
                    f"{side} `{tensor.name}` is of {tensor.dtype}; LiteRT.js takes and gives {', '.join(TYPES)} alone: "
                    "export with target='browser', and io='float32' or 'uint8'"
                )
    main = edit.read(blob).main
    for side, tensors in (("input", main.inputs), ("output", main.outputs)):
        for tensor in tensors:
            if tensor.open:
                return (
                    f"the file leaves the shape of {side} {tensor.name!r} open, which LiteRT.js throws at or cuts: "
                    "export with fixed shapes"
                )
    taken = {tensor.index: tensor.name for tensor in graph.inputs}
    for tensor in graph.outputs:
        if tensor.index in taken:
            return f"output `{tensor.name}` is input `{taken[tensor.index]}` itself, for which LiteRT.js gives garbage"
    return ""


def _files(blob, graph, inputs):
    """What the page is made of, by its address; what comes from npm is read when it is asked for."""
    folder = packages()
    files = {path.relative_to(folder).as_posix(): path for path in (folder / PACKAGE / "wasm").glob("*")}
    files |= {CORE: folder / CORE, UTILITIES: folder / UTILITIES}
    files |= {"": HERE / "browser.html", "calls.js": HERE / "calls.js", "model.tflite": blob}
    return files | {
        f"inputs/{place}": np.ascontiguousarray(inputs[tensor.name]).tobytes()
        for place, tensor in enumerate(graph.inputs)
    }


def _entry(tensor):
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": tensor.shape}


def _calls(count, values, tensor):
    """An output call by call; flat where it has other sizes than the file says."""
    values = np.frombuffer(values, tensor.dtype)
    shape = (count, *tensor.shape)
    return values.reshape(shape if values.size == np.prod(shape) else (count, -1))
