"""Folding: the copy computes the same with fewer layers, and the user's model stays as it is."""

import keras
import numpy as np
import pytest
from keras import layers

import keraslayers
from keraslayers import ChannelShuffle, fold_batch_norm, fold_shuffle, models
from keraslayers.export import to_tflite
from tests.export_models import enliven, samples
from tests.test_errors import check


def kinds(model):
    return [type(layer).__name__ for layer in model.layers if not isinstance(layer, layers.InputLayer)]


def folded(fold, model, x):
    """Folds, and holds the copy to all that a copy must keep."""
    config, weights = model.get_config(), model.get_weights()
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    new = fold(model)
    for old, now in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    assert model.get_config() == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    assert not {id(weight) for weight in model.weights} & {id(weight) for weight in new.weights}
    # Factors of about one rounded once more, sums in another order; outputs of about one, and some of ten.
    np.testing.assert_allclose(new(x), model(x), rtol=1e-5, atol=1e-5)
    assert len(fold(new).layers) == len(new.layers), "a second run changes nothing"
    return new


def after(layer, shape=(6, 5, 4), **norm):
    inputs = keras.Input(shape, name="x")
    return enliven(keras.Model(inputs, layers.ReLU()(layers.BatchNormalization(**norm)(layer(inputs)))))


FOLDABLE = {
    "dense": (layers.Dense(3), (4,)),
    "dense_image": (layers.Dense(3), (6, 5, 4)),
    "conv1d": (layers.Conv1D(3, 2), (6, 4)),
    "conv2d": (layers.Conv2D(3, 3, strides=2, padding="same"), (6, 5, 4)),
    "conv2d_no_bias": (layers.Conv2D(3, 3, use_bias=False), (6, 5, 4)),
    "conv2d_groups": (layers.Conv2D(6, 3, groups=2), (6, 5, 4)),
    "padded": (keraslayers.PaddedConv2D(3, 3, padding="same", padding_mode="reflect"), (6, 5, 4)),
    "deformable": (keraslayers.DeformableConv2D(3, 3, modulated=True), (6, 5, 4)),
    "deformable_no_bias": (keraslayers.DeformableConv2D(3, 3, max_offset=1, use_bias=False), (6, 5, 4)),
    "dynamic": (keraslayers.DynamicConv2D(3, 3, temperature=1), (6, 5, 4)),
    "dynamic_no_bias": (keraslayers.DynamicConv2D(3, 3, temperature=1, use_bias=False), (6, 5, 4)),
    "spatial_separable": (keraslayers.SpatialSeparableConv2D(3, 3), (6, 5, 4)),
    "spatial_separable_no_bias": (keraslayers.SpatialSeparableConv2D(3, 3, use_bias=False), (6, 5, 4)),
    "conv3d": (layers.Conv3D(3, 2), (3, 4, 3, 2)),
    "conv1d_transpose": (layers.Conv1DTranspose(3, 2), (6, 4)),
    "conv2d_transpose": (layers.Conv2DTranspose(3, 3, strides=2), (6, 5, 4)),
    "conv3d_transpose": (layers.Conv3DTranspose(3, 2), (3, 4, 3, 2)),
    "depthwise1d": (layers.DepthwiseConv1D(3, depth_multiplier=2), (6, 4)),
    "depthwise2d": (layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 5, 4)),
    "separable1d": (layers.SeparableConv1D(3, 2, use_bias=False), (6, 4)),
    "separable2d": (layers.SeparableConv2D(3, 2), (6, 5, 4)),
}


@pytest.mark.parametrize("norm", [{}, {"scale": False}, {"center": False, "epsilon": 0.1}], ids=str)
@pytest.mark.parametrize("name", FOLDABLE)
def test_batch_norm_folds_into(name, norm):
    layer, shape = FOLDABLE[name]
    model = after(type(layer).from_config(layer.get_config()), shape, **norm)
    new = folded(fold_batch_norm, model, samples(3, shape))
    assert kinds(new) == [type(layer).__name__, "ReLU"]


def test_channels_first_folds():
    model = after(layers.Dense(5), (6, 4, 5), axis=-1)
    assert "BatchNormalization" not in kinds(folded(fold_batch_norm, model, samples(3, (6, 4, 5))))
    inputs = keras.Input((4, 6, 5))
    x = layers.Conv2D(3, 1, data_format="channels_first")(inputs)
    model = enliven(keras.Model(inputs, layers.BatchNormalization(axis=1)(x)))
    new = fold_batch_norm(model)  # run nowhere: TensorFlow has no such convolution on every CPU
    assert kinds(new) == ["Conv2D"]
    (kernel, bias), (old, old_bias, gamma, beta, mean, variance) = new.get_weights(), model.get_weights()
    scale = gamma / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(kernel, old * scale, rtol=1e-6)
    np.testing.assert_allclose(bias, (old_bias - mean) * scale + beta, rtol=1e-5)


def test_channels_first_folds_into_deformable():
    inputs = keras.Input((4, 6, 5))
    x = keraslayers.DeformableConv2D(3, 3, data_format="channels_first")(inputs)
    model = enliven(keras.Model(inputs, layers.BatchNormalization(axis=1)(x)))
    assert kinds(folded(fold_batch_norm, model, samples(3, (4, 6, 5)))) == ["DeformableConv2D"]
    x = keraslayers.DeformableConv2D(3, 3, data_format="channels_first")(inputs)
    model = enliven(keras.Model(inputs, layers.BatchNormalization(axis=-1)(x)))
    assert "BatchNormalization" in kinds(fold_batch_norm(model))


@pytest.mark.parametrize("first", [True, False])
def test_batch_norm_folds_beside_a_shortcut(first):
    """Keras keeps the calls of such a network in another order than that in which they are made."""
    inputs = keras.Input((6, 5, 4), name="x")
    x = y = layers.Conv2D(4, 1)(inputs)
    for _ in range(3):
        y = layers.Conv2D(4, 1)(y)
    shortcut = layers.Add()([x, y])
    z = layers.BatchNormalization()(layers.Conv2D(4, 1)(inputs))
    for _ in range(3):
        z = layers.ReLU()(z)
    model = enliven(keras.Model(inputs, layers.Concatenate()([z, shortcut] if first else [shortcut, z])))
    assert "BatchNormalization" not in kinds(folded(fold_batch_norm, model, samples(3, (6, 5, 4))))


class Own(layers.Conv2D):
    """Computes something else than the layer it is called after."""

    def call(self, inputs):
        return 2 * super().call(inputs)


def other(make):
    """A model in which no normalization folds, by name."""
    inputs = keras.Input((6, 5, 4), name="x")
    return enliven(keras.Model(inputs, make(inputs)))


def _twice(x):
    norm, conv = layers.BatchNormalization(), layers.Conv2D(4, 1)
    return norm(conv(norm(conv(x))))


def _seen(x):
    x = layers.Conv2D(4, 1)(x)
    return [layers.BatchNormalization()(x), layers.ReLU()(x)]


def _output(x):
    x = layers.Conv2D(4, 1)(x)
    return [layers.BatchNormalization()(x), x]


STAYS = {
    "activation": lambda x: layers.BatchNormalization()(layers.Conv2D(4, 1, activation="relu")(x)),
    "first": lambda x: layers.Conv2D(4, 1)(layers.BatchNormalization()(x)),
    "relu_between": lambda x: layers.BatchNormalization()(layers.ReLU()(layers.Conv2D(4, 1)(x))),
    "other_axis": lambda x: layers.BatchNormalization(axis=1)(layers.Conv2D(5, 1)(x)),
    "both_twice": _twice,
    "seen_elsewhere": _seen,
    "an_output": _output,
    "own_layer": lambda x: layers.BatchNormalization()(Own(4, 1)(x)),
    "sigmoid_routing": lambda x: layers.BatchNormalization()(keraslayers.DynamicConv2D(4, 1, routing="sigmoid")(x)),
    "training": lambda x: layers.BatchNormalization()(layers.Conv2D(4, 1)(x), training=True),
    "other_dtype": lambda x: layers.BatchNormalization(dtype="float64")(layers.Conv2D(4, 1)(x)),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", STAYS)
def test_batch_norm_stays(name):
    model = other(STAYS[name])
    new = fold_batch_norm(model)
    assert kinds(new).count("BatchNormalization") == kinds(model).count("BatchNormalization") > 0
    for got, wanted in zip(*(keras.tree.flatten(m(samples(4, (6, 5, 4)))) for m in (new, model)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


NETWORKS = {
    "mobilenet_v3_small": (lambda: models.create("mobilenet_v3_small", input_shape=(32, 32, 3), classes=5), 0),
    "shufflenet_v2": (lambda: models.create("shufflenet_v2", input_shape=(32, 32, 3), classes=5, alpha=0.5), 1),
    "MobileNetV2": (lambda: keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=5), 0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    make, shuffles = NETWORKS[name]
    model, x = enliven(make()), samples(4, (32, 32, 3))
    new = folded(fold_batch_norm, model, x)
    assert "BatchNormalization" not in kinds(new)
    assert kinds(folded(fold_shuffle, new, x)).count("ChannelShuffle") == kinds(new).count("ChannelShuffle") - shuffles


def block(name):
    inputs = keras.Input((6, 5, 4), name="x")
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 1, name="conv")(inputs))
    return keras.Model(inputs, x, name=name)


def nested():
    """A model in a model, one of them twice; numbers, operations and layers of one name."""
    inputs = keras.Input((6, 5, 4), name="x")
    twice = block("twice")
    x = keras.ops.relu(block("once")(inputs)) + 1.0
    x = twice(twice(x))
    x = keras.Sequential([keras.Input((6, 5, 4)), layers.Conv2D(4, 1, name="conv"), layers.BatchNormalization()])(x)
    return enliven(keras.Model({"x": inputs}, {"y": layers.Dropout(0.5)(x)}))


def test_nested_models_save_load_and_train(tmp_path):
    model, x = nested(), samples(32, (6, 5, 4))
    new = fold_batch_norm(model)
    assert kinds(new).count("BatchNormalization") == 1  # that of the block called twice
    np.testing.assert_allclose(new({"x": x})["y"], model({"x": x})["y"], rtol=1e-5, atol=1e-5)
    new.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded({"x": x})["y"], new({"x": x})["y"])
    new.compile("adam", "mse")
    before = model.get_weights()
    first, *_, last = new.fit({"x": x}, {"y": x}, epochs=12, verbose=0).history["loss"]
    assert last < first
    for old, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


@pytest.mark.tensorflow
def test_a_folded_model_is_proven():
    assert to_tflite(fold_batch_norm(nested()), samples=samples(32, (6, 5, 4))).report.require().ok


def test_sequential_and_state():
    model = keras.Sequential([keras.Input((4,)), norm := layers.Normalization(), layers.Dense(3)])
    model.add(layers.BatchNormalization())
    norm.adapt(3 + 2 * samples(64, (4,)))
    model.layers[1].trainable = False
    new = fold_batch_norm(model)
    assert kinds(new) == ["Normalization", "Dense"]
    np.testing.assert_allclose(new(samples(5, (4,))), model(samples(5, (4,))), rtol=1e-5, atol=1e-5)
    assert not new.layers[-1].trainable


def test_mixed_precision():
    inputs = keras.Input((6, 5, 4), name="x")
    policy = {"dtype": "mixed_float16"}
    x = layers.BatchNormalization(**policy)(layers.Conv2D(3, 3, **policy)(inputs))
    model = enliven(keras.Model(inputs, x))
    new = fold_batch_norm(model)
    assert kinds(new) == ["Conv2D"]
    assert new.layers[-1].dtype_policy == model.layers[-1].dtype_policy
    # Sums of 36 products rounded at 2**-11, in another place than before.
    x = samples(3, (6, 5, 4))
    np.testing.assert_allclose(keras.ops.cast(new(x), "float32"), keras.ops.cast(model(x), "float32"), atol=2e-2)


def shuffled(*between, shape=(6, 5, 12), groups=3, data_format=None):
    inputs = keras.Input(shape, name="x")
    x = ChannelShuffle(groups, data_format)(inputs)
    for layer in between:
        x = layer(x)
    return enliven(keras.Model(inputs, x))


SHUFFLES = {
    "conv1x1": lambda: shuffled(layers.Conv2D(5, 1)),
    "conv3x3": lambda: shuffled(layers.Conv2D(5, 3, padding="same", use_bias=False), groups=4),
    "relu": lambda: shuffled(layers.ReLU(), layers.Activation("silu"), layers.Conv2D(5, 1)),
    "batch_norm": lambda: shuffled(layers.BatchNormalization(), keraslayers.ReLU6(), layers.Conv2D(5, 1)),
    "batch_norm_plain": lambda: shuffled(layers.BatchNormalization(scale=False), layers.Rescaling(2), layers.Dense(5)),
    "dense": lambda: shuffled(layers.Dense(5), shape=(12,), groups=2),
    "padded": lambda: shuffled(keraslayers.PaddedConv2D(5, 3, padding="full", padding_mode="edge")),
    "conv1d": lambda: shuffled(layers.Conv1D(5, 3), shape=(7, 12)),
    "depthwise": lambda: shuffled(layers.DepthwiseConv2D(3, padding="same"), layers.ReLU(), layers.Conv2D(5, 1)),
    "depthwise_1d": lambda: shuffled(
        layers.DepthwiseConv1D(3, use_bias=False, activation="relu"), layers.Conv1D(5, 1), shape=(7, 12)
    ),
    "pooling": lambda: shuffled(
        layers.ZeroPadding2D(1), layers.MaxPooling2D(2), layers.Dropout(0.5), layers.Conv2D(5, 1)
    ),
    "over_places": lambda: shuffled(layers.PReLU(shared_axes=[1, 2]), layers.GlobalAveragePooling2D(), layers.Dense(5)),
    "over_places_kept": lambda: shuffled(layers.PReLU(), layers.GlobalMaxPooling2D(keepdims=True), layers.Conv2D(5, 1)),
}


@pytest.mark.parametrize("name", SHUFFLES)
def test_shuffles_fold(name):
    model = SHUFFLES[name]()
    new = folded(fold_shuffle, model, samples(4, model.input_shape[1:]))
    assert kinds(new) == [kind for kind in kinds(model) if kind != "ChannelShuffle"]


def test_where_the_weights_go():
    model = shuffled(layers.Dense(1, use_bias=False), shape=(6,), groups=2)
    model.set_weights([np.arange(6.0)[:, None]])
    # The shuffle brings channels 0 1 2 3 4 5 into the order 0 3 1 4 2 5.
    np.testing.assert_array_equal(fold_shuffle(model).get_weights()[0][:, 0], [0, 2, 4, 1, 3, 5])


def _halves(x):
    x = ChannelShuffle(2)(x)
    return layers.Add()([layers.Conv2D(3, 1)(x[..., :2]), layers.Conv2D(3, 1)(x[..., 2:])])


def _both(x):
    x = ChannelShuffle(2)(x)
    return layers.Add()([layers.Conv2D(3, 1)(x), layers.Conv2D(3, 1)(x)])


SHUFFLES_THAT_STAY = {
    "last": lambda x: ChannelShuffle(2)(x),
    "groups": lambda x: layers.Conv2D(4, 1, groups=2)(ChannelShuffle(2)(x)),
    "depthwise_of_two": lambda x: layers.Conv2D(4, 1)(
        layers.DepthwiseConv2D(3, depth_multiplier=2)(ChannelShuffle(2)(x))
    ),
    "pooled_channels": lambda x: layers.Dense(4)(
        layers.GlobalAveragePooling2D(data_format="channels_first")(ChannelShuffle(2)(x))
    ),
    "pooled_rows": lambda x: layers.Dense(4)(
        layers.MaxPooling2D(2, data_format="channels_first")(ChannelShuffle(2)(x))
    ),
    "softmax": lambda x: layers.Conv2D(4, 1)(layers.Activation("softmax")(ChannelShuffle(2)(x))),
    "weights_by_channel": lambda x: layers.Conv2D(4, 1)(layers.Rescaling([1, 2, 3, 4])(ChannelShuffle(2)(x))),
    "own_layer": lambda x: Own(4, 1)(ChannelShuffle(2)(x)),
    "other_axis": lambda x: layers.Dense(4)(ChannelShuffle(2, "channels_first")(x)),
    "norm_of_another_axis": lambda x: layers.Dense(4)(layers.BatchNormalization(axis=1)(ChannelShuffle(2)(x))),
    "halves": _halves,
    "seen_twice": _both,
}


@pytest.mark.parametrize("name", SHUFFLES_THAT_STAY)
def test_shuffles_stay(name):
    model = other(SHUFFLES_THAT_STAY[name])
    new = folded(fold_shuffle, model, samples(4, (6, 5, 4)))
    assert kinds(new).count("ChannelShuffle") == 1


class Unreadable(layers.Layer):
    """Cannot be made again: its config does not tell `size`."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def call(self, inputs):
        return inputs * self.size

    def get_config(self):
        return {"name": self.name}


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("fold", [fold_batch_norm, fold_shuffle])
def test_what_cannot_be_folded_is_refused_in_words(fold):
    who = fold.__name__
    check(lambda: fold(3), TypeError, f"`{who}`: `model` must be a Keras model; got int.")
    check(lambda: fold(layers.Dense(3)), TypeError, f"`{who}`: `model` must be a Keras model; got Dense.")
    message = "its `call` is code, in which no layer can be found. Give a Functional or Sequential model."
    message = f"`{who}`: `model` 'mine' is a subclassed model: {message}"
    check(lambda: fold(Subclassed(name="mine")), ValueError, message)
    message = f"`{who}`: `model` 'open' is not built; give it an `Input` or call it on data first."
    check(lambda: fold(keras.Sequential([layers.Dense(3)], name="open")), ValueError, message)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Unreadable(3)(inputs), name="m")
    with pytest.raises(ValueError, match=f"`{who}`: layer 'unreadable.*' of `model` 'm' cannot be copied"):
        fold(model)
