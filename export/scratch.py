"""Folders for what only this run needs; those that killed runs left are swept."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "keraslayers_"
# Seconds after which an unlocked folder counts as left: its owner locks it as soon as it has made it.
YOUNG = 5


@contextlib.contextmanager
def scratch():
    """A folder that is gone after the block, as a Path. What a killed run leaves, the next one sweeps."""
    _sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        # The system gives the lock back when its owner dies, whatever of.
        lock = _locked(name)
        try:
            yield Path(name)
        finally:
            os.close(lock)


def _sweep():
    """Takes away this user's folders whose owners are no more."""
    for entry in os.scandir(tempfile.gettempdir()):
        if not entry.name.startswith(PREFIX):
            continue
        with contextlib.suppress(OSError):  # another run sweeps, too, or one that is alive holds it
            about = entry.stat(follow_symlinks=False)
            mine = entry.is_dir(follow_symlinks=False) and about.st_uid == os.getuid()
            if mine and time.time() - about.st_mtime > YOUNG:
                os.close(_locked(entry.path))
                shutil.rmtree(entry.path)


def _locked(folder):
    """An open handle that holds the lock of a folder.

    Raises:
        OSError: if somebody else holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
