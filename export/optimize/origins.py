"""Which of the user's calls a call comes from."""

import keras

from keraslayers import _keras
from keraslayers._rewrite import calls


def labels_of(model):
    """What stands for the layers of a model, by their ids, in every copy of it.

    Their names; `outer/3` is the third layer within another, since Keras calls that one otherwise in each copy; a star
    behind it tells two of one name apart.
    """
    found, taken = {}, set()

    def take(layer, label):
        if id(layer) not in found:
            while label in taken:
                label += "*"
            taken.add(label)
            found[id(layer)] = label

    called = [layer for layer, _, _ in calls(model) if isinstance(layer, keras.layers.Layer)]
    called.reverse()  # of two of one name the one nearer to the end has no star
    for layer in called:
        take(layer, layer.name)
    for layer in called:
        for i, one in enumerate(_keras.flatten_layers(layer, include_self=False), 1):
            take(one, f"{layer.name}/{i}")
    return found


class Origins:
    """The names of the user's layers and operations, by which what was made of one, named after it, is known again.

    Args:
        model: the user's.
        skip: labels of layers that stay in floats.
    """

    def __init__(self, model, skip=()):
        called = [layer for layer, _, _ in calls(model)]
        self.operations = {one.name for one in called if not isinstance(one, keras.layers.Layer)}
        self.names = {one.name for one in called}
        self.holders = {}
        for layer in called:
            if isinstance(layer, keras.layers.Layer):
                for one in _keras.flatten_layers(layer):
                    self.holders.setdefault(id(one), layer.name)
        labels = labels_of(model)
        self.kept = {key for key, label in labels.items() if label in skip}

    def holder(self, layer):
        """The name of the user's layer that a layer is, or is within."""
        return self.holders[id(layer)]

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
