"""Which of the user's calls a call comes from."""

import keras

from keraslayers._rewrite import calls


class Origins:
    """The names of the user's layers and operations, by which what was made of one, named after it, is known again.

    Args:
        model: the user's.
    """

    def __init__(self, model):
        called = [layer for layer, _, _ in calls(model)]
        self.operations = {one.name for one in called if not isinstance(one, keras.layers.Layer)}
        self.names = {layer.name for layer in model._flatten_layers()} | self.operations

    def of(self, name):
        """The name of the user's layer or operation that a call was made of; the name itself where there is none."""
        found = [known for known in self.names if name == known or name.startswith(f"{known}_")]
        return max(found, key=len, default=name)

    def remedy(self, name):
        """What to do about a call that cannot be quantized."""
        name = self.of(name)
        if name in self.operations:
            return (
                "It stays in floats inside a layer: write one whose `call` does it, and give `skip` the name of that "
                "layer."
            )
        return f"Leave it in floats, skip=[{name!r}], or give its class a rule: optimize.register."
