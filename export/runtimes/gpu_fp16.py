"""LiteRT's GPU accelerator in 16-bit floats, in which phones' GPUs compute unless the app asks for 32.

Mesa's lavapipe has them, and most GPUs; SwiftShader has not. Every run finds out by computing, before the file.
"""

from keraslayers.export.runtimes import compiled, gpu

LIMITS = (*gpu.LIMITS, "numbers of 6e-8 to 65504, with 11 bits each")
PLAIN = False
FLOATS = 16
LIKE = "gpu"
REMEDY = "no Vulkan driver with 16-bit floats found: `keraslayers setup gpu` brings one"
load = gpu.load


def available():
    """Returns "" where this runtime can run, else what to install."""
    return compiled.available() or ("" if _drivers() else REMEDY)


def run(blob, graph, inputs, **elsewhere):
    """Runs a file on the GPU alone, in 16-bit floats; `place` is where, by default here."""
    return gpu.run_in(FLOATS, [{}] if elsewhere else _drivers(), blob, graph, inputs, REMEDY, **elsewhere)


def _drivers():
    software = list(map(str, gpu.SWIFTSHADER))
    return [driver for driver in gpu.drivers() if driver["VK_ICD_FILENAMES"] not in software]
