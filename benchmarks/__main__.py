"""Runs every benchmark and writes `benchmarks/README.md`: `make bench`."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks import channel_shuffle, deformable, int8

PAGE = Path(__file__).with_name("README.md")
TOOLS = ("tensorflow", "keras", "ai-edge-litert")


def main():
    console = Console(stderr=True)
    tools = ", ".join(f"{name} {version(name)}" for name in TOOLS)
    machine = f"{os.cpu_count()} cores of {platform.system()} {platform.machine()}, no GPU"
    parts = [
        "# Benchmarks",
        f"Written by `make bench` on {machine}, with {tools}. LiteRT on the CPU with XNNPACK, one thread; the files of "
        "a table run in turn in one process, ratios are medians over the rounds. Shared machines drift: quote ratios, "
        "not milliseconds. Nothing here was measured on a phone.",
    ]
    for benchmark in (int8, channel_shuffle, deformable):
        with console.status(benchmark.TITLE):
            table = [benchmark.COLUMNS, ["---"] * len(benchmark.COLUMNS), *benchmark.rows()]
        parts += [f"## {benchmark.TITLE}", "\n".join(f"| {' | '.join(row)} |" for row in table), benchmark.NOTE]
    PAGE.write_text("\n\n".join(parts) + "\n")
    console.print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
