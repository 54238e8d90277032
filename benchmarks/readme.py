"""Writes what the demo prints into `benchmarks/verdicts.md`, from a run of it: `python -m benchmarks.readme`."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
VERDICTS = Path(__file__).with_name("verdicts.md")


def write_block(name, text, page=VERDICTS):
    """Puts text between a page's marks of that name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = page.read_text().split(begin)
    page.write_text(f"{before}{begin}{text}{end}{rest.split(end)[1]}")


def machine():
    """This machine in words: its processor, its system, whether there is a GPU, and Python."""
    told = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", told.read_text(), re.MULTILINE) if told.exists() else None
    processor = found[1] if found else platform.processor() or "an unknown processor"
    # Linux gives everything that renders such a file, and NVIDIA's driver one of its own; software drivers have none.
    devices = [*Path("/dev/dri").glob("renderD*"), *Path("/dev").glob("nvidia[0-9]*")]
    gpu = "a GPU" if devices else "no GPU"
    system = f"{os.cpu_count()} cores of {processor}, {platform.system()} {platform.machine()}, {gpu}"
    return f"{system}, Python {platform.python_version()}"


def main():
    busy = ", busy with other work, too" if os.getloadavg()[0] > os.cpu_count() else ""
    command = [sys.executable, "-m", "keraslayers", "demo"]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, cwd=README.parent, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    # Progress is for those who wait; here only what it came to is of use.
    lines = [line.rstrip() for line in done.stdout.splitlines() if not line.startswith("training")]
    table = "\n".join(lines).strip("\n")
    write_block("demo", f"What `make demo` printed on {machine()}{busy}:\n\n```text\n{table}\n```\n")


if __name__ == "__main__":
    main()
