"""Keeps what native libraries write about themselves off the terminal."""

import contextlib
import os
import sys
import threading

_lock = threading.Lock()
_blocks = 0  # that run now, in whatever thread
_kept = {}  # by number of a stream what it was before the first of them


@contextlib.contextmanager
def quiet():
    """Throws away what the block writes to stdout and stderr from below Python.

    Only the two files of the process are led elsewhere: Python's own streams stay, as a logger that is made in the
    block keeps the one it finds. The files are of all threads: the first block that begins leads them away, the last
    one that ends leads them back.
    """
    global _blocks
    with _lock:
        if _blocks == 0:
            _lead_away()
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                _lead_back()


def _lead_away():
    _flush()
    with open(os.devnull, "w") as nothing:
        for number in (1, 2):
            _kept[number] = os.dup(number)
            os.dup2(nothing.fileno(), number)


def _lead_back():
    _flush()
    for number, copy in _kept.items():
        os.dup2(copy, number)
        os.close(copy)
    _kept.clear()


def _flush():
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
