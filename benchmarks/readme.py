"""Writes the demo's table into the README, from a run of the demo: `python -m benchmarks.readme`."""

import os
import platform
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- demo -->\n", "<!-- /demo -->"


def main():
    command = [sys.executable, "-m", "keraslayers", "demo"]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, cwd=README.parent, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    # Progress is for those who wait; here only what it came to is of use.
    lines = [line.rstrip() for line in done.stdout.splitlines() if not line.startswith("training")]
    table = "\n".join(lines).strip("\n")
    machine = f"{os.cpu_count()} cores of {platform.system()} {platform.machine()}, no GPU"
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    block = f"What `make demo` printed on {machine}:\n\n```text\n{table}\n```\n\n"
    README.write_text(f"{before}{BEGIN}{block}{END}{after}")


if __name__ == "__main__":
    main()
