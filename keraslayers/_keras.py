"""What Keras keeps under private names: no other file knows them, so that where Keras changes this one does."""

from importlib import import_module

# What TensorFlow imports of Keras when it starts, for nothing that is needed to convert.
OPTIMIZERS = "keras.src.optimizers"


def functional(sequential):
    """`_functional`: the Functional model that a Sequential model makes of its layers when it is built; None before."""
    return sequential._functional


def nodes(graph):
    """`_nodes_by_depth`: a Functional model's calls from the inputs on, without the inputs themselves."""
    # By how many calls lie behind them; where paths differ in length the dict is in no order.
    depths = graph._nodes_by_depth
    return [node for depth in sorted(depths, reverse=True) for node in depths[depth] if not node.is_input]


def run(graph, inputs, call):
    """`_run_through_graph`: a Functional model's outputs where call(operation, *args, **kwargs) makes each call."""
    # Keras 3.10 has no default for what to make of operations before they are called.
    return graph._run_through_graph(inputs, operation_fn=lambda operation: operation, call_fn=call)


def history(tensor):
    """`_keras_history`: the `operation` that made a symbolic tensor, in call `node_index`, as output `tensor_index`."""
    return tensor._keras_history


def node_of(tensor):
    """The call that made a symbolic tensor: `_inbound_nodes` has an operation's calls in their order."""
    made = history(tensor)
    return made.operation._inbound_nodes[made.node_index]


def flatten_layers(layer, include_self=True, recursive=True):
    """`_flatten_layers`: a layer and those within it, in lists and dicts too; `Model.layers` has the outermost only."""
    return layer._flatten_layers(include_self, recursive)


def own_variables(layer):
    """`_trainable_variables`, `_non_trainable_variables`: a layer's two lists, without those of the layers inside."""
    return layer._trainable_variables, layer._non_trainable_variables


def untrack(layer, part):
    """`_tracker`: what finds the weights of a layer's attributes; it forgets those of `part`."""
    layer._tracker.untrack(part)


def takes_training(layer):
    """`_call_has_training_arg`: whether a layer's `call` takes `training`."""
    return layer._call_has_training_arg


def projections(layer):
    """`_query_dense` and its like of a GroupedQueryAttention: (of queries and outputs, of keys and values)."""
    return [layer._query_dense, layer._output_dense, *gates(layer)], [layer._key_dense, layer._value_dense]


def gates(layer):
    """`_gate_dense`: the projection that gates what an attention gives, in a list; Keras 3.10 has none."""
    return [layer._gate_dense] if hasattr(layer, "_gate_dense") else []


def is_of_applications(kind):
    """Whether a class stands in `keras.src.applications`, as the layers do that its networks alone use."""
    return kind.__module__.startswith("keras.src.applications.")


def tensorflow_backend(module):
    """The module of `keras.src.backend.tensorflow` in which Keras computes what `keras.ops` has, such as `numpy`."""
    return import_module(f"keras.src.backend.tensorflow.{module}")
