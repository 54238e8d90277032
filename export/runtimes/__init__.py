"""The runtimes: each a file with `LIMITS`, `available()` and `run(blob, graph, inputs)`, run in a child process.

A runtime may abort or hang on a file; in a child that is an Outcome like any other.
"""

from keraslayers.export.runtimes import cpu, gpu, micro

# The one that decides what a file means stands beside these: `cpu.run_reference`, the plain built-in kernels.
RUNTIMES = {"cpu": cpu, "gpu": gpu, "micro": micro}
