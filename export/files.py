"""Writes files whole or not at all."""

import os
import tempfile
from pathlib import Path


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

    Args:
        contents: bytes by path. Nothing takes its place before all are written.
    """
    beside = {}
    try:
        for path, content in contents.items():
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
            beside[path] = name
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())  # mkstemp makes it private
        for path, name in list(beside.items()):
            os.replace(name, path)
            del beside[path]
    finally:
        for name in beside.values():
            os.unlink(name)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
