"""Passes: Given becomes Result, outputs stay, a second run changes nothing, the user's model stays as it is."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keraslayers
from keraslayers._rewrite import calls, laid_open, rewrite, sized
from keraslayers.export import TARGETS, passes, to_tflite
from keraslayers.export.passes import PASSES, bound_deformable, lower_hard_swish
from keraslayers.export.source.interface import interface_of
from tests.export_models import dense, enliven, samples


def kinds(model):
    """The calls of a model by class, laid open; in the order of the alphabet."""
    return sorted(type(getattr(layer, "layer", layer)).__name__ for layer, _, _ in calls(model))


def same(new, old, x):
    """Outputs differ by roundings alone."""
    for got, wanted in zip(keras.tree.flatten(new(x)), keras.tree.flatten(old(x)), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


def check(function, model, count, tolerance=1e-6):
    """Runs a pass and judges all that holds of every one; returns the new model."""
    config, nodes = model.get_config(), [len(layer._inbound_nodes) for layer in model.layers]
    new, changed = function(model)
    assert changed == count
    x = samples(4, model.input_shape[1:])
    for got, wanted in zip(keras.tree.flatten(new(x)), keras.tree.flatten(model(x)), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)
    assert new.output_shape == model.output_shape
    assert new.name == model.name
    assert function(new) == (new, 0)
    # The user's model is as it was, and its weights are in the new one, not copies.
    assert model.get_config() == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    assert {id(weight) for weight in model.weights} <= {id(weight) for weight in new.weights}
    return new


def between(middle, shape=(6, 7, 8)):
    """A model of something between two convolutions."""
    image = keras.Input(shape, name="image")
    x = middle(layers.Conv2D(shape[-1], 1, name="before")(image))
    return enliven(keras.Model(image, layers.Conv2D(2, 1, name="after")(x), name="m"))


HARD_SWISHES = {
    "layer": lambda x: keraslayers.HardSwish(name="act")(x),
    "activation": lambda x: layers.Activation("hard_silu", name="act")(x),
    "other name": lambda x: layers.Activation("hard_swish", name="act")(x),
    "operation": ops.hard_swish,
    "by keyword": lambda x: layers.Activation("hard_silu", name="act")(inputs=x),
}


def image_model(act, shape=(4, 5, 3)):
    image = keras.Input(shape, name="image")
    x = act(layers.Conv2D(6, 1, name="before")(image))
    return enliven(keras.Model(image, layers.Conv2D(2, 1, name="after")(x), name="m"))


@pytest.mark.parametrize("act", HARD_SWISHES.values(), ids=HARD_SWISHES)
def test_lower_hard_swish(act):
    model = image_model(act)
    new = check(lower_hard_swish, model, 1)
    assert kinds(model) != kinds(new) == ["Conv2D", "Conv2D", "Multiply", "ReLU", "Rescaling", "Rescaling"]
    # -3 and 3, where the formula changes, and values far outside.
    x = np.concatenate([samples(8, (4, 5, 3)), np.full((1, 4, 5, 3), 30, "float32"), np.zeros((1, 4, 5, 3), "float32")])
    same(new, model, x)
    assert new.input.name == "image"


def test_hard_swish_itself():
    x = np.linspace(-8, 8, 4 * 4 * 3, dtype="float32").reshape(1, 4, 4, 3)
    image = keras.Input((4, 4, 3))
    new, _ = lower_hard_swish(keras.Model(image, keraslayers.HardSwish()(image)))
    np.testing.assert_allclose(new(x), x * np.clip(x + 3, 0, 6) / 6, rtol=1e-6, atol=1e-6)


def test_hard_swish_of_vectors_and_open_channels():
    x = samples(4, (4,))
    vector = keras.Input((4,))
    same(lower_hard_swish(model := keras.Model(vector, keraslayers.HardSwish()(vector)))[0], model, x)
    image = keras.Input((4, 4, None))
    same(lower_hard_swish(model := keras.Model(image, keraslayers.HardSwish()(image)))[0], model, samples(4, (4, 4, 3)))


def test_hard_swish_of_next_to_nothing():
    model = image_model(HARD_SWISHES["layer"])
    asked = []

    def largest(model, tensors):
        asked.append([tensor.shape for tensor in tensors])
        return [0.001] * len(tensors)

    new, count = lower_hard_swish(model, largest)
    assert (asked, count) == ([[(None, 4, 5, 6)]], 1)
    assert kinds(new) == ["Conv2D", "Conv2D", "DepthwiseConv2D", "Multiply", "ReLU", "Rescaling"]
    same(new, model, samples(8, (4, 5, 3)))


def test_an_int8_file_of_next_to_nothing_stays_in_one_piece():
    image = keras.Input((4, 5, 3), name="image")
    model = keras.Model(image, keraslayers.HardSwish()(layers.Rescaling(1e-4)(image)))
    x = samples(16, (4, 5, 3))
    interface = interface_of("test", model)
    assert interface.largest({"image": x}, model, [model.layers[1].output]) == [
        pytest.approx(1e-4 * np.abs(x[:4]).max())
    ]
    report = to_tflite(model, precision="int8", samples=x).report.require()
    assert report.operators["DEPTHWISE_CONV_2D"] == 1
    assert report.proof("cpu").partitions == 1


@pytest.mark.parametrize(
    ("act", "slope"),
    [
        (layers.Activation("hard_sigmoid"), 1 / 6),
        (ops.hard_sigmoid, 1 / 6),
        (keraslayers.HardSigmoid(), 1 / 6),
        (keraslayers.HardSigmoid("keras2"), 0.2),
        (keraslayers.HardSigmoid("binarynet"), 0.5),
    ],
)
def test_lower_hard_sigmoid(act, slope):
    new = check(passes.lower_hard_sigmoid, between(act), 1)
    assert kinds(new) == ["Conv2D", "Conv2D", "DepthwiseConv2D"]
    image = keras.Input((4, 4, 3), name="image")
    model = keras.Model(image, act(image))
    x = np.linspace(-8, 8, 4 * 4 * 3, dtype="float32").reshape(1, 4, 4, 3)
    lowered, _ = passes.lower_hard_sigmoid(model)
    np.testing.assert_allclose(lowered(x), np.clip(slope * x + 0.5, 0, 1), rtol=1e-6, atol=1e-6)
    report = to_tflite(model, samples=x).report.require()
    assert report.passes == {"lower_hard_sigmoid": 1}
    assert report.proof("cpu").partitions == 1
    pixel = keras.Input((1, 1, 3))
    model = keras.Model(pixel, act(pixel))
    assert passes.lower_hard_sigmoid(model) == (model, 0)


def test_what_only_looks_like_hard_swish_stays():
    class HardSilu(layers.Layer):
        def call(self, x):
            return 2 * x

    class Doubled(keraslayers.HardSwish):
        def call(self, x):
            return 2 * super().call(x)

    image = keras.Input((4, 4, 3))
    model = keras.Model(image, Doubled()(HardSilu()(layers.Activation("hard_sigmoid")(image))))
    assert lower_hard_swish(model) == (model, 0)


def nested():
    """Two nested models and the outer one, whose layers share their names; one layer is called twice."""

    def block(name):
        inputs = keras.Input((4, 4, 6), name="image")
        x = keraslayers.HardSwish(name="act")(layers.Conv2D(6, 1, name="conv")(inputs))
        return keras.Model(inputs, x, name=name)

    image = keras.Input((4, 4, 6), name="image")
    act = keraslayers.HardSwish(name="act")
    twice = block("one")
    x = act(layers.Conv2D(6, 1, name="conv")(image))
    x = twice(twice(block("two")(x)))
    x = keras.Sequential([keras.Input((4, 4, 6)), layers.Conv2D(6, 1, name="conv"), act], name="three")(x)
    return enliven(keras.Model(image, layers.Conv2D(2, 1, name="act_gate")(x)))


def test_nested_models_shared_layers_and_equal_names():
    model = nested()
    new, count = lower_hard_swish(model)
    assert count == 5
    same(new, model, samples(4, (4, 4, 6)))
    assert lower_hard_swish(new) == (new, 0)
    assert kinds(new).count("Multiply") == 5
    # A layer called twice is one layer, weights and all.
    assert len({id(weight) for weight in model.weights}) == len(model.weights) == len(new.weights)


def test_the_file_is_the_same_every_time():
    model = image_model(HARD_SWISHES["layer"])
    first, second = (to_tflite(model, precision="int8", samples=samples(16, (4, 5, 3))) for _ in range(2))
    assert first.report.require().passes == {"lower_hard_swish": 1}
    assert first.tflite == second.tflite


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_other_dtypes_stay(policy):
    image = keras.Input((4, 5, 3))
    x = keraslayers.HardSwish(dtype=policy)(layers.Conv2D(6, 1, dtype=policy)(image))
    model = enliven(keras.Model(image, x))
    new, count = lower_hard_swish(model)
    assert count == 1
    assert new.output.dtype == model.output.dtype == policy.removeprefix("mixed_")
    x = samples(4, (4, 5, 3))
    # Two roundings of values up to 4 in 11 bits; Keras takes the factor 1/6 through 24 bits even in float64.
    step = {"mixed_float16": 1e-2, "float64": 1e-7}[policy]
    np.testing.assert_allclose(new(x), model(x), rtol=step, atol=step)


def mobile(size=32):
    """The first blocks of MobileNetV3-Small, which use hard-swish."""
    return keras.applications.MobileNetV3Small(
        input_shape=(size, size, 3), weights=None, classes=5, minimalistic=False, include_preprocessing=False
    )


def test_mobilenet_v3_in_int8_stays_in_few_pieces(monkeypatch):
    model = mobile()
    x = np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype("float32")
    # Without the pass 8 bits lose the numbers of these weights, and layers would go back to floats.
    monkeypatch.setattr("keraslayers.export.pipeline._kept", lambda plan, ready, made, proofs, *rest: (made, proofs))
    with_pass = to_tflite(model, precision="int8", samples=x).report
    monkeypatch.setattr(passes, "PASSES", {})  # an entry that is taken out and put back changes the order
    without = to_tflite(model, precision="int8", samples=x).report
    assert with_pass.passes["lower_hard_swish"] >= 15
    assert without.passes == {}
    # What is written at the file, when the scales are set, XNNPACK takes only where numbers are not too small.
    assert len(without.rewrites["lower_hard_swish"]) >= 15
    assert "HARD_SWISH" not in with_pass.operators
    few, many = with_pass.proof("cpu"), without.proof("cpu")
    assert few.partitions <= 2 < 10 <= many.partitions
    assert few.delegated / few.operators > many.delegated / many.operators


def test_passes_are_wanted_where_they_help():
    model = image_model(HARD_SWISHES["layer"])
    for precision, wanted in (("float32", {}), ("dynamic", {}), ("int8", {"lower_hard_swish": 1})):
        report = to_tflite(model, precision=precision, samples=samples(16, (4, 5, 3))).report.require()
        assert report.passes == wanted
    for function, wanted in PASSES.values():
        for target in TARGETS.values():
            assert wanted(target, "int8") in (True, False)
            assert function(dense()) is not None


def test_bound_deformable():
    def deformed(name, **options):
        return keraslayers.DeformableConv2D(4, 3, padding="same", name=name, **options)

    image = keras.Input((8, 7, 3), name="image")
    x = deformed("bounded", max_offset=1, activation="relu")(image)
    twice = deformed("twice", max_offset=2, modulated=True)
    x = deformed("free")(twice(twice(x)))
    model = enliven(keras.Model(image, x, name="m"))
    new = check(bound_deformable, model, 3, 1e-4)  # four layers that move what the last one gave
    assert kinds(new) == ["BoundedDeformable"] * 3 + ["DeformableConv2D"]


@pytest.mark.parametrize("kernel_size", [1, 3, (2, 7)], ids=str)
@pytest.mark.parametrize(
    "options",
    [{}, {"padding": "same", "activation": "relu"}, {"routing": "sigmoid", "use_bias": False}],
    ids=["plain", "same", "sigmoid"],
)
def test_mix_kernels(kernel_size, options):
    layer = keraslayers.DynamicConv2D(5, kernel_size, temperature=1, name="dynamic", **options)
    # Sums of up to 112 products, in another order.
    new = check(passes.mix_kernels, between(layer, (6, 9, 8)), 1, 1e-5)
    assert kinds(new) == ["Conv2D", "Conv2D", "MixedDynamic"]


def test_mix_kernels_of_dilated_and_of_unknown_sizes():
    image = keras.Input((None, None, 8))
    layer = keraslayers.DynamicConv2D(5, 3, temperature=1, padding="same", dilation_rate=(1, 2))
    model = enliven(keras.Model(image, layer(image)))
    new, count = passes.mix_kernels(model)
    assert count == 1
    np.testing.assert_allclose(new(samples(2, (6, 7, 8))), model(samples(2, (6, 7, 8))), rtol=1e-5, atol=1e-5)


def test_dynamic_convolutions_that_stay():
    class Doubled(keraslayers.DynamicConv2D):
        def call(self, x):
            return 2 * super().call(x)

    for other in (keraslayers.DynamicConv2D(5, 3, strides=2), Doubled(5, 3)):
        model = between(other)
        assert passes.mix_kernels(model) == (model, 0)


def test_bound_by_samples():
    image = keras.Input((8, 7, 3), name="image")
    free = keraslayers.DeformableConv2D(3, 3, padding="same", name="free")
    bounded = keraslayers.DeformableConv2D(3, 3, padding="same", max_offset=1, name="bounded")
    model = enliven(keras.Model(image, bounded(free(free(image))), name="m"))
    x = samples(8, (8, 7, 3))
    moves = max(np.abs(free.moves(y)[0]).max() for y in (x, free(x)))
    weights = free.get_weights()
    free.set_weights([*weights[:2], *(w * 2.5 / moves for w in weights[2:])])
    interface = interface_of("test", model)

    def largest(*args, **kwargs):
        return interface.largest({"image": x}, *args, **kwargs)

    new, bounds = passes.bound_by_samples(model, largest)
    assert bounds == {"free": 3}
    assert kinds(new) == ["BoundedDeformable"] * 2 + ["DeformableConv2D"]
    np.testing.assert_allclose(new(x), model(x), rtol=1e-4, atol=1e-4)
    assert passes.bound_by_samples(new, largest) == (new, {})
    assert passes.bound_by_samples(model) == (model, {})  # without samples


def test_passes_know_the_sizes_of_the_file():
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, padding="same")(image)
    model = enliven(keras.Model(image, layers.GlobalMaxPooling2D()(x)))
    model = enliven(keras.Model(image, layers.GroupNormalization(2)(x)))
    report = to_tflite(model, target="gpu-fp32", samples=samples(4, (6, 7, 3))).report
    assert report.passes == {"lower_group_normalization": 1}
    assert model.input_shape == (None, None, None, 3)


def test_other_deformable_convolutions_stay():
    class Doubled(keraslayers.DeformableConv2D):
        def call(self, x):
            return 2 * super().call(x)

    image = keras.Input((8, 7, 3), name="image")
    half = keraslayers.DeformableConv2D(4, 3, max_offset=1, dtype="mixed_float16")(image)
    model = keras.Model(image, Doubled(4, 3, max_offset=1)(half))
    assert bound_deformable(model) == (model, 0)


def merged_groups(model):
    """Groups of the one convolution that a pass has changed, as its kernel has them."""
    (layer,) = (layer for layer in model.layers if type(layer).__name__ == "Altered")
    return layer.input.shape[-1] // layer.view.kernel.shape[-2]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("pool_size", "strides"), [(2, 2), (3, 1), (3, 2), ((3, 2), 2), ((4, 5), 3), (1, 2)], ids=str)
def test_lower_average_pooling(padding, pool_size, strides):
    new = check(passes.lower_average_pooling, between(layers.AveragePooling2D(pool_size, strides, padding)), 1)
    assert kinds(new) == ["AverageByConvolution", "Conv2D", "Conv2D"]


def test_lower_average_pooling_of_the_whole_image_and_of_unknown_sizes():
    check(passes.lower_average_pooling, between(layers.AveragePooling2D((6, 7))), 1)
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.AveragePooling2D(3, 2, "same")(image))
    new, count = passes.lower_average_pooling(model)
    assert count == 1
    same(new, model, samples(2, (5, 8, 3)))


def test_lower_subsampling():
    for pooling in (layers.MaxPooling2D, layers.AveragePooling2D):
        new = check(passes.lower_subsampling, between(pooling(1, 2, name="pool")), 1)
        assert kinds(new) == ["Conv2D", "Conv2D", "DepthwiseConv2D"]
    for other in (layers.MaxPooling2D(2), layers.MaxPooling2D(1, 1), layers.MaxPooling2D(1, (1, 2))):
        model = between(other)
        assert passes.lower_subsampling(model) == (model, 0)


def residual(x):
    return layers.Add(name="sum")([layers.Conv2D(x.shape[-1], 1, name="branch")(x), x])


def test_lower_up_sampling():
    for size in (2, (3, 1), 7):
        new = check(passes.lower_up_sampling, between(layers.UpSampling2D(size)), 1)
        assert kinds(new) == ["Conv2D", "Conv2D", "Resample2D"]
    model = between(layers.UpSampling2D(2, interpolation="bilinear"))
    assert passes.lower_up_sampling(model) == (model, 0)


SHUFFLES = {
    "layers": lambda x: layers.Reshape((6, 7, 8))(layers.Permute((1, 2, 4, 3))(layers.Reshape((6, 7, 2, 4))(x))),
    "operations": lambda x: ops.reshape(
        ops.transpose(ops.reshape(x, (-1, 6, 7, 2, 4)), (0, 1, 2, 4, 3)), (-1, 6, 7, 8)
    ),
    "mixed": lambda x: layers.Reshape((-1, 7, 8))(ops.transpose(layers.Reshape((6, 7, 2, 4))(x), [0, 1, 2, 4, 3])),
}


ACTIVATED = {
    "Conv2D": lambda **options: layers.Conv2D(5, 3, **options),
    "Conv2DTranspose": lambda **options: layers.Conv2DTranspose(5, 3, strides=2, **options),
    "Dense": lambda **options: layers.Dense(5, **options),
    "DepthwiseConv2D": lambda **options: layers.DepthwiseConv2D(3, depth_multiplier=2, **options),
    "SeparableConv2D": lambda **options: layers.SeparableConv2D(5, 3, padding="same", **options),
    "PaddedConv2D": lambda **options: keraslayers.PaddedConv2D(5, 3, padding=2, padding_mode="edge", **options),
}


@pytest.mark.parametrize("make", ACTIVATED.values(), ids=ACTIVATED)
def test_split_hard_swish(make):
    new = check(passes.split_hard_swish, between(make(activation="hard_silu")), 1)
    assert kinds(new) == ["Activation", "Altered", "Conv2D", "Conv2D"]
    # The next pass finds it behind layers that this one has borrowed, as it finds those that were there before.
    assert lower_hard_swish(new)[1] == 1
    model = between(make(activation="relu"))
    assert passes.split_hard_swish(model) == (model, 0)


def gate(kind):
    """An image weighted channel by channel, as squeeze-and-excitation does."""

    def weighted(x):
        vector = layers.GlobalAveragePooling2D()(x)
        if kind == "dense":
            vector = layers.Dense(8, activation="sigmoid")(layers.Dense(3, activation="relu")(vector))
        vector = layers.Reshape((1, 1, 8))(vector)
        if kind == "dense behind":
            vector = layers.Activation("sigmoid")(layers.Dense(8)(vector))
        if kind == "operation":
            return x * vector
        return layers.Multiply(name="product")([x, vector] if kind == "dense" else [vector, x])

    return weighted


def twice(act):
    """An activation whose input goes elsewhere too."""
    return lambda x: layers.Concatenate()([x, act(x)])


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (layers.ReLU(), "relu"),
        (layers.ReLU(6), "relu6"),
        (layers.Activation("relu"), "relu"),
        (layers.Activation("relu6"), "relu6"),
        (ops.relu, "relu"),
        (ops.relu6, "relu6"),
        (keraslayers.ReLU6(), "relu6"),
        (keraslayers.HardTanh(), "hard_tanh"),
        (layers.Activation("hard_tanh"), "hard_tanh"),
        (ops.hard_tanh, "hard_tanh"),
    ],
)
def test_lower_relu(act, kind):
    new = check(passes.lower_relu, between(twice(act)), 1)
    assert kinds(new) == ["Activation", "Concatenate", "Conv2D", "Conv2D", "Rescaling"]
    (lowered,) = (layer for layer in new.layers if isinstance(layer, layers.Activation))
    assert lowered.activation is getattr(keras.activations, kind)


def joined(count, axis=-1):
    """An image scaled in several ways, joined."""
    return lambda x: layers.Concatenate(axis)([layers.Rescaling(1 + i / 8)(x) for i in range(count)])


# --- the rewriting itself


def replaced_relu(model):
    """Rewrites every ReLU layer as itself: all the rest is borrowed."""

    def replace(layer, fresh, x):
        return layers.ReLU(name=fresh(f"{layer.name}_new"))(x)

    return rewrite(model, lambda layer, *args, **kwargs: type(layer) is layers.ReLU, replace)


def test_nothing_to_do_returns_the_model_itself():
    model = dense()
    assert rewrite(model, lambda *args, **kwargs: False, None) == (model, 0)


@pytest.mark.parametrize("last", ["lstm", "pool"])
def test_masks_go_on(last):
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(9, 4, mask_zero=True, name="embedding")(tokens)
    x = layers.ReLU(name="relu")(x)
    x = {"lstm": layers.LSTM(3), "pool": layers.GlobalAveragePooling1D()}[last](x)
    model = enliven(keras.Model(tokens, x))
    numbers = np.random.default_rng(0).integers(0, 9, (8, 6))
    numbers[:, 4:] = 0  # masked
    new, count = replaced_relu(model)
    assert count == 1
    same(new, model, numbers)
    # Without the mask it would be another number: it was not lost on both sides.
    unmasked = model.layers[-1](ops.relu(model.get_layer("embedding")(numbers).numpy()))
    assert not np.allclose(model(numbers), unmasked)


def test_lists_and_their_masks():
    """Concatenate takes one list, and makes one mask of those of its parts."""
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(9, 4, mask_zero=True, name="embedding")(tokens)
    x = layers.Concatenate()([x, layers.ReLU(name="relu")(x)])
    x = layers.Concatenate()(inputs=[x, x])
    model = enliven(keras.Model(tokens, layers.LSTM(3)(x)))
    numbers = np.random.default_rng(0).integers(0, 9, (8, 6))
    new, count = replaced_relu(model)
    assert count == 1
    same(new, model, numbers)


def test_hard_swish_beside_a_concatenation():
    image = keras.Input((4, 4, 3), name="image")
    x = layers.Concatenate()([keraslayers.HardSwish()(image), image])
    new, count = lower_hard_swish(model := keras.Model(image, x))
    assert count == 1
    same(new, model, samples(4, (4, 4, 3)))


def test_inputs_keywords_numbers_and_structures():
    left, right = keras.Input((6, 4), name="left"), keras.Input((6, 4), name="right")
    x = layers.ReLU()(left) + 3.0
    x = 2.0 * (1.0 - x) / ops.maximum(right, 0.5)
    x = layers.MultiHeadAttention(2, 3, name="attention")(query=x, value=right, key=left)
    x = ops.concatenate([x, layers.Add()([left, right])], axis=-1)
    x = ops.transpose(x, axes=(0, 2, 1))[:, 1:]
    a, b = ops.split(x, [3], axis=1)
    model = enliven(keras.Model({"right": right, "left": left}, {"a": a, "b": [b, layers.ReLU()(b)]}))
    new, count = replaced_relu(model)
    assert count == 2
    x = {"left": samples(3, (6, 4)), "right": samples(3, (6, 4), 1)}
    same(new, model, x)
    assert keras.tree.map_structure(lambda t: t.shape, new.output) == keras.tree.map_structure(
        lambda t: t.shape, model.output
    )


def test_inference_stays_inference():
    x = keras.Input((8,))
    y = layers.BatchNormalization()(layers.Dropout(0.5)(layers.ReLU()(layers.Dense(6)(x))))
    model = enliven(keras.Model(x, y))
    new, _ = replaced_relu(model)
    same(new, model, samples(16, (8,)))
    # Twice the same: no unit is dropped.
    np.testing.assert_array_equal(new(samples(16, (8,)), training=False), new(samples(16, (8,)), training=False))
    assert not np.array_equal(new(samples(16, (8,)), training=True), model(samples(16, (8,))))


def test_a_nested_model_called_by_keyword():
    inputs = keras.Input((4,), name="x")
    inner = keras.Model(inputs, layers.ReLU()(layers.Dense(3)(inputs)), name="inner")
    x = keras.Input((4,), name="x")
    model = enliven(keras.Model(x, inner(inputs=x)))
    new, count = replaced_relu(model)
    assert count == 1
    same(new, model, samples(4, (4,)))


@pytest.mark.parametrize(
    "options", [{"groups": 4}, {"groups": 1, "scale": False}, {"groups": -1, "center": False, "epsilon": 0.1}], ids=str
)
def test_lower_group_normalization(options):
    # Sums in another order.
    new = check(passes.lower_group_normalization, between(layers.GroupNormalization(**options)), 1, tolerance=1e-5)
    assert kinds(new) == ["Conv2D", "Conv2D", "FlatGroupNormalization"]


def test_other_group_normalizations_stay():
    rows, maps = keras.Input((6, 8)), keras.Input((8, 6, 7))
    for model in (
        keras.Model(rows, layers.GroupNormalization(4)(rows)),
        keras.Model(maps, layers.GroupNormalization(4, axis=1)(maps)),
    ):
        assert passes.lower_group_normalization(model) == (model, 0)


def test_a_target_tells_its_passes_and_limits():
    gpu, micro = TARGETS["gpu"], TARGETS["micro"]
    assert set(gpu.passes("float32")) >= {"lower_group_normalization", "lower_up_sampling"}
    assert set(gpu.rewrites("float32")) >= {"lower_split", "merge_groups"}
    assert "drop_state" in micro.rewrites("int8")
    assert "merge_groups" not in micro.rewrites("int8")
    assert gpu.passes("int8") != gpu.passes("float32")
    assert "lower_relu" not in micro.passes("int8")
    # What it says is what is done.
    report = to_tflite(between(layers.AveragePooling2D(2)), precision="int8", samples=samples(16, (6, 7, 8))).report
    assert set(report.passes) <= set(TARGETS["cpu"].passes("int8"))
    assert "gpu: no int16x8" in gpu.limits
    assert all(limit.partition(":")[0] in gpu.runtimes for limit in gpu.limits)


def test_a_layer_that_is_told_more_than_tensors_by_name_is_borrowed_with_it():
    """Keras takes no mixture of tensors and others in what a layer calls **kwargs."""
    inputs = keras.Input((None, 8))
    mask = ops.ones_like(inputs[:, :1], dtype="bool")
    attention = layers.MultiHeadAttention(2, 4)
    outputs = attention(inputs, inputs, attention_mask=mask[:, :, :1], use_causal_mask=True)
    model = keras.Model(inputs, outputs)
    new = sized(model, [(1, 6, 8)])
    same(new, model, samples(4, (6, 8)))
    (told,) = [kwargs for layer, _, kwargs in calls(new) if layer is attention]
    assert told["use_causal_mask"] is True
    same(laid_open(new), model, samples(4, (6, 8)))
