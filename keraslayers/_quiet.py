"""Keeps what native libraries write about themselves off the terminal."""

import contextlib
import os
import tempfile


@contextlib.contextmanager
def quiet():
    """Throws away what the block writes to stdout and stderr, also from below Python."""
    kept = {number: os.dup(number) for number in (1, 2)}
    with tempfile.TemporaryFile() as sink, open(os.devnull, "w") as nothing:
        for number in kept:
            os.dup2(sink.fileno(), number)
        try:
            with contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
                yield
        finally:
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
