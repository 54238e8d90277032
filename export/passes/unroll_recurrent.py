"""Recurrent layers as the graph of their steps."""

from keras import layers

from keraslayers.export.passes._graph import first, rewrite

RECURRENT = (layers.GRU, layers.LSTM, layers.SimpleRNN)
# With more steps the file would be thousands of operators long.
MOST_STEPS = 128


def unroll_recurrent(model):
    """Writes LSTM, GRU and SimpleRNN layers, alone or in Bidirectional, step by step where the length is known.

    A loop is refused by phones' GPUs, and the converter dies of one in int8.

    Given:   x -> LSTM: a loop over the steps of x
    Result:  x -> slice -> step 1 -> ... -> step n, where n is 128 at most

    Returns:
        (model, how many were written so).
    """
    return rewrite(model, _applies, _replace)


def is_loop(layer):
    """Whether it is a recurrent layer of Keras's that is a loop."""
    if type(layer) is layers.Bidirectional:
        return is_loop(layer.forward_layer) and is_loop(layer.backward_layer)
    # A subclass may compute something else; a stateful one has no place in a file.
    return type(layer) in RECURRENT and not layer.unroll and not layer.stateful


def _applies(layer, *args, **kwargs):
    given = (kwargs.get("mask"), kwargs.get("initial_state"))
    if not is_loop(layer) or len(args) > 1 or any(value is not None for value in given):
        return False
    steps = first(args, kwargs).shape[1]
    return steps is not None and steps <= MOST_STEPS


def _replace(layer, fresh, *args, **kwargs):
    twin = type(layer).from_config(_unrolled({**layer.get_config(), "name": fresh(f"{layer.name}_unrolled")}))
    made = twin(first(args, kwargs))
    twin.set_weights(layer.get_weights())
    return made


def _unrolled(config):
    config = {key: _unrolled(value) if isinstance(value, dict) else value for key, value in config.items()}
    return {**config, "unroll": True} if "unroll" in config else config
