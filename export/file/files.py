"""Writes files whole or not at all."""

import os
import re
import tempfile
import time
from pathlib import Path

# Seconds for which nobody takes away what a writer left, who may still be at it.
YOUNG = 60


def writable(who, argument, path, suffix=None):
    """Returns `path` as a Path if a file can be written there, else raises before any work is lost.

    Raises:
        ValueError: if it does not end in `suffix`.
        OSError: if its folder is missing or not writable, or if it is a folder.
    """
    path = Path(os.fspath(path))
    if suffix is not None and path.suffix != suffix:
        raise ValueError(f"`{who}`: `{argument}` must end in {suffix!r}; got {str(path)!r}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"`{who}`: `{argument}`: there is no folder {str(path.parent)!r} to write {path.name!r} in; make it first."
        )
    if path.is_dir():
        raise IsADirectoryError(f"`{who}`: `{argument}` must be a file; {str(path)!r} is a folder.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"`{who}`: `{argument}`: no right to write in {str(path.parent)!r}.")
    return path


def write(contents):
    """Writes files, each beside its place first: whoever reads sees the old file or the new one.

    What writers that were killed left beside these places is taken away.

    Args:
        contents: bytes by path. Nothing takes its place before all are written.

    Raises:
        OSError: which names the path.
    """
    beside = {}
    try:
        for path, content in contents.items():
            try:
                _clear(path)
                handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.", suffix=".part")
                beside[path] = name
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(name, 0o666 & ~_umask())  # mkstemp makes it private
            except OSError as error:
                raise _of(path, error) from error
        for path, name in list(beside.items()):
            try:
                os.replace(name, path)
            except OSError as error:
                raise _of(path, error) from error
            del beside[path]
    finally:
        for name in beside.values():
            os.unlink(name)


def _of(path, error):
    """The same error of the file that was to be written; the one beside it says nothing to anybody."""
    return OSError(error.errno, error.strerror, str(path))  # Python makes it of the subclass of that number


def _clear(path):
    """Takes away what writers of this file left that are no more."""
    for entry in os.scandir(path.parent):
        writer = re.fullmatch(rf"\.{re.escape(path.name)}\.(\d+)\.[a-z0-9_]+\.part", entry.name)
        # A young one may be that of a program on another machine, whose processes are not seen here.
        if writer and not _alive(int(writer[1])) and time.time() - entry.stat().st_mtime > YOUNG:
            os.unlink(entry.path)


def _alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
