"""Recurrent networks, in the style of the examples on keras.io, and as apps run them: step by step."""

import keras
from keras import layers, ops

from benchmarks.others.data import normal, padded, settle, signals, tokens


def bidirectional_lstm():
    """Two layers of both directions over words."""
    inputs = keras.Input((20,), dtype="int32")
    x = layers.Embedding(100, 24)(inputs)
    x = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(16))(x)
    model, x = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x)), tokens(100, 20)
    return settle(model, x), x


def masked_lstm():
    """Sentences of several lengths: the embedding tells the LSTM which steps are padding."""
    inputs = keras.Input((12,), dtype="int32")
    x = layers.LSTM(16)(layers.Embedding(50, 16, mask_zero=True)(inputs))
    model, x = keras.Model(inputs, layers.Dense(3, activation="softmax")(x)), padded(50, 12)[0]
    return settle(model, x), x


def masked_bidirectional():
    """The same of both directions, over features that a Masking layer looks at."""
    inputs = keras.Input((10, 8))
    x = layers.Bidirectional(layers.GRU(12))(layers.Masking()(inputs))
    _, there = padded(50, 10)
    model, x = keras.Model(inputs, layers.Dense(3)(x)), normal(10, 8) * there[:, :, None].astype("float32")
    return settle(model, x), x


def recurrent_dropout():
    """An LSTM and a GRU trained with dropout on inputs and states."""
    inputs = keras.Input((16, 6))
    x = layers.LSTM(16, return_sequences=True, dropout=0.2, recurrent_dropout=0.2)(inputs)
    x = layers.GRU(12, dropout=0.1)(x)
    model, x = keras.Model(inputs, layers.Dense(2)(x)), signals(16, 6)
    return settle(model, x), x


def streaming_gru():
    """One step of two GRUs: the state comes in and goes out, as an app runs it while sound arrives."""
    step, first, second = keras.Input((1, 12)), keras.Input((16,)), keras.Input((16,))
    x, a = layers.GRU(16, return_sequences=True, return_state=True)(step, initial_state=first)
    x, b = layers.GRU(16, return_state=True)(x, initial_state=second)
    model = keras.Model([step, first, second], [layers.Dense(4)(x), a, b])
    x = [normal(1, 12), 0.5 * normal(16, seed=1), 0.5 * normal(16, seed=2)]
    return settle(model, x), x


def seq2seq_decoder():
    """The decoder of character-level translation: the encoder's state is an input, all steps at once."""
    letters, h, c = keras.Input((10, 20)), keras.Input((24,)), keras.Input((24,))
    x, new_h, new_c = layers.LSTM(24, return_sequences=True, return_state=True)(letters, initial_state=[h, c])
    model = keras.Model([letters, h, c], [layers.Dense(20, activation="softmax")(x), new_h, new_c])
    x = [normal(10, 20), 0.5 * normal(24, seed=1), 0.5 * normal(24, seed=2)]
    return settle(model, x), x


class BahdanauAttention(layers.Layer):
    """Additive attention: how well each step goes with the query."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second, self.score = layers.Dense(width), layers.Dense(width), layers.Dense(1)

    def call(self, query, values):
        score = self.score(ops.tanh(self.first(ops.expand_dims(query, 1)) + self.second(values)))
        weights = ops.softmax(score, axis=1)
        return ops.sum(weights * values, axis=1), weights


def gru_with_attention():
    """An encoder, and a decoder cell that looks at all that the encoder gave at each of its steps."""

    class Decoder(layers.Layer):
        def __init__(self, width, steps, **kwargs):
            super().__init__(**kwargs)
            self.steps = steps
            self.attention, self.cell, self.out = BahdanauAttention(width), layers.GRUCell(width), layers.Dense(width)

        def call(self, seen, state):
            said = []
            for _ in range(self.steps):
                context, _ = self.attention(state, seen)
                x, [state] = self.cell(context, [state])
                said.append(self.out(x))
            return ops.stack(said, axis=1)

    inputs = keras.Input((12,), dtype="int32")
    seen, state = layers.GRU(16, return_sequences=True, return_state=True)(layers.Embedding(50, 16)(inputs))
    model, x = keras.Model(inputs, layers.Dense(50)(Decoder(16, 4)(seen, state))), tokens(50, 12)
    return settle(model, x), x


def conv_lstm():
    """The next frame of a film: ConvLSTM2D with batch normalization, a convolution of three axes at the end."""
    inputs = keras.Input((4, 16, 16, 1))
    x = layers.ConvLSTM2D(8, 5, padding="same", return_sequences=True, activation="relu")(inputs)
    x = layers.ConvLSTM2D(8, 3, padding="same", return_sequences=True, activation="relu")(
        layers.BatchNormalization()(x)
    )
    model, x = keras.Model(inputs, layers.Conv3D(1, 3, activation="sigmoid", padding="same")(x)), normal(4, 16, 16, 1)
    return settle(model, x), x


def conv_lstm_last():
    """The same with one frame out of it."""
    inputs = keras.Input((4, 16, 16, 1))
    x = layers.ConvLSTM2D(8, 3, padding="same")(inputs)
    model, x = keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(x)), normal(4, 16, 16, 1)
    return settle(model, x), x


def cnn_rnn():
    """Frames through one convolutional network each, then GRUs over time: video classification."""
    frames = keras.Input((6, 24, 24, 1))
    inner = keras.Sequential(
        [
            keras.Input((24, 24, 1)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    x = layers.GRU(8)(layers.GRU(16, return_sequences=True)(layers.TimeDistributed(inner)(frames)))
    model, x = keras.Model(frames, layers.Dense(5, activation="softmax")(x)), normal(6, 24, 24, 1)
    return settle(model, x), x


class MinimalCell(layers.Layer):
    """A recurrent cell of one's own, run by keras.layers.RNN."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.gate, self.candidate = layers.Dense(units, activation="sigmoid"), layers.Dense(units, activation="tanh")

    def call(self, x, states):
        both = ops.concatenate([x, states[0]], axis=-1)
        share = self.gate(both)
        state = share * states[0] + (1 - share) * self.candidate(both)
        return state, [state]


def own_cell():
    inputs = keras.Input((12, 6))
    x = layers.RNN(MinimalCell(16))(layers.RNN(MinimalCell(16), return_sequences=True)(inputs))
    model, x = keras.Model(inputs, layers.Dense(2)(x)), signals(12, 6)
    return settle(model, x), x


MODELS = (
    bidirectional_lstm,
    masked_lstm,
    masked_bidirectional,
    recurrent_dropout,
    streaming_gru,
    seq2seq_decoder,
    gru_with_attention,
    conv_lstm,
    conv_lstm_last,
    cnn_rnn,
    own_cell,
)
