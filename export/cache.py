"""Where lies what is fetched once for all runs, and what they would compute anew."""

import os
import shutil
import tempfile
from pathlib import Path


def cache(name):
    """The folder of that name in the user's cache, as a Path; it may not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keraslayers" / name


def filled(folder, fill):
    """Makes a folder that is whole or not there: `fill` is called with one beside it, which then takes its place.

    Returns:
        The folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        fill(made)
        shutil.rmtree(made / "fetched", ignore_errors=True)  # what it was made of
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder
