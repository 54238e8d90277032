"""Inputs and outputs of more than four axes."""

from tests.file_tools import Made
from tests.rewrite_cases import Case


def of(*shape):
    def make():
        f = Made()
        return f.done(f.new("TANH", (f.input(shape),), shape))

    return make


CASES = [
    Case("narrow_borders", "video", of(1, 3, 4, 4, 5), borders=True),
    Case("narrow_borders", "several volumes", of(1, 2, 3, 4, 4, 5), borders=True),
    Case("narrow_borders", "image", of(1, 12, 4, 5), "PROVEN", stays=True),
    Case("narrow_borders", "two videos", of(2, 3, 4, 4, 5), stays=True),
]
