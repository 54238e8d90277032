"""Rebuilds a Functional or Sequential model call by call, without touching it."""

import keras


class Borrowed(keras.layers.Layer):
    """Calls somebody else's layer and shares its weights.

    A layer that is called on symbolic inputs remembers the call for ever; a borrowed one stays as it was. Nothing is
    copied, and a layer that cannot be rebuilt from its config is no trouble.
    """

    def __init__(self, layer, name):
        super().__init__(name=name, dtype=getattr(layer, "dtype_policy", None))
        self.layer = layer
        self.supports_masking = True
        self.built = True

    def call(self, *args, **kwargs):
        return self.layer(*args, **kwargs)

    def compute_mask(self, inputs, previous_mask=None):
        compute = getattr(self.layer, "compute_mask", None)
        return compute(inputs, previous_mask) if compute else None

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs)


class BorrowedOperation(keras.Operation):
    """The same for an operation such as `keras.ops.add`, which takes numbers in its place of tensors too."""

    def __init__(self, operation, name):
        super().__init__(name=name)
        self.operation = operation

    def call(self, *args, **kwargs):
        return self.operation(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        return self.operation.compute_output_spec(*args, **kwargs)


def graph_of(model):
    """The Functional model behind a model or layer; None where there is none: a subclassed model is code."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if hasattr(model, "_run_through_graph") else None


def first(args, kwargs):
    """The first argument of a call, which may have been given by name."""
    return args[0] if args else next(iter(kwargs.values()))


def calls(model):
    """Yields (layer, args, kwargs) for every call in a model, those in nested models included."""
    for nodes in graph_of(model)._nodes_by_depth.values():
        for node in nodes:
            if node.is_input:
                continue
            if graph_of(node.operation) is not None:
                yield from calls(node.operation)
            else:
                yield node.operation, node.arguments.args, node.arguments.kwargs


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
    count = sum(applies(layer, *args, **kwargs) for layer, args, kwargs in calls(model))
    if count == 0:
        return model, 0
    borrowed = {}
    graph = graph_of(model)
    inputs = keras.tree.map_structure(
        lambda tensor: keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name),
        graph._inputs_struct,
    )
    names = {tensor.name for tensor in keras.tree.flatten(inputs)}

    def fresh(name):
        # Layers of two nested models may have one name.
        while name in names:
            name += "_"
        names.add(name)
        return name

    def call(layer, *args, **kwargs):
        inner = graph_of(layer)
        if inner is not None:
            return inner._run_through_graph(first(args, kwargs), call_fn=call)
        if applies(layer, *args, **kwargs):
            return replace(layer, fresh, *args, **kwargs)
        if id(layer) not in borrowed:
            borrow = Borrowed if isinstance(layer, keras.layers.Layer) else BorrowedOperation
            borrowed[id(layer)] = borrow(layer, fresh(layer.name))
        return borrowed[id(layer)](*args, **kwargs)

    return keras.Model(inputs, graph._run_through_graph(inputs, call_fn=call), name=model.name), count
