"""What a layer's `call` computes, as calls of the layers and operations that it calls."""

import keras
import numpy as np
from keras import layers

from keraslayers import _keras

# What a call that cannot be followed raises.
RAISED = (AttributeError, NotImplementedError, TypeError, ValueError)


# Operations that add or multiply number by number.
ONE_BY_ONE = {"Add", "Multiply", "Subtract"}


class OwnNumbersError(NotImplementedError):
    """A layer that does nothing but add its weights to numbers, or multiply them: a scale, a bias, positions."""


class _Watch(keras.StatelessScope):
    """Notes the variables whose numbers a call reads, and those that it changes."""

    def __init__(self):
        super().__init__()
        self.read, self.changed = {}, {}

    def get_current_value(self, variable):
        self.read[id(variable)] = variable
        return super().get_current_value(variable)

    def add_update(self, update):
        self.changed[id(update[0])] = update[0]
        super().add_update(update)


class _Call(keras.layers.Layer):
    """Calls a layer's `call` with symbolic tensors where Keras would: what it calls inherits `training`.

    Args:
        layer: any layer.
        args, kwargs: what its `call` is given.
    """

    def __init__(self, layer, args, kwargs):
        super().__init__(dtype=layer.dtype_policy)
        self.layer = layer
        self.given = (args, kwargs)
        self.error = self.outputs = None
        self.watch = _Watch()
        self.built = True

    def call(self, inputs, training=None):
        raise NotImplementedError

    def compute_output_spec(self, inputs, training=None):
        args, kwargs = self.given
        if _keras.takes_training(self.layer):
            kwargs = {**kwargs, "training": training}
        try:
            with self.watch:
                self.outputs = self.layer.call(*args, **kwargs)
        except RAISED as error:  # Keras would put its own words before these
            self.error = error
        return keras.KerasTensor((None,))


def opened(layer, args, kwargs, passing):
    """The outputs of a layer's `call`: symbolic tensors, made by the layers and operations that it calls.

    Given:   x -> Block, whose call(x, training) calls conv(x), norm(..., training=training) and, if training, dropout
    Result:  x -> conv -> norm -> dropout, which train and predict as Keras has them do

    Args:
        layer: any layer.
        args, kwargs: symbolic tensors, and whatever else it is called with.
        passing: classes of layers that compute something in training alone.

    Returns:
        The outputs.

    Raises:
        NotImplementedError: which says what cannot be followed.
    """
    kwargs = {name: value for name, value in kwargs.items() if name != "training"}
    inputs = [tensor for tensor in keras.tree.flatten((args, kwargs)) if isinstance(tensor, keras.KerasTensor)]
    after = _computed(layer, args, kwargs, training=False)
    try:
        while_training = _computed(layer, args, kwargs, training=True)
    except RAISED as error:
        raise NotImplementedError(f"it computes something else while training: {str(error).splitlines()[0]}") from error
    forms = _Forms(inputs, passing)
    if not _alike(forms, after, while_training):
        raise NotImplementedError(
            "it computes something else while training, and no layer within it does that"
            if _keras.takes_training(layer)
            else "it computes something else every time"
        )
    for outputs, training in ((while_training, True), (after, False)):
        _let_follow(outputs, inputs, training)
    return while_training


def passes(layer, args, kwargs):
    """Whether a layer hands its input on as it is, but in training."""
    if not _keras.takes_training(layer) or isinstance(layer, keras.Model):
        return False
    try:
        after = _computed(layer, args, kwargs, training=False)
    except RAISED:
        return False
    return after is (args or tuple(kwargs.values()))[0]


def _computed(layer, args, kwargs, training):
    """The outputs of one call, which must be of nothing but its inputs and the layers it calls."""
    made = _Call(layer, args, kwargs)
    first = next(x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor))
    made(first, training=training)
    if made.error is not None:
        raise made.error
    changed = [variable.path for variable in made.watch.changed.values()]
    if changed:
        raise NotImplementedError(f"it changes {changed}, or draws random numbers with them, in its own `call`")
    read, simple = dict(made.watch.read), not made.watch.read
    for node in _nodes(made.outputs, args, kwargs):
        if isinstance(node.operation, layers.Layer):
            simple = False
            continue
        given = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
        variables = {id(value): value for value in given if isinstance(value, keras.Variable)}
        simple &= not variables or type(node.operation).__name__ in ONE_BY_ONE
        read |= variables
    trained = [variable.path for variable in read.values() if variable.trainable]
    if trained:
        kind = OwnNumbersError if simple else NotImplementedError
        raise kind(f"it computes with its weights {trained} in a way that cannot be followed")
    return made.outputs


def _nodes(outputs, *inputs):
    """The calls that made symbolic tensors of others, each once."""
    ends = {id(tensor) for tensor in keras.tree.flatten(inputs)}
    seen, waiting = set(), list(keras.tree.flatten(outputs))
    while waiting:
        tensor = waiting.pop()
        if not isinstance(tensor, keras.KerasTensor) or id(tensor) in ends:
            continue
        node = _keras.node_of(tensor)
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting.extend(node.input_tensors)


def _let_follow(outputs, inputs, training):
    """Takes `training` from calls, so that it is what the model is called with; refuses one that is always the same."""
    for node in _nodes(outputs, inputs):
        kwargs = node.arguments.kwargs
        if "training" in kwargs and isinstance(node.operation, layers.Layer):
            value, layer = kwargs.pop("training"), node.operation
            still = type(layer) is layers.BatchNormalization and not layer.trainable
            if value is not training and not still:
                raise NotImplementedError(
                    f"it calls its layer {layer.name!r} with training={value}, whether it trains or not"
                )


def _alike(forms, one, other):
    """Whether outputs of two calls are computed in the same way."""
    ones, others = keras.tree.flatten(one), keras.tree.flatten(other)
    return len(ones) == len(others) and all(forms.of(a) == forms.of(b) for a, b in zip(ones, others, strict=True))


class _Forms:
    """Numbers for symbolic tensors: two have the same one if they are computed in the same way of the same inputs."""

    def __init__(self, inputs, passing):
        self.passing = passing
        self.numbers = {id(tensor): ("input", i) for i, tensor in enumerate(inputs)}
        self.known = {}

    def of(self, value):
        """The number of a symbolic tensor, or what stands for anything else."""
        if not isinstance(value, keras.KerasTensor):
            return _constant(value)
        if id(value) not in self.numbers:
            node, place = _keras.node_of(value), _keras.history(value).tensor_index
            if isinstance(node.operation, layers.Layer) and self._passes(node.operation, node.arguments):
                self.numbers[id(value)] = self.of(node.input_tensors[0])
            else:
                self.numbers[id(value)] = self._number((self._form(node.operation, node), place))
        return self.numbers[id(value)]

    def _passes(self, layer, given):
        kwargs = {name: value for name, value in given.kwargs.items() if name != "training"}
        return type(layer) in self.passing or passes(layer, given.args, kwargs)

    def _form(self, operation, node):
        given = {"args": node.arguments.args, **{k: v for k, v in node.arguments.kwargs.items() if k != "training"}}
        parts = tuple((name, tuple(map(self.of, keras.tree.flatten(part)))) for name, part in sorted(given.items()))
        if isinstance(operation, layers.Layer):
            return id(operation), parts
        own = {name: value for name, value in vars(operation).items() if name != "name" and name[0] != "_"}
        return type(operation), parts, tuple((name, _constant(value)) for name, value in sorted(own.items()))

    def _number(self, form):
        return self.known.setdefault(form, len(self.known))


def _constant(value):
    if isinstance(value, keras.Variable):
        return id(value)
    if hasattr(value, "shape"):
        value = np.asarray(value)
        return value.shape, value.dtype.name, value.tobytes()
    return repr(value)
