"""Networks for graphs, tables and recommendations, in the style of the examples on keras.io."""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.others.data import normal, settle, tokens


def ffn(widths):
    parts = []
    for width in widths:
        parts += [layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(width, activation="gelu")]
    return keras.Sequential(parts)


NODES, EDGES, FEATURES = 40, 120, 16


class GraphConvolution(layers.Layer):
    """Messages along the edges, summed where they arrive, and an update of each node."""

    def __init__(self, edges, width, **kwargs):
        super().__init__(**kwargs)
        self.edges = edges
        self.prepare, self.update = ffn([width, width]), ffn([width, width])

    def call(self, x):
        starts, ends = self.edges
        messages = ops.transpose(self.prepare(ops.take(x, ends, axis=1)), (1, 0, 2))
        summed = ops.transpose(ops.segment_sum(messages, starts, num_segments=NODES), (1, 0, 2))
        return ops.normalize(self.update(ops.concatenate([x, summed], axis=2)), axis=-1)


class NodeClassifier(keras.Model):
    """The edges are part of the model, the features of the nodes come in. Subclassed."""

    def __init__(self, width=16, classes=5):
        super().__init__()
        random = np.random.default_rng(0)
        self.edges = [random.integers(0, NODES, EDGES).astype("int32") for _ in range(2)]
        self.before, self.after = ffn([width, width]), ffn([width, width])
        self.convolutions = [GraphConvolution(self.edges, width) for _ in range(2)]
        self.classifier = layers.Dense(classes)

    def call(self, x):
        x = self.before(x)
        for convolution in self.convolutions:
            x = convolution(x) + x
        return self.classifier(self.after(x))


def gnn_node_classification():
    x = normal(NODES, FEATURES)
    return settle(NodeClassifier(), x), x


class GraphAttention(layers.Layer):
    """Attention along the edges of a graph of fixed size that comes as a matrix of neighbours."""

    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.head = heads, width // heads
        self.project = layers.Dense(width, use_bias=False)
        self.source, self.target = layers.Dense(heads), layers.Dense(heads)

    def call(self, x, neighbours):
        count = x.shape[1]
        x = self.project(x)
        scores = ops.expand_dims(self.source(x), 2) + ops.expand_dims(self.target(x), 1)
        scores = ops.leaky_relu(scores, 0.2) + ops.expand_dims((1 - neighbours) * -1e4, -1)
        weights = ops.transpose(ops.softmax(scores, axis=2), (0, 3, 1, 2))
        parts = ops.transpose(ops.reshape(x, (-1, count, self.heads, self.head)), (0, 2, 1, 3))
        made = ops.transpose(ops.matmul(weights, parts), (0, 2, 1, 3))
        return ops.relu(ops.reshape(made, (-1, count, self.heads * self.head)))


def molecule_graph():
    """Molecules: features of atoms and a matrix of bonds, two rounds of attention, a mean over the atoms."""
    atoms, bonds = keras.Input((12, 8), name="atoms"), keras.Input((12, 12), name="bonds")
    x = GraphAttention(16, 4)(atoms, bonds)
    x = GraphAttention(16, 4)(x, bonds) + x
    model = keras.Model([atoms, bonds], layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(x)))
    near = np.random.default_rng(0).random((32, 12, 12)) < 0.2
    near = near | near.transpose(0, 2, 1) | np.eye(12, dtype=bool)
    x = {"atoms": normal(12, 8), "bonds": near.astype("float32")}
    return settle(model, x), x


def tab_transformer():
    """A table: columns of words are tokens that attend to one another, numbers go beside them."""
    sizes, width = (9, 16, 7, 15), 16
    words = [keras.Input((1,), dtype="int32", name=f"word{i}") for i in range(len(sizes))]
    numbers = keras.Input((5,), name="numbers")
    x = ops.stack([layers.Embedding(n, width)(w)[:, 0] for n, w in zip(sizes, words, strict=True)], axis=1)
    x = x + layers.Embedding(len(sizes), width)(ops.arange(len(sizes)))
    for _ in range(2):
        seen = layers.MultiHeadAttention(2, width, dropout=0.1)(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([seen, x]))
        inner = layers.Dense(width)(layers.Dense(width, activation="gelu")(x))
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([inner, x]))
    x = layers.concatenate([layers.Flatten()(x), layers.LayerNormalization(epsilon=1e-6)(numbers)])
    x = layers.Dense(32, activation="selu")(layers.BatchNormalization()(x))
    model = keras.Model([*words, numbers], layers.Dense(1, activation="sigmoid")(x))
    x = {f"word{i}": tokens(n, 1, seed=i) for i, n in enumerate(sizes)} | {"numbers": normal(5)}
    return settle(model, x), x


def wide_and_deep():
    """Columns of words as one-hots beside a deep network and a network of crosses."""
    words = [keras.Input((1,), dtype="int32", name=f"word{i}") for i in range(3)]
    numbers = keras.Input((6,), name="numbers")
    x = layers.concatenate([layers.CategoryEncoding(8, output_mode="one_hot")(word) for word in words] + [numbers])
    first = crossed = layers.BatchNormalization()(x)
    for _ in range(2):
        crossed = first * layers.Dense(first.shape[-1])(crossed) + crossed
    deep = first
    for width in (32, 16):
        deep = layers.Dropout(0.1)(layers.ReLU()(layers.BatchNormalization()(layers.Dense(width)(deep))))
    x = layers.Dense(1, activation="sigmoid")(layers.concatenate([crossed, deep]))
    model = keras.Model([*words, numbers], x)
    x = {f"word{i}": tokens(8, 1, seed=i) for i in range(3)} | {"numbers": normal(6)}
    return settle(model, x), x


class GatedResidual(layers.Layer):
    """Two dense layers, a gate on what they say, and the input beside it."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.first, self.second = layers.Dense(width, activation="elu"), layers.Dense(width)
        self.linear, self.gate = layers.Dense(width), layers.Dense(width, activation="sigmoid")
        self.project, self.norm = layers.Dense(width), layers.LayerNormalization()

    def call(self, x):
        y = self.second(self.first(x))
        y = self.linear(y) * self.gate(y)
        return self.norm((x if x.shape[-1] == self.width else self.project(x)) + y)


class VariableSelection(layers.Layer):
    """Weighs the columns of a table."""

    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.columns = [GatedResidual(width) for _ in range(count)]
        self.choose, self.softmax = GatedResidual(width), layers.Dense(count, activation="softmax")

    def call(self, columns):
        weights = ops.expand_dims(self.softmax(self.choose(ops.concatenate(columns, axis=-1))), -1)
        made = ops.stack([column(x) for column, x in zip(self.columns, columns, strict=True)], axis=1)
        return ops.squeeze(ops.matmul(ops.transpose(weights, (0, 2, 1)), made), axis=1)


def gated_selection():
    inputs = keras.Input((6,))
    columns = [layers.Dense(8)(inputs[:, i : i + 1]) for i in range(6)]
    x = layers.Dense(1, activation="sigmoid")(VariableSelection(6, 8)(columns))
    model, x = keras.Model(inputs, x), normal(6)
    return settle(model, x), x


class DotInteraction(layers.Layer):
    """DLRM: the dot products of all pairs of features, the lower triangle of them."""

    def call(self, features):
        x = ops.stack(features, axis=1)
        count = x.shape[1]
        products = ops.reshape(ops.matmul(x, ops.transpose(x, (0, 2, 1))), (-1, count * count))
        kept = [i * count + j for i in range(count) for j in range(i)]
        return ops.take(products, kept, axis=1)


def dlrm():
    words = [keras.Input((), dtype="int32", name=f"word{i}") for i in range(4)]
    numbers = keras.Input((6,), name="numbers")
    bottom = layers.Dense(8, activation="relu")(layers.Dense(16, activation="relu")(numbers))
    crossed = DotInteraction()([bottom, *[layers.Embedding(30, 8)(word) for word in words]])
    x = layers.Dense(16, activation="relu")(layers.concatenate([bottom, crossed]))
    model = keras.Model([*words, numbers], layers.Dense(1, activation="sigmoid")(x))
    x = {f"word{i}": tokens(30, 1, seed=i)[:, 0] for i in range(4)} | {"numbers": normal(6)}
    return settle(model, x), x


class Recommender(keras.Model):
    """Matrix factorization, subclassed: a pair of ids comes in one tensor and is sliced apart."""

    def __init__(self, users=40, films=60, width=16):
        super().__init__()
        self.users, self.films = layers.Embedding(users, width), layers.Embedding(films, width)
        self.user_bias, self.film_bias = layers.Embedding(users, 1), layers.Embedding(films, 1)

    def call(self, pairs):
        user, film = pairs[:, 0], pairs[:, 1]
        match = ops.sum(self.users(user) * self.films(film), axis=-1, keepdims=True)
        return ops.nn.sigmoid(match + self.user_bias(user) + self.film_bias(film))


def collaborative_filtering():
    x = tokens(40, 2)
    return settle(Recommender(), x), x


class Splines(layers.Layer):
    """A Kolmogorov-Arnold layer: a curve of its own from each input to each output, of bumps over a grid."""

    def __init__(self, units, bumps=8, **kwargs):
        super().__init__(**kwargs)
        self.units, self.bumps = units, bumps

    def build(self, shape):
        self.curves = self.add_weight(shape=(shape[-1] * self.bumps, self.units), name="curves")
        self.base = self.add_weight(shape=(shape[-1], self.units), name="base")

    def call(self, x):
        grid = ops.linspace(-2.0, 2.0, self.bumps)
        bumps = ops.exp(-ops.square((ops.expand_dims(x, -1) - grid) * (self.bumps - 1) / 4))
        bumps = ops.reshape(bumps, (-1, x.shape[-1] * self.bumps))
        return ops.matmul(bumps, self.curves) + ops.matmul(ops.silu(x), self.base)


def kan():
    inputs = keras.Input((8,))
    model, x = keras.Model(inputs, Splines(3)(layers.LayerNormalization()(Splines(16)(inputs)))), normal(8)
    return settle(model, x), x


def neural_forest():
    """Decision trees that learn: sigmoids route each sample, probabilities multiplied down the tree."""

    class Tree(layers.Layer):
        def __init__(self, depth, features, seed, **kwargs):
            super().__init__(**kwargs)
            self.depth, self.leaves = depth, 2**depth
            self.used = np.sort(np.random.default_rng(seed).choice(features, features // 2, replace=False))
            self.decide = layers.Dense(self.leaves, activation="sigmoid")

        def build(self, shape):
            self.says = self.add_weight(shape=(self.leaves, 3), initializer="random_normal", name="says")

        def call(self, x):
            right = ops.expand_dims(self.decide(ops.take(x, self.used, axis=1)), axis=2)
            both = ops.concatenate([right, 1 - right], axis=2)
            share = ops.ones_like(both[:, :1, :1])
            begin, end = 1, 2
            for level in range(self.depth):
                share = ops.reshape(ops.tile(ops.reshape(share, (-1, 2**level, 1)), (1, 1, 2)), (-1, 2**level, 2))
                share = share * both[:, begin:end, :]
                begin, end = end, end + 2 ** (level + 1)
            return ops.matmul(ops.reshape(share, (-1, self.leaves)), ops.softmax(self.says))

    inputs = keras.Input((10,))
    x = layers.BatchNormalization()(inputs)
    trees = [Tree(3, 10, seed)(x) for seed in range(3)]
    model, x = keras.Model(inputs, layers.Average()(trees)), normal(10)
    return settle(model, x), x


MODELS = (
    gnn_node_classification,
    molecule_graph,
    tab_transformer,
    wide_and_deep,
    gated_selection,
    dlrm,
    collaborative_filtering,
    kan,
    neural_forest,
)
