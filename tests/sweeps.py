"""Which rows a run tests of a law that holds for many: every sixth, and of the next commit the next ones."""

import subprocess
from pathlib import Path

SHARE = 6
ALL = "--all-rows"


def turn():
    """How many commits there are; 0 where nothing tells."""
    command = ["git", "rev-list", "--count", "HEAD"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return 0
    return int(done.stdout) if done.returncode == 0 else 0


def left_out(rows, turn, share=SHARE):
    """Of a file's rows, those that have their turn in another run.

    Args:
        rows: names of rows, each as often as there are tests of it.
        turn: a number that grows.
        share: how many runs test them all.
    """
    return {row for place, row in enumerate(sorted(set(rows))) if (place - turn) % share}
