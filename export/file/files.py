"""Writes files whole or not at all."""

import errno
import os
import re
import stat
import tempfile
import time
from pathlib import Path

# Seconds for which nobody takes away what a writer left, who may still be at it.
YOUNG = 60


def writable(who, argument, path, suffix=None):
    """Returns `path` as a Path if a file can be written there, else raises before any work is lost.

    Args:
        who, argument: for messages.
        path: where a file is to be written; a link leads to the file that is.
        suffix: what it must end in; one of several, if they are a tuple.

    Raises:
        ValueError: if it does not end in `suffix`, or what is there is no file, but a device or a pipe.
        OSError: if its folder is missing or not writable, or if it is a folder.
    """
    path = Path(os.fspath(path))
    endings = (suffix,) if isinstance(suffix, str) else suffix
    if endings is not None and path.suffix not in endings:
        raise ValueError(f"`{who}`: `{argument}` must end in {' or '.join(map(repr, endings))}; got {str(path)!r}.")
    real = _real(path)
    if not real.parent.is_dir():
        raise FileNotFoundError(
            f"`{who}`: `{argument}`: there is no folder {str(real.parent)!r} to write {real.name!r} in; make it first."
        )
    if path.is_dir():
        raise IsADirectoryError(f"`{who}`: `{argument}` must be a file; {str(path)!r} is a folder.")
    if not _replaceable(path):
        raise ValueError(f"`{who}`: `{argument}` must be a file; {str(path)!r} is none: a device, a pipe or a socket.")
    if not os.access(real.parent, os.W_OK):
        raise PermissionError(f"`{who}`: `{argument}`: no right to write in {str(real.parent)!r}.")
    return path


def check_distinct(who, written, read=()):
    """Raises if a file that is to be written is one of those that are read, or another one that is written.

    Args:
        who: for messages.
        written, read: paths by what they are called in messages; None stands for none.

    Raises:
        ValueError: which names both.
    """
    places = [(name, Path(path)) for name, path in written.items() if path is not None]
    given = [(name, Path(path)) for name, path in dict(read).items() if path is not None]
    for number, (name, path) in enumerate(places):
        for other, place in [*given, *places[:number]]:
            if os.path.realpath(path) == os.path.realpath(place) or (
                path.exists() and place.exists() and path.samefile(place)
            ):
                raise ValueError(
                    f"`{who}`: `{name}` must be another file than `{other}`: {str(path)!r} would be replaced."
                )


def _real(path):
    """Where a link leads; its folder as it was given, where it is none."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def _replaceable(path):
    """Whether there is nothing, or a file of bytes."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True  # what is wrong there the writing will tell


def write(contents):
    """Writes files, each beside its place first: whoever reads sees the old file or the new one.

    What writers that were killed left beside these places is taken away.

    Args:
        contents: bytes by path; a link leads to the file that is written. Nothing takes its place before all are
            written.

    Raises:
        OSError: which names the path.
    """
    contents = {_real(path): content for path, content in contents.items()}
    beside = {}
    try:
        for path, content in contents.items():
            try:
                if not (_replaceable(path) or path.is_dir()):
                    raise OSError(errno.EINVAL, "no file that can be replaced")
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
