"""Layers of other people's: `training` in a call, kernels inside, frozen ones, tied ones, other dtype policies."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops

import keraslayers
from keraslayers import export
from keraslayers.export import optimize
from tests.export_models import enliven, samples

register = keras.saving.register_keras_serializable("tests")


@register
class Unit(layers.Layer):
    """As tutorials write residual networks: `training` is handed on, and asked."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.convs = [layers.Conv2D(filters, 3, padding="same", use_bias=False) for _ in range(2)]
        self.norms = [layers.BatchNormalization(momentum=0.5) for _ in range(2)]
        self.dropout = layers.Dropout(0.5)

    def build(self, input_shape):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build(input_shape)
            norm.build(input_shape)

    def call(self, inputs, training=None):
        x = ops.relu(self.norms[0](self.convs[0](inputs), training=training))
        if training:
            x = self.dropout(x, training=training)
        return ops.relu(inputs + self.norms[1](self.convs[1](x), training=training))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@register
class DropPath(layers.Layer):
    """Computes something in training alone, in its own call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return (
            2.0
            * inputs
            * ops.cast(keras.random.uniform((ops.shape(inputs)[0], 1, 1, 1), seed=self.seeds) < 0.5, "float32")
        )

    def compute_output_shape(self, input_shape):
        return input_shape


@register
class Tied(layers.Layer):
    """Decodes with the kernel that another layer encodes with."""

    def __init__(self, tied, **kwargs):
        super().__init__(**kwargs)
        self.tied = tied

    def call(self, inputs):
        return ops.matmul(inputs, ops.transpose(self.tied.kernel))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.tied.kernel.shape[0])

    def get_config(self):
        return {**super().get_config(), "tied": keras.saving.serialize_keras_object(self.tied)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("tied")), **config)


def network(*middle, shape=(8, 8, 3)):
    image = keras.Input(shape, name="image")
    x = layers.Conv2D(6, 3, name="first")(image)
    for layer in middle:
        x = layer(x)
    return enliven(keras.Model(image, layers.Dense(3, name="last")(layers.GlobalAveragePooling2D()(x)), name="net"))


def kernels(model):
    """Those of convolutions and dense layers, wherever they are, in the model's order."""
    return [np.array(weight) for weight in model.weights if weight.path.endswith("kernel")]


def zeros(model):
    return [round(float(np.mean(kernel == 0)), 1) for kernel in kernels(model)]


def distinct(model):
    return [len(np.unique(kernel)) for kernel in kernels(model)]


def test_a_layer_whose_call_takes_training_trains_with_rounding():
    keras.utils.set_random_seed(0)
    model = network(Unit(6), DropPath())
    made = optimize.quantize_aware(model, samples=samples())
    assert made.plan.difference < 1e-5
    assert len(made.trainable_weights) == len(model.trainable_weights)
    moving = [weight for weight in made.plan.source.weights if "moving" in weight.path]
    before = [np.array(weight) for weight in moving]
    wanted = np.array(made(samples(), training=False))
    assert all(np.array_equal(weight, old) for weight, old in zip(moving, before, strict=True))
    assert np.max(np.abs(made(samples(), training=True) - wanted)) > 0.1  # drops half of what it drops
    assert not any(np.array_equal(weight, old) for weight, old in zip(moving, before, strict=True))
    for weight, old in zip(moving, before, strict=True):
        weight.assign(old)
    report = export.to_tflite(made, precision="int8", samples=samples()).report.require()
    assert report.float_operators == {}
    assert report.proof("cpu").rms_steps < 1
    floats = np.array(model(samples(), training=False))
    error = np.sqrt(np.mean((wanted - floats) ** 2) / np.mean((floats - np.mean(floats)) ** 2))
    assert -20 * np.log10(error) > 30  # as little as any net of three layers loses


def test_pruning_and_clustering_reach_what_layers_hold(tmp_path):
    model = network(Unit(6, name="unit"))
    made = optimize.prune(model)
    moving = [np.array(weight) for weight in made.plan.source.weights if "moving" in weight.path]
    made(samples(), training=True)
    # Its normalizations follow training as before.
    after = [np.array(weight) for weight in made.plan.source.weights if "moving" in weight.path]
    assert not any(np.array_equal(one, other) for one, other in zip(moving, after, strict=True))
    assert zeros(optimize.strip(made)) == [0.5] * 4
    few = optimize.cluster(made, clusters=8)
    optimize.save(few, tmp_path / "few.zip")
    few = optimize.load(tmp_path / "few.zip")
    rounded = optimize.quantize_aware(few, samples=samples())
    rounded(samples(), training=True)
    optimize.save(rounded, tmp_path / "rounded.zip")
    for one in (few, rounded, optimize.load(tmp_path / "rounded.zip")):
        plain = optimize.strip(one)
        assert zeros(plain) == [0.5] * 4
        assert max(distinct(plain)) <= 8
    assert distinct(model)[1] > 8
    skipped = optimize.prune(model, skip=model.get_layer("unit").convs[1])
    skipped(samples(), training=True)
    assert zeros(optimize.strip(skipped)) == [0.5, 0.5, 0.0, 0.5]


def test_attention_is_pruned_by_its_matrices():
    x = keras.Input((4, 8), name="x")
    model = enliven(keras.Model(x, layers.MultiHeadAttention(2, 4)(x, value=x, use_causal_mask=True)))
    made = optimize.prune(model, pattern="2:4")
    made(samples(shape=(4, 8)), training=True)
    names = ("query", "key", "value", "output")
    matrices = [np.array(getattr(optimize.strip(made).layers[-1], f"{name}_dense").kernel) for name in names]
    for matrix in [*(matrix.reshape(8, 8) for matrix in matrices[:3]), matrices[3].reshape(8, 8)]:
        assert set(np.count_nonzero(matrix.T.reshape(-1, 4), axis=1)) == {2}
    # Keras takes no mixture, by name, of tensors and others, so that nothing here may hand one on.
    for skip in ((), model.layers[-1]):
        assert optimize.quantize_aware(made, samples=samples(shape=(4, 8)), skip=skip).plan.difference < 1e-5


@pytest.mark.parametrize("optimization", ["prune", "cluster"])
def test_what_is_frozen_stays_as_it_is(optimization):
    model = network(Unit(6, name="unit"))
    model.get_layer("first").trainable = False
    model.get_layer("unit").convs[0].trainable = False
    model.get_layer("unit").norms[0].trainable = False
    made = getattr(optimize, optimization)(model)
    made.compile("sgd", "mse")
    made.fit(samples(), np.zeros((24, 3)), verbose=0)
    plain = optimize.strip(made)
    assert [weight.trainable for weight in plain.weights] == [weight.trainable for weight in model.weights]
    for i, (mine, theirs) in enumerate(zip(kernels(plain), kernels(model), strict=True)):
        assert np.array_equal(mine, theirs) == (i < 2)
    frozen = plain.get_layer("unit").norms[0]
    np.testing.assert_array_equal(frozen.moving_mean, model.get_layer("unit").norms[0].moving_mean)
    model.trainable = False
    with pytest.raises(ValueError, match="or all skipped or frozen"):
        getattr(optimize, optimization)(model)


def test_a_policy_of_mixed_precision_breaks_nothing():
    x = samples()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = network(layers.BatchNormalization(), layers.ReLU())
        assert half.compute_dtype == "float16"
        made = optimize.quantize_aware(optimize.prune(half), samples=x)
        made.compile("sgd", "mse")
        made.fit(x, np.zeros((24, 3)), verbose=0)
        plain = optimize.strip(made)
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in [*made._flatten_layers(), *plain._flatten_layers()]} == {"float32"}
    straight = optimize.quantize_aware(half, samples=x)
    np.testing.assert_allclose(np.array(straight(x)), np.array(half(x)), atol=0.05)  # steps of 8 bits


@register
class Shifted(layers.Layer):
    """Softplus has no rule."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(6, 1, name="shifting")
        self.soft = layers.Activation("softplus", name="soft")

    def build(self, input_shape):
        self.conv.build(input_shape)

    def call(self, inputs, training=False):
        return self.soft(self.conv(inputs), training=training)

    def compute_output_shape(self, input_shape):
        return input_shape


def test_what_layers_hold_can_be_skipped():
    model = network(Shifted(name="shifted"))
    with pytest.raises(ValueError, match=r"\(Softplus\) has no rule.*skip=\['shifted'\]"):
        optimize.quantize_aware(model, samples=samples())
    for skip in ("shifted", "soft"):
        made = optimize.quantize_aware(model, samples=samples(), skip=skip)
        assert made.plan.difference < 1e-5
    report = export.to_tflite(made, precision="int8", samples=samples()).report.require()
    assert "EXP" in report.float_operators
    assert "CONV_2D" not in report.float_operators


@pytest.mark.parametrize("layer", [layers.LSTM(4), layers.Bidirectional(layers.GRU(4)), layers.Attention()])
def test_skip_works_where_a_message_offers_it(layer):
    x = keras.Input((4, 8), name="x")
    called = layer([x, x], use_causal_mask=True) if isinstance(layer, layers.Attention) else layer(x)
    model = enliven(keras.Model(x, layers.Dense(3)(called)))
    given = samples(shape=(4, 8))
    if not isinstance(layer, layers.Attention):
        with pytest.raises(ValueError, match=rf"skip=\['{layer.name}'\]"):
            optimize.quantize_aware(model, samples=given)
    made = optimize.quantize_aware(model, samples=given, skip=layer.name)
    assert made.plan.difference < 1e-5
    assert len(made.trainable_weights) == len(model.trainable_weights)


def test_tied_weights_stay_tied(tmp_path):
    x = keras.Input((8,), name="x")
    encoder = layers.Dense(6, name="encoder")
    model = enliven(keras.Model(x, Tied(encoder, name="decoder")(layers.ReLU()(encoder(x)))))
    given = samples(shape=(8,))
    with pytest.raises(ValueError, match=r"layer 'decoder' \(Tied\) .*its weights \['encoder/kernel'\] in a way that"):
        optimize.quantize_aware(model, samples=given)
    made = optimize.cluster(optimize.prune(model), clusters=4)
    rounded = optimize.quantize_aware(made, samples=given, skip="decoder")
    for one in (made, rounded):
        one.compile("sgd", "mse")
        one.fit(given, given, batch_size=8, verbose=0)
        optimize.save(one, tmp_path / "tied.zip")
        again = optimize.load(tmp_path / "tied.zip")
        np.testing.assert_allclose(again(given), one(given), atol=1e-6)
        plain = optimize.strip(again)
        assert plain.get_layer("decoder").tied is plain.get_layer("encoder")
        assert distinct(plain) == [4]
    np.testing.assert_allclose(optimize.strip(made)(given), made(given), atol=1e-6)
    sparse = optimize.prune(model)
    sparse.compile("sgd", "mse")
    sparse.fit(given, given, batch_size=8, verbose=0)
    assert [int(wrapper.step) for wrapper in sparse.plan.wrappers] == [3]  # of the kernel, not of its two layers


def test_gradients_of_clusters_are_tensors():
    """Rows of one, as of what is looked up, cannot be summed over several devices."""
    tf = pytest.importorskip("tensorflow")
    clustered = optimize.cluster(network(), clusters=4)
    for made in (clustered, optimize.quantize_aware(clustered, samples=samples())):
        with tf.GradientTape() as tape:
            loss = ops.sum(made(samples(), training=True))
        gradients = tape.gradient(loss, [weight.value for weight in made.trainable_weights])
        assert len(gradients) == 6  # kernels, their centroids, biases
        assert all(isinstance(gradient, tf.Tensor) for gradient in gradients)


MIRRORED = """
import keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from keraslayers.export import optimize
x = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")

def trained():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    model = optimize.cluster(optimize.prune(model), clusters=4, initialization="linear")
    model.compile(keras.optimizers.Adam(1e-2), "mse", jit_compile=False)
    return model

def fit(model):
    model.fit(x, x[:, :3], batch_size=8, shuffle=False, verbose=0)
    return [np.array(weight) for weight in optimize.strip(model).weights]

with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    several = trained()
several, one = fit(several), fit(trained())
print(max(float(np.max(np.abs(a - b))) for a, b in zip(several, one, strict=True)), len(np.unique(several[0])))
"""


def test_clusters_train_on_several_devices_as_on_one():
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    off, clusters = done.stdout.split()
    assert float(off) < 1e-5  # sums in another order
    assert int(clusters) == 4


@register
class Scale(layers.Layer):
    """Numbers of its own, which it multiplies and adds: there is no kernel to round."""

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=input_shape[-1:], initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=input_shape[-1:], name="beta")

    def call(self, inputs):
        return inputs * self.gamma + self.beta


@register
class Product(Scale):
    """A product of matrices with a weight: a kernel that no rule knows."""

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=(input_shape[-1], 4), name="gamma")

    def call(self, inputs):
        return ops.matmul(inputs, self.gamma)


def test_what_adds_and_multiplies_weights_stays_in_floats_and_a_product_is_refused():
    image = keras.Input((8, 8, 3))
    x = Scale()(layers.Conv2D(6, 3, activation="relu")(image))
    model = enliven(keras.Model(image, layers.Conv2D(4, 3)(layers.ReLU()(x))))
    given = samples(32)
    made = optimize.quantize_aware(model, samples=given)
    assert len(made.trainable_weights) == len(model.trainable_weights)
    report = export.to_tflite(made, precision="int8", samples=given).report.require()
    assert report.proof("cpu").partitions == 1
    with pytest.raises(
        ValueError, match=r"'judged' \(Product\) cannot be quantized: it computes with its weights .*gamma"
    ):
        optimize.quantize_aware(keras.Model(image, Product(name="judged")(x)), samples=given)


def test_a_dilated_mixture_is_what_it_was():
    """Its kernels stand side by side in one convolution, and so do their biases."""
    image = keras.Input((8, 8, 3), name="image")
    x = keraslayers.DynamicConv2D(4, 3, dilation_rate=2, padding="same", name="mixture")(image)
    model = enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))))
    x = samples(shape=(8, 8, 3))
    made = optimize.quantize_aware(model, samples=x)
    assert made.plan.difference < 1e-5
    export.to_tflite(made, precision="int8", samples=x).report.require()
