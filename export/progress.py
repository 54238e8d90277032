"""Shows what is going on, where a person is looking."""

from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from keraslayers._printable import printable

_console = Console(stderr=True)


@contextmanager
def step(what):
    """Shows `what` beside a spinner while the block runs; silent where stderr is not a terminal."""
    if not _console.is_terminal:
        yield
        return
    with _console.status(escape(printable(what))):
        yield


def each(items, what):
    """Goes through a sequence beside a bar; silent where stderr is not a terminal."""
    return track(items, what, console=_console, transient=True, disable=not _console.is_terminal)
