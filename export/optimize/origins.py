"""Which of the user's layers a call comes from."""

import keras


class Origins:
    """The names of the user's layers, by which what was made of one is known again: it is named after it.

    Args:
        names: of the user's layers.
        skip: those of them that stay in floats.
    """

    def __init__(self, names, skip):
        self.names = frozenset(names)
        self.skip = frozenset(skip)

    def of(self, name):
        """The name of the user's layer that a layer was made of; the name itself where there is none."""
        found = [known for known in self.names if name == known or name.startswith(f"{known}_")]
        return max(found, key=len, default=name)

    def skipped(self, layer):
        """Whether a layer or operation stays in floats."""
        # Operations that the lowering calls are named by Keras: `multiply_1` is not made of the layer `multiply`.
        made = self.of(layer.name) if isinstance(layer, keras.layers.Layer) else layer.name
        return made in self.skip

    def remedy(self, name):
        """What to do about a layer that cannot be quantized."""
        return f"Leave it in floats, skip=[{self.of(name)!r}], or give its class a rule: optimize.register."
