"""Which of the user's layers a call comes from."""


class Origins:
    """The names of the user's layers, by which what was made of one is known again: it is named after it.

    Args:
        names: of the user's layers.
    """

    def __init__(self, names):
        self.names = frozenset(names)

    def of(self, name):
        """The name of the user's layer that a layer was made of; the name itself where there is none."""
        found = [known for known in self.names if name == known or name.startswith(f"{known}_")]
        return max(found, key=len, default=name)

    def remedy(self, name):
        """What to do about a layer that cannot be quantized."""
        return f"Leave it in floats, skip=[{self.of(name)!r}], or give its class a rule: optimize.register."
