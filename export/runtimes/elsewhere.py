"""What a runtime of this machine is in another place."""

from __future__ import annotations

from typing import TypeAlias


class Elsewhere:
    """A runtime whose files run in another place; what holds of them holds there. It has a `runtime`, the one here."""

    LIMITS: property = property(lambda self: self.runtime.LIMITS)
    PLAIN: property = property(lambda self: self.runtime.PLAIN)
    FLOATS: property = property(lambda self: self.runtime.FLOATS)
    load: property = property(lambda self: self.runtime.load)


# One of this machine by its name, or one elsewhere.
Runtime: TypeAlias = str | Elsewhere
