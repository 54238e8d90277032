"""Files of weights from the network, once: the cache has what was received whole, checked where a hash is known."""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

TIMEOUT = 30  # seconds without a byte
HUB = "https://huggingface.co/{repository}/resolve/{revision}/{file}"
# hf://owner/name, @revision, /file
OF_HUB = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<file>[\w./-]+))?")
HASH = re.compile(r"(sha256|md5)[:=]([0-9a-f]{8,64})")  # or its beginning, as in names of PyTorch's files


def is_address(weights):
    return isinstance(weights, str) and re.match(r"(https?|hf)://", weights) is not None


def parse(who, address):
    """Returns (https address, hash or None) of `https://...` or `hf://owner/name@revision/file`, a hash behind #.

    Raises:
        ValueError: if it is neither.
    """
    plain, _, digest = address.partition("#")
    if digest and not HASH.fullmatch(digest):
        raise ValueError(
            f"`{who}`: what stands behind # in an address of `weights` must be sha256=... or md5=..., of 8 digits or "
            f"more; got {digest!r}."
        )
    if plain.startswith("hf://"):
        found = OF_HUB.fullmatch(plain)
        if found is None:
            raise ValueError(
                f"`{who}`: `weights` must be hf://owner/name, hf://owner/name/file or hf://owner/name@revision/file; "
                f"got {address!r}."
            )
        parts = {"revision": "main", "file": "model.safetensors"} | {k: v for k, v in found.groupdict().items() if v}
        plain = HUB.format(**parts)
    elif plain.startswith("http://") and urlsplit(plain).hostname not in ("localhost", "127.0.0.1"):
        raise ValueError(f"`{who}`: `weights` must be an address of https; got {address!r}.")
    return plain, digest.replace("=", ":") or None


def folder():
    """Where files are kept, in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keraslayers" / "weights"


def fetch(who, url, digest):
    """Returns the path of the file at `url`, which is downloaded unless it has been.

    Args:
        digest: "sha256:..." or "md5:...", the whole or its beginning; None checks nothing but the length that the
            server tells.

    Raises:
        ConnectionError: if the network or the server does not give it.
        ValueError: if it is another file than the hash says.
    """
    # Of two addresses that end in one name neither hides the other; nor does a file that was not checked.
    place = hashlib.sha256(f"{url} {digest}".encode()).hexdigest()[:12]
    path = folder() / f"{place}-{Path(urlsplit(url).path).name}"
    if path.exists():
        return str(path)
    import pooch  # brings requests, which takes a while
    import requests

    def receive(url, file, _):
        with _bar(path.name) as bar:
            pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT)(url, file, None)
        _check(who, url, file, digest)

    try:
        # Received under another name, which goes if anything fails.
        return pooch.retrieve(url, known_hash=None, fname=path.name, path=path.parent, downloader=receive)
    except requests.exceptions.RequestException as error:
        raise ConnectionError(
            f"`{who}`: `weights` could not be downloaded from {url} ({error}). Where there is no network, bring the "
            f"file from elsewhere and give its path, or lay it at {path}."
        ) from error


def _check(who, url, file, digest):
    if digest is None:
        return
    kind, expected = HASH.fullmatch(digest).groups()
    with open(file, "rb") as opened:
        found = hashlib.file_digest(opened, kind).hexdigest()
    if not found.startswith(expected):
        raise ValueError(
            f"`{who}`: the file of `weights` must have the {kind} {expected}; that at {url} has {found}. It is another "
            "file than was published, or was changed on the way; nothing of it is kept."
        )


class _bar:  # noqa: N801
    """A progress bar as pooch wants one; silent where stderr is not a terminal."""

    def __init__(self, name):
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(name)

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *_):
        self._progress.stop()

    @property
    def total(self):
        return self._progress.tasks[0].total

    @total.setter
    def total(self, size):
        self._progress.update(self._task, total=size or None)

    def update(self, size):
        self._progress.advance(self._task, size)

    def reset(self):
        self._progress.reset(self._task, total=self.total)

    def close(self):
        pass
