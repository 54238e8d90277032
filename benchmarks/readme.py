"""Writes the demo's table into the README, from a run of the demo: `python -m benchmarks.readme`."""

import os
import platform
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def write_block(name, text, page=README):
    """Puts text between a page's marks of that name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = page.read_text().split(begin)
    page.write_text(f"{before}{begin}{text}{end}{rest.split(end)[1]}")


def main():
    command = [sys.executable, "-m", "keraslayers", "demo"]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, cwd=README.parent, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    # Progress is for those who wait; here only what it came to is of use.
    lines = [line.rstrip() for line in done.stdout.splitlines() if not line.startswith("training")]
    table = "\n".join(lines).strip("\n")
    machine = f"{os.cpu_count()} cores of {platform.system()} {platform.machine()}, no GPU"
    write_block("demo", f"What `make demo` printed on {machine}:\n\n```text\n{table}\n```\n")


if __name__ == "__main__":
    main()
