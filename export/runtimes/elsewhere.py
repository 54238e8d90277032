"""What a runtime of this machine is in another place."""


class Elsewhere:
    """A runtime whose files run in another place; what holds of them holds there. It has a `runtime`, the one here."""

    LIMITS = property(lambda self: self.runtime.LIMITS)
    PLAIN = property(lambda self: self.runtime.PLAIN)
    FLOATS = property(lambda self: self.runtime.FLOATS)
    load = property(lambda self: self.runtime.load)
