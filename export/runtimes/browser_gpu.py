"""LiteRT.js in headless Chromium on the GPU: WebGPU, in 32-bit floats, whole files only.

Without a GPU Chromium's software driver computes. Always with JSPI, without which files may fail in between.
"""

from keraslayers.export.runtimes import browser

LIMITS = (*browser.LIMITS, "every operator on the GPU", "no int16x8")
PLAIN = False
FLOATS = 32
LIKE = "gpu"
TYPES, unfit = browser.TYPES, browser.unfit


def available():
    """Returns "" where this runtime can run, else what to install."""
    return browser.available()


def run(blob, graph, inputs):
    """Runs a file on the GPU alone, in 32-bit floats."""
    from keraslayers.export.runtimes import chromium

    return browser.run_in_page(blob, graph, inputs, "webgpu", *chromium.SOFTWARE_GPU)
