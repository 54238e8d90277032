"""Networks for text, in the style of the examples on keras.io. Tokens come as 32-bit integers."""

import keras
from keras import layers, ops

from benchmarks.others.data import normal, padded, settle, tokens

VOCABULARY, LENGTH = 100, 24


class TokenAndPosition(layers.Layer):
    """What the model knows of each token and of each place, added."""

    def __init__(self, length, vocabulary, width, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.Embedding(vocabulary, width)
        self.places = layers.Embedding(length, width)

    def call(self, x):
        return self.tokens(x) + self.places(ops.arange(ops.shape(x)[-1]))


class TransformerBlock(layers.Layer):
    """Attention among the tokens and a network on each; causal if wanted."""

    def __init__(self, width, heads, inner, causal=False, **kwargs):
        super().__init__(**kwargs)
        self.causal = causal
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.inner = keras.Sequential([layers.Dense(inner, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self.dropouts = [layers.Dropout(0.1) for _ in range(2)]

    def _mask(self, x):
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        i, j = ops.arange(length)[:, None], ops.arange(length)
        mask = ops.reshape(ops.cast(i >= j, "int32"), (1, length, length))
        return ops.cast(ops.tile(mask, (batch, 1, 1)), "bool")

    def call(self, x, training=False):
        mask = self._mask(x) if self.causal else None
        seen = self.attention(x, x, attention_mask=mask)
        x = self.norms[0](x + self.dropouts[0](seen, training=training))
        return self.norms[1](x + self.dropouts[1](self.inner(x), training=training))


def text_classification_transformer():
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = TransformerBlock(32, 2, 32)(TokenAndPosition(LENGTH, VOCABULARY, 32)(inputs))
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dense(20, activation="relu")(x)
    model, x = keras.Model(inputs, layers.Dense(2, activation="softmax")(x)), tokens(VOCABULARY, LENGTH)
    return settle(model, x), x


def mini_gpt():
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = TransformerBlock(32, 2, 64, causal=True)(TokenAndPosition(LENGTH, VOCABULARY, 32)(inputs))
    model, x = keras.Model(inputs, [layers.Dense(VOCABULARY)(x), x]), tokens(VOCABULARY, LENGTH)
    return settle(model, x), x


def masked_language_model():
    """BERT's pretraining: sines for places, a head over all words; the mask of the padding comes as an input."""
    width = 32

    class Sines(layers.Layer):
        def call(self, x):
            length = x.shape[1]
            rates = ops.exp(ops.arange(0, width, 2, dtype="float32") * (-9.21 / width))
            angles = ops.arange(length, dtype="float32")[:, None] * rates
            return x + ops.reshape(ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1), (1, length, width))

    ids, there = keras.Input((LENGTH,), dtype="int32", name="ids"), keras.Input((LENGTH,), dtype="int32", name="there")
    x = Sines()(layers.Embedding(VOCABULARY, width)(ids))
    mask = ops.cast(there, "bool")[:, None, :]
    for _ in range(2):
        seen = layers.MultiHeadAttention(4, 8)(x, x, attention_mask=mask)
        x = layers.LayerNormalization(epsilon=1e-6)(x + seen)
        inner = layers.Dense(width)(layers.Dense(64, activation="gelu")(x))
        x = layers.LayerNormalization(epsilon=1e-6)(x + inner)
    model = keras.Model([ids, there], layers.Dense(VOCABULARY, activation="softmax")(x))
    ids, there = padded(VOCABULARY, LENGTH)
    x = {"ids": ids, "there": there}
    return settle(model, x), x


class Translator(keras.Model):
    """A transformer of an encoder and a decoder, subclassed; called on a pair of token lists."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.source, self.target = (TokenAndPosition(LENGTH, VOCABULARY, width) for _ in range(2))
        self.encoder = TransformerBlock(width, heads, 64)
        self.own = layers.MultiHeadAttention(heads, width // heads)
        self.cross = layers.MultiHeadAttention(heads, width // heads)
        self.inner = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization() for _ in range(3)]
        self.words = layers.Dense(VOCABULARY)

    def call(self, inputs, training=False):
        memory = self.encoder(self.source(inputs["source"]), training=training)
        x = self.target(inputs["target"])
        x = self.norms[0](x + self.own(x, x, use_causal_mask=True))
        x = self.norms[1](x + self.cross(x, memory))
        return self.words(self.norms[2](x + self.inner(x)))


def machine_translation():
    x = {"source": tokens(VOCABULARY, LENGTH), "target": tokens(VOCABULARY, LENGTH, seed=1)}
    return settle(Translator(), x), x


def text_convolutions():
    """Convolutions of one axis over embeddings, as the example that reads text from files."""
    inputs = keras.Input((64,), dtype="int32")
    x = layers.Dropout(0.5)(layers.Embedding(VOCABULARY, 32)(inputs))
    for _ in range(2):
        x = layers.Conv1D(32, 7, padding="valid", activation="relu", strides=3)(x)
    x = layers.Dense(32, activation="relu")(layers.GlobalMaxPooling1D()(x))
    model, x = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x)), tokens(VOCABULARY, 64)
    return settle(model, x), x


class Experts(layers.Layer):
    """A switch: each token goes to the expert that the router prefers; here all compute and one is kept."""

    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.count = count
        self.router = layers.Dense(count)
        self.experts = [
            keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(width)]) for _ in range(count)
        ]

    def call(self, x):
        shares = ops.softmax(self.router(x))
        best, chosen = ops.top_k(shares, k=1)
        kept = ops.one_hot(ops.squeeze(chosen, -1), self.count) * best
        made = ops.stack([expert(x) for expert in self.experts], axis=-1)
        return ops.sum(made * ops.expand_dims(kept, -2), axis=-1)


def switch_transformer():
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = TokenAndPosition(LENGTH, VOCABULARY, 32)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 16)(x, x))
    x = layers.LayerNormalization()(x + Experts(4, 32)(x))
    x = layers.Dense(2)(layers.GlobalAveragePooling1D()(x))
    model, x = keras.Model(inputs, x), tokens(VOCABULARY, LENGTH)
    return settle(model, x), x


def two_towers():
    """Pictures' features and captions drawn to one place: dot products of what two networks say, scaled."""

    def projected(x, width=16):
        x = kept = layers.Dense(width)(x)
        x = layers.Dense(width)(ops.gelu(x))
        return layers.LayerNormalization()(layers.Add()([layers.Dropout(0.1)(x), kept]))

    features, ids = keras.Input((64,), name="features"), keras.Input((LENGTH,), dtype="int32", name="ids")
    text = layers.GlobalAveragePooling1D()(layers.Embedding(VOCABULARY, 32)(ids))
    image, text = (layers.UnitNormalization()(projected(x)) for x in (features, text))
    model = keras.Model([features, ids], layers.Dot(axes=1)([image, text]) / 0.05)
    x = {"features": normal(64), "ids": tokens(VOCABULARY, LENGTH)}
    return settle(model, x), x


MODELS = (
    text_classification_transformer,
    mini_gpt,
    masked_language_model,
    machine_translation,
    text_convolutions,
    switch_transformer,
    two_towers,
)
