"""One measurement in a process of its own, whose memory goes with it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

TIME_LIMIT = 3600


def in_a_child(module, *words):
    """What `python -m benchmarks.MODULE --child WORDS... FILE` writes into the file, as JSON."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, "-m", f"benchmarks.{module}", "--child", *words, file.name]
        subprocess.run(command, cwd=Path(__file__).parent.parent, timeout=TIME_LIMIT, check=True)
        return json.loads(Path(file.name).read_text())
