"""Tables of vectors that phones' GPUs look up."""

import keras
from keras import layers, ops

from keraslayers.export.passes._graph import first, rewrite


class FlatEmbedding(keras.layers.Layer):
    """Calls somebody else's `Embedding` on all tokens in one row."""

    def __init__(self, layer, name):
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.embedding = layer
        self.supports_masking = True
        self.built = True

    def call(self, tokens):
        vectors = type(self.embedding).call(self.embedding, ops.reshape(tokens, (-1,)))
        return ops.reshape(vectors, (*ops.shape(tokens), self.embedding.output_dim))

    def compute_mask(self, tokens, previous_mask=None):
        return self.embedding.compute_mask(tokens, previous_mask)

    def compute_output_shape(self, input_shape):
        return self.embedding.compute_output_shape(input_shape)


def flatten_tokens(model):
    """Looks vectors of tokens up in one row.

    LiteRT's GPU runtime refuses GATHER with indices of more than one axis.

    Given:   tokens (batch, tokens) -> Embedding
    Result:  tokens -> (batch * tokens,) -> Embedding -> (batch, tokens, vector)

    Returns:
        (model, how many calls were changed).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    plain = type(layer) is layers.Embedding and not layer.dtype_policy.quantization_mode and not layer.lora_enabled
    return plain and len(first(args, kwargs).shape) > 1


def _replace(layer, fresh, *args, **kwargs):
    return FlatEmbedding(layer, fresh(f"{layer.name}_flat"))(first(args, kwargs))
