"""The runtimes, each a file that holds all there is of it, run in a child process.

A runtime may abort or hang on a file; in a child that is an Outcome like any other. A runtime's file has

- `available()`: "" where it can run, else what to install;
- `run(blob, graph, inputs)`: what came of a file, an `Outcome`, by way of `child.run_in_child`;
- `load(path, inputs, outputs, **options)`: what the child calls, see `worker.py`;
- `LIMITS`: what no file for it may hold, in words;
- `PLAIN`: whether its kernels are LiteRT's plain reference kernels, so that it is compared with these.

The child imports the file by its path and has nothing of this library: what the file needs of that, it imports in its
functions, and at its top the standard library and NumPy alone.
"""

from keraslayers.export.runtimes import browser, browser_gpu, cpu, gpu, micro

# The one that decides what a file means stands beside these: `cpu.run_reference`, the plain built-in kernels.
RUNTIMES = {"cpu": cpu, "gpu": gpu, "browser": browser, "browser-gpu": browser_gpu, "micro": micro}
