"""Branches become one convolution: the copy computes the same, and the user's model stays as it is."""

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers import LayerScale, fold_batch_norm, models, reparameterize
from keraslayers.export import to_tflite
from tests.export_models import enliven, samples

SHAPE = (7, 6, 4)


def model_of(make, shape=SHAPE):
    inputs = keras.Input(shape, name="x")
    return enliven(keras.Model(inputs, make(inputs)))


def kinds(model):
    return [type(layer).__name__ for layer in model.layers if not isinstance(layer, layers.InputLayer)]


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def made(model, x):
    """Holds the copy to all that a copy must keep."""
    before, config = model.get_weights(), model.get_config()
    new = reparameterize(model)
    assert all(np.array_equal(old, now) for old, now in zip(before, model.get_weights(), strict=True))
    assert model.get_config() == config
    assert not {id(weight) for weight in model.weights} & {id(weight) for weight in new.weights}
    # Kernels summed in float64 and rounded once; sums of some hundred products in another order.
    for found, expected in zip(*(map(array, keras.tree.flatten(one(x))) for one in (new, model)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    return new


def conv(*args, **options):
    return layers.Conv2D(*args, padding="same", **options)


def depthwise(size, **options):
    return layers.DepthwiseConv2D(size, padding="same", **options)


def norm(x, **options):
    return layers.BatchNormalization(**options)(x)


def padded(x, pair, layer):
    return layer(layers.ZeroPadding2D(pair)(x))


def _of_one_padding(x):
    x = layers.ZeroPadding2D(1)(x)
    return layers.Add()([layers.Conv2D(4, 3)(x), layers.Conv2D(4, 3)(x)])


def _sum_of_sums(x):
    inner = layers.Add()([conv(4, 3)(x), norm(conv(4, 1)(x))])
    return layers.Add()([norm(x), inner])


def _twice(x):
    for _ in range(2):
        x = layers.ReLU()(layers.Add()([norm(x), norm(conv(4, 3)(x))]))
    return x


BLOCKS = {
    "repvgg": lambda x: layers.Add()([norm(conv(4, 3, use_bias=False)(x)), norm(conv(4, 1)(x)), norm(x)]),
    "the_input": lambda x: layers.Add()([x, conv(4, 3)(x)]),
    "acnet": lambda x: layers.Add()([conv(5, (1, 3))(x), norm(conv(5, 3)(x)), conv(5, (3, 1), use_bias=False)(x)]),
    "groups": lambda x: layers.Add()([norm(x, scale=False), conv(4, 3, groups=2)(x), conv(4, 1, groups=2)(x)]),
    "a_group_a_channel": lambda x: layers.Add()([norm(x, center=False), conv(4, 3, groups=4)(x)]),
    "depthwise": lambda x: layers.Add()([norm(x), norm(depthwise(1)(x)), depthwise(5)(x), depthwise(3)(x)]),
    "multiplied": lambda x: layers.Add()([depthwise(3, depth_multiplier=2)(x), depthwise(1, depth_multiplier=2)(x)]),
    # Of 7 rows the windows start at -1, of 6 columns at 0.
    "strides_same": lambda x: layers.Add()([conv(3, 3, strides=2)(x), conv(3, 1, strides=2)(x)]),
    "strides_padded": lambda x: layers.Add()(
        [layers.Conv2D(3, 1, strides=2)(x), padded(x, 1, layers.Conv2D(3, 3, strides=2))]
    ),
    "padded_unevenly": lambda x: layers.Add()(
        [padded(x, ((2, 0), (0, 2)), layers.Conv2D(4, 3)), padded(x, ((1, 0), (0, 1)), layers.Conv2D(4, 2)), x]
    ),
    "of_one_padding": _of_one_padding,
    "even": lambda x: layers.Add()([conv(4, 4)(x), conv(4, 2)(x)]),
    "sum_of_sums": _sum_of_sums,
    "twice": _twice,
    "difference": lambda x: layers.Subtract()([norm(conv(4, 3)(x)), conv(4, 1)(x)]),
    "taken_from_the_input": lambda x: layers.Subtract()([norm(x), depthwise(3)(x)]),
    "scaled": lambda x: layers.Add()([x, LayerScale(0.5)(layers.Subtract()([depthwise(3)(x), norm(x)]))]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_branches_become_one_convolution(name):
    model = model_of(BLOCKS[name])
    new = made(model, samples(3, SHAPE))
    assert not {"Add", "BatchNormalization", "LayerScale", "Subtract"} & set(kinds(new))
    convolutions = [kind for kind in kinds(new) if "Conv2D" in kind]
    assert len(convolutions) == (2 if name == "twice" else 1)
    with pytest.raises(ValueError, match="became one convolution each already"):
        reparameterize(new)


def test_where_the_weights_go():
    """By hand: a 1x1 kernel of 10 and the input itself in a 3x3 kernel of 0 to 8, whose windows begin at the corner."""
    model = model_of(lambda x: layers.Add()([conv(1, 3, strides=2)(x), conv(1, 1, strides=2)(x)]), (4, 5, 1))
    three, one = np.arange(9.0).reshape(3, 3, 1, 1), np.full((1, 1, 1, 1), 10.0)
    model.set_weights([three, np.array([1.0]), one, np.array([2.0])])
    kernel, bias = reparameterize(model).get_weights()
    # Of 4 rows nothing is padded in front, of 5 columns one.
    np.testing.assert_array_equal(kernel[..., 0, 0], [[0, 11, 2], [3, 4, 5], [6, 7, 8]])
    np.testing.assert_array_equal(bias, [3])


def test_unknown_sizes_matter_to_strides_alone():
    shape = (None, None, 4)
    assert kinds(made(model_of(BLOCKS["repvgg"], shape), samples(2, SHAPE))) == ["Conv2D"]
    made(model_of(BLOCKS["strides_padded"], shape), samples(2, SHAPE))
    with pytest.raises(ValueError, match="must have branches whose sum is one convolution"):
        reparameterize(model_of(BLOCKS["strides_same"], shape))


def _chain(**options):
    return lambda x: conv(5, 1, **options)(conv(32, 3, strides=2)(x))


CHAINS = {
    "plain": _chain(),
    "activation_behind": _chain(activation="relu"),
    "no_bias": lambda x: conv(5, 1, use_bias=False)(conv(32, 3, use_bias=False)(x)),
    "bias_of_the_first": lambda x: conv(5, 1, use_bias=False)(conv(32, 3)(x)),
    "normalized": lambda x: norm(conv(5, 1)(norm(conv(32, (1, 3))(x)))),
    "three": lambda x: conv(5, 1)(conv(32, 1)(conv(32, 3)(x))),
    # A linear block of SESR with its short residual.
    "residual": lambda x: layers.ReLU()(layers.Add()([conv(4, 1)(conv(32, 3)(x)), x])),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_become_one_convolution(name):
    new = made(model_of(CHAINS[name]), samples(3, SHAPE))
    assert [kind for kind in kinds(new) if kind != "ReLU"] == ["Conv2D"]
    found = next(layer for layer in new.layers if isinstance(layer, layers.Conv2D))
    assert found.use_bias == (name != "no_bias")


def test_the_product_of_a_chain():
    """By hand: what the second takes of each channel of the first, and of its bias."""
    model = model_of(lambda x: conv(1, 1)(conv(3, 1)(x)), (4, 5, 2))
    wide = np.array([[1.0, 2, 3], [4, 5, 6]]).reshape(1, 1, 2, 3)
    narrow = np.array([1.0, 10, 100]).reshape(1, 1, 3, 1)
    model.set_weights([wide, np.array([1.0, 2, 3]), narrow, np.array([7.0])])
    kernel, bias = reparameterize(model).get_weights()
    np.testing.assert_array_equal(kernel[0, 0, :, 0], [321, 654])
    np.testing.assert_array_equal(bias, [328])


def _of_two(x):
    y = conv(32, 3)(x)
    return [conv(4, 1)(y), conv(4, 1)(y)]


APART = {
    "a_bottleneck": lambda x: conv(32, 1)(conv(2, 1)(x)),
    "activation_between": lambda x: conv(4, 1)(conv(32, 3, activation="relu")(x)),
    "read_twice": _of_two,
    "second_of_3x3": lambda x: conv(4, 3)(conv(32, 1)(x)),
    "second_with_strides": lambda x: conv(4, 1, strides=2)(conv(32, 3)(x)),
    "groups": lambda x: conv(4, 1, groups=2)(conv(32, 3)(x)),
    "depthwise": lambda x: conv(4, 1)(depthwise(3, depth_multiplier=8)(x)),
    "dilation": lambda x: conv(4, 1)(conv(32, 3, dilation_rate=2)(x)),
    "other_dtype": lambda x: conv(4, 1, dtype="mixed_float16")(conv(32, 3)(x)),
}


@pytest.mark.parametrize("name", APART)
def test_what_is_no_chain(name):
    with pytest.raises(ValueError, match=r"or convolutions that a smaller 1x1 convolution alone reads\. It has none"):
        reparameterize(model_of(APART[name]))


def _seen(x):
    y = conv(4, 3)(x)
    return [layers.Add()([y, x]), y]


def _twice_called(x):
    layer = conv(4, 3)
    return layers.Add()([layer(x), layer(layers.ReLU()(x)), x])


STAYS = {
    "activation": lambda x: layers.Add()([conv(4, 3, activation="relu")(x), conv(4, 1)(x)]),
    "activation_between": lambda x: layers.Add()([layers.ReLU()(conv(4, 3)(x)), conv(4, 1)(x)]),
    "other_inputs": lambda x: layers.Add()([conv(4, 3)(layers.ReLU()(x)), conv(4, 1)(x)]),
    "other_strides": lambda x: layers.Add()([conv(4, 3)(x), conv(4, 1, strides=2)(layers.UpSampling2D(2)(x))]),
    "other_groups": lambda x: layers.Add()([conv(4, 3)(x), conv(4, 1, groups=2)(x)]),
    "other_kinds": lambda x: layers.Add()([conv(4, 3)(x), depthwise(3)(x)]),
    "dilation": lambda x: layers.Add()([conv(4, 3, dilation_rate=2)(x), conv(4, 1)(x)]),
    "no_window_holds_the_other": lambda x: layers.Add()([conv(4, (1, 3))(x), conv(4, (3, 1))(x)]),
    "broadcast": lambda x: layers.Add()([conv(4, 3)(x), conv(1, 1)(x)]),
    "seen_elsewhere": _seen,
    "called_twice": _twice_called,
    "norm_of_another_axis": lambda x: layers.Add()([norm(x, axis=1), conv(4, 3)(x)]),
    "other_dtype": lambda x: layers.Add()([conv(4, 3)(x), conv(4, 1, dtype="mixed_float16")(x)]),
    "no_convolution": lambda x: layers.Add()([norm(x), x]),
    "vectors": lambda x: layers.Add()([layers.Dense(3)(layers.Flatten()(x)), layers.Dense(3)(layers.Flatten()(x))]),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_stays(name):
    """Beside a block that does not, so that the copy is there to be looked at."""
    other = STAYS[name]

    def both(x):
        return [BLOCKS["repvgg"](x), *keras.tree.flatten(other(x))]

    model, alone = model_of(both), model_of(other)
    x = samples(3, SHAPE)
    new = reparameterize(model)
    assert kinds(new).count("Add") == kinds(alone).count("Add") == 1
    for found, expected in zip(map(array, new(x)), map(array, model(x)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"^`reparameterize`: `model` '\w+' must have branches whose sum is one conv"):
        reparameterize(alone)


def test_a_normalization_that_trains_stays():
    # Alone: one that is called so sets Keras training for what is called after it.
    with pytest.raises(ValueError, match="must have branches whose sum is one convolution"):
        reparameterize(model_of(lambda x: layers.Add()([layers.BatchNormalization()(x, training=True), conv(4, 3)(x)])))


@pytest.mark.sweep
@pytest.mark.parametrize("padding", ["symmetric", "same"])
@pytest.mark.parametrize(
    ("build", "more"),
    [
        (models.RepVGGA0, {"units": (2, 2), "channels": (6, 8)}),
        (models.MobileOneS0, {"units": (2, 2), "channels": (6, 8), "gated": (0, 1)}),
        (models.RepViTM1, {"units": (2, 1), "channels": (6, 8)}),
        (models.FastViTT8, {"blocks": (1, 1), "channels": (6, 12), "initial_scale": 0.5}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_networks_become_those_that_are_deployed(build, more, padding):
    options = {"input_shape": (18, 21, 3), "classes": 3, "padding": padding}
    new = made(enliven(build(**options, **more)), samples(2, (18, 21, 3)))
    deployed = build(deploy=True, **options, **more)
    assert [layer.name for layer in new.layers] == [layer.name for layer in deployed.layers]
    assert [weight.shape for weight in new.weights] == [weight.shape for weight in deployed.weights]
    # What is left of the last two: residual branches of two convolutions, and what normalizes the classifier's input.
    left = {"RepViTM1": {"Add", "BatchNormalization"}, "FastViTT8": {"Add"}}.get(build.__name__, set())
    assert {"Add", "Subtract", "LayerScale", "BatchNormalization"} & set(kinds(new)) == left


def test_nested_models_save_and_load(tmp_path):
    inner = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(4, 1)])
    model = model_of(lambda x: BLOCKS["repvgg"](keras.Model(x_ := keras.Input(SHAPE), _twice(x_))(inner(x))))
    x = samples(3, SHAPE)
    new = made(model, x)
    assert kinds(new) == ["Conv2D", "Conv2D", "ReLU", "Conv2D", "ReLU", "Conv2D"]
    new.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(array(loaded(x)), array(new(x)))


@pytest.mark.tensorflow
def test_what_is_made_is_proven():
    new = reparameterize(model_of(_twice))
    assert to_tflite(new, samples=samples(24, SHAPE)).report.require().ok


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def test_errors():
    with pytest.raises(TypeError, match=r"^`reparameterize`: `model` must be a Keras model; got int\.$"):
        reparameterize(3)
    with pytest.raises(ValueError, match=r"^`reparameterize`: `model` 'subclassed\w*' is a subclassed model"):
        reparameterize(Subclassed())
    # Normalizations alone are no branches.
    model = model_of(lambda x: norm(conv(4, 3)(x)))
    with pytest.raises(ValueError, match=r"For batch normalizations alone call `fold_batch_norm`\.$"):
        reparameterize(model)
    assert kinds(fold_batch_norm(model)) == ["Conv2D"]
