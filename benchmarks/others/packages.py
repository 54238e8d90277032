"""Networks of packages that hold one idea each."""

import keras

from benchmarks.others.data import images, normal, settle, signals, tokens


def tcn():
    """keras-tcn: dilated causal convolutions; the last step alone leaves the layer."""
    from tcn import TCN

    inputs = keras.Input((48, 4))
    x = TCN(nb_filters=16, kernel_size=3, dilations=(1, 2, 4, 8), use_layer_norm=True)(inputs)
    model, x = keras.Model(inputs, keras.layers.Dense(3)(x)), signals(48, 4)
    return settle(model, x), x


def tcn_sequences():
    """The same, every step out of it, normalized by batches, two stacks."""
    from tcn import TCN

    inputs = keras.Input((48, 4))
    x = TCN(nb_filters=12, nb_stacks=2, dilations=(1, 2, 4), use_batch_norm=True, return_sequences=True)(inputs)
    model, x = keras.Model(inputs, keras.layers.Dense(3)(x)), signals(48, 4)
    return settle(model, x), x


def vit_keras():
    from vit_keras.vit import build_model

    model = build_model(
        image_size=48,
        patch_size=16,
        num_layers=2,
        hidden_size=32,
        num_heads=2,
        name="vit",
        mlp_dim=64,
        classes=10,
        activation="linear",
        representation_size=16,
    )
    x = images(48, 48, 3)
    return settle(model, x), x


def _unet(build, side=64, *args, **options):
    model, x = build((side, side, 3), *args, **options), images(side, side, 3)
    return settle(model, x), x


def unet_plus_plus():
    from keras_unet_collection.models import unet_plus_2d

    return _unet(unet_plus_2d, filter_num=[8, 16, 24], n_labels=2, batch_norm=True, activation="PReLU")


def unet_3_plus():
    from keras_unet_collection.models import unet_3plus_2d

    return _unet(unet_3plus_2d, n_labels=2, filter_num_down=[8, 16, 24], batch_norm=True, unpool="bilinear")


def u2net():
    from keras_unet_collection.models import u2net_2d

    return _unet(u2net_2d, n_labels=2, filter_num_down=[8, 16], filter_4f_num=[24, 24], batch_norm=True)


def attention_unet():
    from keras_unet_collection.models import att_unet_2d

    return _unet(att_unet_2d, filter_num=[8, 16, 24], n_labels=2, batch_norm=True, pool="ave", unpool="nearest")


def r2_unet():
    from keras_unet_collection.models import r2_unet_2d

    return _unet(r2_unet_2d, filter_num=[8, 16, 24], n_labels=2, batch_norm=True, activation="ELU", unpool=False)


def feature_cross():
    """keras-rs: a deep and cross network, as its example on ranking."""
    from keras_rs.layers import FeatureCross

    words = [keras.Input((), dtype="int32", name=f"word{i}") for i in range(4)]
    x = first = keras.layers.concatenate([keras.layers.Embedding(30, 8)(word) for word in words])
    for _ in range(2):
        x = FeatureCross(projection_dim=8)(first, x)
    x = keras.layers.Dense(16, activation="relu")(x)
    model = keras.Model(words, keras.layers.Dense(1)(x))
    x = {f"word{i}": tokens(30, 1, seed=i)[:, 0] for i in range(4)}
    return settle(model, x), x


def dot_interaction():
    """keras-rs: DLRM, as its example on ads."""
    from keras_rs.layers import DotInteraction

    words = [keras.Input((), dtype="int32", name=f"word{i}") for i in range(4)]
    numbers = keras.Input((6,), name="numbers")
    bottom = keras.layers.Dense(8, activation="relu")(keras.layers.Dense(16, activation="relu")(numbers))
    crossed = DotInteraction()([bottom, *[keras.layers.Embedding(30, 8)(word) for word in words]])
    x = keras.layers.Dense(16, activation="relu")(keras.layers.concatenate([bottom, crossed]))
    model = keras.Model([*words, numbers], keras.layers.Dense(1, activation="sigmoid")(x))
    x = {f"word{i}": tokens(30, 1, seed=i)[:, 0] for i in range(4)} | {"numbers": normal(6)}
    return settle(model, x), x


def lmu():
    """keras-lmu: a recurrent layer whose memory are Legendre polynomials, step by step."""
    from keras_lmu import LMU

    inputs = keras.Input((16, 3))
    cell = keras.layers.SimpleRNNCell(16)
    x = LMU(memory_d=2, order=8, theta=16, hidden_cell=cell, hidden_to_memory=True)(inputs)
    model, x = keras.Model(inputs, keras.layers.Dense(3)(x)), signals(16, 3)
    return settle(model, x), x


def lmu_fourier():
    """keras-lmu where nothing flows back into the memory: it computes that by Fourier transforms."""
    from keras_lmu import LMU

    inputs = keras.Input((16, 3))
    x = LMU(memory_d=2, order=8, theta=16, hidden_cell=keras.layers.SimpleRNNCell(16))(inputs)
    model, x = keras.Model(inputs, keras.layers.Dense(3)(x)), signals(16, 3)
    return settle(model, x), x


def lmu_feedforward():
    """keras-lmu where all steps are known: its recurrence as a convolution."""
    from keras_lmu import LMUFeedforward

    inputs = keras.Input((16, 3))
    x = LMUFeedforward(memory_d=2, order=8, theta=16, hidden_cell=None, return_sequences=True, conv_mode="raw")(inputs)
    model, x = keras.Model(inputs, keras.layers.Dense(3)(x)), signals(16, 3)
    return settle(model, x), x


def efficient_kan():
    """keras-efficient-kan: layers of splines."""
    from keras_efficient_kan import KANLinear

    model = keras.Sequential([keras.Input((8,)), KANLinear(16), KANLinear(3)])
    x = normal(8)
    return settle(model, x), x


MODELS = (
    tcn,
    tcn_sequences,
    vit_keras,
    unet_plus_plus,
    unet_3_plus,
    u2net,
    attention_unet,
    r2_unet,
    feature_cross,
    dot_interaction,
    lmu,
    lmu_fourier,
    lmu_feedforward,
    efficient_kan,
)
