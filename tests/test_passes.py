"""Passes: Given becomes Result, outputs stay, a second run changes nothing, the user's model stays as it is."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keraslayers
from keraslayers._rewrite import calls, rewrite
from keraslayers.export import TARGETS, to_tflite
from keraslayers.export.passes import PASSES, bound_deformable, lower_hard_swish
from tests.export_models import dense, enliven, samples


def kinds(model):
    """The calls of a model by class, laid open; in the order of the alphabet."""
    return sorted(type(getattr(layer, "layer", layer)).__name__ for layer, _, _ in calls(model))


def same(new, old, x):
    """Outputs differ by roundings alone."""
    for got, wanted in zip(keras.tree.flatten(new(x)), keras.tree.flatten(old(x)), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


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
    config, nodes = model.get_config(), [len(layer._inbound_nodes) for layer in model.layers]
    new, count = lower_hard_swish(model)
    assert count == 1
    assert kinds(model) != kinds(new) == ["Conv2D", "Conv2D", "DepthwiseConv2D", "Multiply", "Rescaling"]
    # -3 and 3, where the formula changes, and values far outside.
    x = np.concatenate([samples(8, (4, 5, 3)), np.full((1, 4, 5, 3), 30, "float32"), np.zeros((1, 4, 5, 3), "float32")])
    same(new, model, x)
    assert lower_hard_swish(new) == (new, 0)
    assert model.get_config() == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    assert new.name == model.name
    assert new.input.name == "image"
    # The weights are the user's own, not copies.
    assert {id(weight) for weight in model.weights} <= {id(weight) for weight in new.weights}


def test_hard_swish_itself():
    x = np.linspace(-8, 8, 4 * 4 * 3, dtype="float32").reshape(1, 4, 4, 3)
    image = keras.Input((4, 4, 3))
    new, _ = lower_hard_swish(keras.Model(image, keraslayers.HardSwish()(image)))
    np.testing.assert_allclose(new(x), x * np.clip(x + 3, 0, 6) / 6, rtol=1e-6, atol=1e-6)


def test_vectors_and_open_channels_stay():
    x = keras.Input((4,))
    vector = keras.Model(x, keraslayers.HardSwish()(layers.Dense(3)(x)))
    assert lower_hard_swish(vector) == (vector, 0)
    image = keras.Input((4, 4, None))
    open_ = keras.Model(image, keraslayers.HardSwish()(image))
    assert lower_hard_swish(open_) == (open_, 0)


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
    assert kinds(new).count("DepthwiseConv2D") == 5
    # A layer called twice is one layer, weights and all.
    assert len({id(weight) for weight in model.weights}) == len(model.weights) == len(new.weights) - 10


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
    with_pass = to_tflite(model, precision="int8", samples=x).report
    monkeypatch.delitem(PASSES, "lower_hard_swish")
    without = to_tflite(model, precision="int8", samples=x).report
    assert with_pass.passes["lower_hard_swish"] >= 15
    assert without.passes == {}
    assert "HARD_SWISH" in without.operators
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
    config, nodes = model.get_config(), [len(layer._inbound_nodes) for layer in model.layers]
    new, count = bound_deformable(model)
    assert count == 3
    assert kinds(new) == ["BoundedDeformable"] * 3 + ["DeformableConv2D"]
    x = samples(4, (8, 7, 3))
    np.testing.assert_allclose(new(x), model(x), rtol=1e-4, atol=1e-4)  # four layers that move what the last one gave
    assert bound_deformable(new) == (new, 0)
    assert model.get_config() == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes


def test_other_deformable_convolutions_stay():
    class Doubled(keraslayers.DeformableConv2D):
        def call(self, x):
            return 2 * super().call(x)

    image = keras.Input((8, 7, 3), name="image")
    half = keraslayers.DeformableConv2D(4, 3, max_offset=1, dtype="mixed_float16")(image)
    model = keras.Model(image, Doubled(4, 3, max_offset=1)(half))
    assert bound_deformable(model) == (model, 0)


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
