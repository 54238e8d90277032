"""Runs benchmarks and writes their tables and plots into `benchmarks/README.md`: `make bench`, `make bench-layers`."""

import sys
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks import (
    arm64,
    channel_shuffle,
    deformable,
    drivers,
    dynamic,
    float16,
    floors,
    hard_activations,
    integers,
    limits,
    optimize,
    plots,
    silent,
    stock,
    trained,
    transformers,
    whole_export,
)
from benchmarks.readme import machine, write_block

PAGE = Path(__file__).with_name("README.md")
TOOLS = ("tensorflow", "keras", "ai-edge-litert", "tensorflow-model-optimization")
# By the word after `make bench-`.
GROUPS = {
    "silent": (silent,),
    "layers": (deformable, dynamic, channel_shuffle, hard_activations),
    "export": (stock,),
    "proof": (whole_export,),
    "optimize": (optimize, trained),
    "limits": (limits,),
    "float16": (float16,),
    "integers": (integers,),
    "floors": (floors,),
    "transformers": (transformers,),
    "drivers": (drivers,),
    "arm64": (arm64,),
}


def main(chosen):
    console = Console(stderr=True)
    unknown = set(chosen) - set(GROUPS)
    if unknown:
        sys.exit(f"no benchmarks called {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    tools = ", ".join(f"{name} {version(name)}" for name in TOOLS)
    for group in chosen or GROUPS:
        for benchmark in GROUPS[group]:
            with console.status(benchmark.TITLE):
                table = [benchmark.COLUMNS, ["---"] * len(benchmark.COLUMNS), *benchmark.rows()]
            made = f"`make bench-{group}` on {machine()}; {tools}."
            lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
            name = benchmark.__name__.rpartition(".")[2]
            picture = [f"![{benchmark.TITLE}, drawn](plots/{name}.svg)"] if name in plots.PLOTS else []
            parts = [f"## {benchmark.TITLE}", made, *picture, lines, benchmark.NOTE]
            write_block(name, "\n" + "\n\n".join(parts) + "\n\n", PAGE)
            if picture:
                plots.write(name, PAGE)
            console.print(f"wrote {benchmark.TITLE!r} into {PAGE}")


if __name__ == "__main__":
    main(sys.argv[1:])
