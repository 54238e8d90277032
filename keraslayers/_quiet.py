"""Keeps what native libraries write about themselves off the terminal."""

import contextlib
import os
import sys


@contextlib.contextmanager
def quiet():
    """Throws away what the block writes to stdout and stderr from below Python.

    Only the two files of the process are led elsewhere: Python's own streams stay, as a logger that is made in the
    block keeps the one it finds.
    """
    _flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    try:
        with open(os.devnull, "w") as nothing:
            for number in kept:
                os.dup2(nothing.fileno(), number)
            yield
    finally:
        _flush()
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
