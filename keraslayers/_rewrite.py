"""Rebuilds a Functional or Sequential model call by call, without touching it."""

from collections import Counter
from dataclasses import dataclass

import keras

from keraslayers import _keras


class Borrowed(keras.layers.Layer):
    """Calls somebody else's layer and shares its weights.

    A layer that is called on symbolic inputs remembers the call for ever; a borrowed one stays as it was. Nothing is
    copied, and a layer that cannot be rebuilt from its config is no trouble.
    """

    def __init__(self, layer, name, fixed=()):
        super().__init__(name=name, dtype=getattr(layer, "dtype_policy", None))
        self.layer = layer
        self.fixed = dict(fixed)
        self.supports_masking = True
        self.built = True

    def call(self, *args, **kwargs):
        return self.layer(*args, **kwargs, **self.fixed)

    def compute_mask(self, inputs, previous_mask=None):
        compute = getattr(self.layer, "compute_mask", None)
        # Of a call with any number of arguments Keras hands over all; the layer wants what belongs to its first.
        if compute is None or inputs == ():
            return None
        return compute(inputs[0], previous_mask[0])

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs, **self.fixed)


class BorrowedOperation(keras.Operation):
    """The same for an operation such as `keras.ops.add`, which takes numbers in its place of tensors too."""

    def __init__(self, operation, name):
        super().__init__(name=name)
        self.operation = operation

    def call(self, *args, **kwargs):
        return self.operation(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        return self.operation.compute_output_spec(*args, **kwargs)


def owner(layer):
    """The user's layer or operation behind one that an earlier rewrite borrowed; any other as it is."""
    if isinstance(layer, Borrowed):
        return layer.layer
    return layer.operation if isinstance(layer, BorrowedOperation) else layer


def said(node):
    """What a node's layer was called with by name, whoever borrowed it."""
    return node.arguments.kwargs | getattr(node.operation, "fixed", {})


def graph_of(model):
    """The Functional model behind a model or layer; None where there is none: a subclassed model is code."""
    if isinstance(model, keras.Sequential):
        return _keras.functional(model)
    return model if isinstance(model, keras.Function) else None


def first(args, kwargs):
    """The first argument of a call, which may have been given by name."""
    return args[0] if args else next(iter(kwargs.values()))


def calls(model):
    """Yields (layer, args, kwargs) for every call in a model from the inputs on, those in nested models included."""
    for node in _keras.nodes(graph_of(model)):
        if graph_of(node.operation) is not None:
            yield from calls(node.operation)
        else:
            yield owner(node.operation), node.arguments.args, said(node)


def rewrite(model, applies, replace):
    """Rebuilds a model with some calls replaced.

    Given:   input -> a -> b -> output, where applies(b, ...) holds
    Result:  input -> a -> replace(b, ...) -> output; nested models are laid open

    Args:
        model: a Functional or Sequential model.
        applies: called as applies(layer, *args, **kwargs) with the call's symbolic inputs.
        replace: called as replace(layer, fresh, *args, **kwargs); returns the outputs in place of the layer's.
            `fresh` makes of a name one that no other layer has.

    Returns:
        (a model of the same inputs, outputs and weights, how many calls were replaced). Where none was, the model
        itself.
    """
    if not any(applies(layer, *args, **kwargs) for layer, args, kwargs in calls(model)):
        return model, 0
    count = 0

    def counted(layer, fresh, *args, **kwargs):
        nonlocal count
        count += 1  # here, since a call in a nested model sees what comes before that model in the rebuilt one alone
        return replace(layer, fresh, *args, **kwargs)

    return _rebuild(model, applies, counted, borrow), count


def laid_open(model):
    """The same model without nested ones, every layer of the user's borrowed."""
    return _rebuild(model, lambda *args, **kwargs: False, None, borrow)


def sized(model, shapes):
    """The same model for inputs of these sizes.

    Args:
        model: any model; one that is no graph of layers, or knows its sizes, passes through.
        shapes: of its inputs in order, the batch first.
    """
    if graph_of(model) is None or all(None not in tensor.shape[1:] for tensor in model.inputs):
        return model
    return _rebuild(model, lambda *args, **kwargs: False, None, borrow, iter(shapes))


def _rebuild(model, applies, replace, keep, shapes=None):
    """Calls anew what a model calls: replace(layer, fresh, ...) where applies(layer, ...) holds, else `keep`.

    keep(layer, name) makes what is called in a layer's place, once a layer. `shapes` yields those of the inputs, if
    they shall have others; the batch stays the model's.
    """
    kept = {}
    graph = graph_of(model)

    def again(tensor):
        shape = tensor.shape if shapes is None else (tensor.shape[0], *next(shapes)[1:])
        return keras.Input(batch_shape=shape, dtype=tensor.dtype, name=tensor.name)

    inputs = keras.tree.map_structure(again, graph.input)
    names = {tensor.name for tensor in keras.tree.flatten(inputs)}

    def fresh(name):
        # Layers of two nested models may have one name.
        while name in names:
            name += "_"
        names.add(name)
        return name

    def call(layer, *args, **kwargs):
        kwargs |= getattr(layer, "fixed", {})
        layer = owner(layer)
        inner = graph_of(layer)
        if inner is not None:
            return _keras.run(inner, first(args, kwargs), call)
        if applies(layer, *args, **kwargs):
            return replace(layer, fresh, *args, **kwargs)
        if id(layer) not in kept:
            kept[id(layer)] = keep(layer, fresh(layer.name))
        if not args and "inputs" in kwargs:  # Keras hands a mask on from positional arguments alone
            args = (kwargs.pop("inputs"),)
        found = kept[id(layer)]
        if isinstance(found, Borrowed) and (fixed := _beside_tensors(kwargs)):
            found = Borrowed(layer, fresh(layer.name), fixed)
            kwargs = {name: value for name, value in kwargs.items() if name not in fixed}
        return found(*args, **kwargs)

    return keras.Model(inputs, _keras.run(graph, inputs, call), name=model.name)


def _beside_tensors(kwargs):
    """What is no tensor of arguments that hold some: of a call with any arguments Keras takes no such mixture."""
    fixed = {
        name: value
        for name, value in kwargs.items()
        if value is not None
        and not any(keras.tree.map_structure(keras.utils.is_keras_tensor, keras.tree.flatten(value)))
    }
    return fixed if len(fixed) < len(kwargs) else {}


def borrow(layer, name):
    """A layer or operation that calls the user's one and shares its weights."""
    layer = owner(layer)
    return (Borrowed if isinstance(layer, keras.layers.Layer) else BorrowedOperation)(layer, name)


@dataclass(frozen=True)
class Call:
    """A layer's one call in a model laid open.

    Attributes:
        layer: the user's layer.
        args, kwargs: what it was called with, the tensors among it symbolic.
        before: the calls that made its inputs; None stands for an input of the model.
        uses: how often each input goes anywhere, to this call, another, or out of the model.
    """

    layer: object
    args: tuple
    kwargs: dict
    before: tuple
    uses: tuple

    @property
    def alone(self):
        """Whether no input goes anywhere else."""
        return all(count == 1 for count in self.uses)

    @property
    def trains(self):
        """Whether it was called with training=True."""
        return bool(self.kwargs.get("training") or (len(self.args) > 1 and self.args[1] is True))


def single_calls(model):
    """By the layer's id, the calls of the layers that a model calls once, nested models laid open."""
    flat = laid_open(model)
    nodes = _keras.nodes(flat)
    uses = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    uses.update(id(tensor) for tensor in keras.tree.flatten(flat.outputs))
    times = Counter(id(node.operation) for node in nodes)
    made, found = {}, {}
    for node in nodes:
        layer = owner(node.operation)
        call = Call(
            layer,
            node.arguments.args,
            said(node),
            tuple(made.get(id(tensor)) for tensor in node.input_tensors),
            tuple(uses[id(tensor)] for tensor in node.input_tensors),
        )
        made.update((id(tensor), call) for tensor in node.outputs)
        if times[id(node.operation)] == 1:
            found[id(layer)] = call
    return found


def copy(who, model, changes, dropped=()):
    """Copies a model layer by layer, weights and all; the copy shares nothing with it.

    Args:
        who: the function that copies, for messages.
        model: a Functional or Sequential model.
        changes: by a layer's id what is different in the copy: (entries of its config, list of its weights).
        dropped: by the id of a layer that the copy leaves out which of its inputs goes on in its place.

    Returns:
        A Functional model of the same inputs and outputs, not compiled; nested models are laid open.

    Raises:
        ValueError: if a layer cannot be made again from its config.
    """
    weights = []

    def twin_of(layer, name):
        entries, values = changes.get(id(layer), ({}, None))
        try:
            config = layer.get_config()
            twin = type(layer).from_config({**config, **entries, **({"name": name} if "name" in config else {})})
        except (NotImplementedError, TypeError, ValueError) as error:
            raise ValueError(
                f"`{who}`: layer {layer.name!r} of `model` {model.name!r} cannot be copied, as `from_config` does not "
                f"take what its `get_config` gives: {error}"
            ) from error
        twin.name = name
        if isinstance(layer, keras.layers.Layer):
            weights.append((twin, layer.get_weights() if values is None else values))
        return twin

    def drop(layer, fresh, *args, **kwargs):
        return keras.tree.flatten(first(args, kwargs))[dropped[id(layer)]]

    made = _rebuild(model, lambda layer, *args, **kwargs: id(layer) in dropped, drop, twin_of)
    for twin, values in weights:
        twin.set_weights(values)
        if hasattr(twin, "finalize_state"):  # Normalization keeps what it works out from its weights
            twin.finalize_state()
    return made


def check_graph(who, model, argument="model"):
    """Raises unless `model` is a Keras model that is a graph of layers."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"`{who}`: `{argument}` must be a Keras model; got {type(model).__name__}.")
    if graph_of(model) is None:
        name = f"`{who}`: `{argument}` {model.name!r}"
        if isinstance(model, keras.Sequential):
            raise ValueError(f"{name} is not built; give it an `Input` or call it on data first.")
        raise ValueError(
            f"{name} is a subclassed model: its `call` is code, in which no layer can be found. Give a Functional or "
            "Sequential model."
        )
