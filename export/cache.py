"""Where lies what is fetched once for all runs, and what they would compute anew."""

import os
from pathlib import Path


def cache(name):
    """The folder of that name in the user's cache, as a Path; it may not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keraslayers" / name
