"""Where a pass must not apply: a row for every condition, beside the nearest layer to which the pass does."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keraslayers
from keraslayers.export import TARGETS, passes
from keraslayers.export.passes import PASSES
from keraslayers.export.passes.bound_by_samples import bound_by_samples
from keraslayers.export.passes.prepare import prepare
from tests.export_models import enliven, samples

FIRST = {"data_format": "channels_first"}
IMAGE, ONE_PIXEL, OPEN = (6, 7, 8), (1, 1, 8), (None, None, 8)


def doubled(kind):
    """A subclass that computes something else."""

    class Doubled(kind):
        def call(self, inputs):
            return 2 * super().call(inputs)

    return Doubled


def namesake(name):
    """Somebody else's layer of the name of one of Keras's operations."""
    return type(name, (layers.Layer,), {"call": lambda self, x: 2 * x})


def quantized(layer, shape=IMAGE):
    """A layer with kernels of 8 bits, as Keras makes them."""
    keras.Sequential([keras.Input(shape), layer])
    layer.quantize("int8")
    return layer


def relu(x):
    """Of two tensors, so that no operator before it takes it."""
    return layers.ReLU()(layers.Concatenate()([x, x]))


def behind(before, act):
    return lambda x: act(before(x))


def joined(act):
    return lambda x: act(layers.Concatenate()([x, x]))


def dynamic(kind=keraslayers.DynamicConv2D, size=3, **options):
    return kind(5, size, temperature=1, **options)


def deformable(kind=keraslayers.DeformableConv2D, **options):
    return kind(4, 3, **options)


def grouped(**options):
    return layers.GroupNormalization(4, **options)


HARD_TANH = layers.Activation("hard_tanh")
SWISH = {"activation": "hard_silu"}
POOL = layers.AveragePooling2D
# (pass, why it must not apply, the layer, the shape of its input, the nearest that it applies to, its shape)
ROWS = [
    ("bound_deformable", "subclass", deformable(doubled(keraslayers.DeformableConv2D), max_offset=1), IMAGE,
     deformable(max_offset=1), IMAGE),
    ("bound_deformable", "16 bits", deformable(max_offset=1, dtype="mixed_float16"), IMAGE,
     deformable(max_offset=1), IMAGE),
    ("bound_deformable", "without a bound", deformable(), IMAGE, deformable(max_offset=1), IMAGE),
    ("lower_average_pooling", "maximum", layers.MaxPooling2D(2), IMAGE, POOL(2), IMAGE),
    ("lower_average_pooling", "subclass", doubled(POOL)(2), IMAGE, POOL(2), IMAGE),
    ("lower_average_pooling", "channels first", POOL(2, **FIRST), IMAGE, POOL(2), IMAGE),
    ("lower_average_pooling", "open channels", POOL(2), (6, 7, None), POOL(2), IMAGE),
    ("lower_average_pooling", "strides", POOL((6, 5), (6, 5)), IMAGE, POOL((6, 7), (6, 5)), IMAGE),
    ("lower_average_pooling", "same", POOL((6, 7), (6, 5), "same"), IMAGE, POOL((6, 7), (6, 5)), IMAGE),
    ("lower_group_normalization", "subclass", doubled(layers.GroupNormalization)(4), IMAGE, grouped(), IMAGE),
    ("lower_group_normalization", "16 bits", grouped(dtype="mixed_float16"), IMAGE, grouped(), IMAGE),
    ("lower_group_normalization", "64 bits", grouped(dtype="float64"), IMAGE, grouped(), IMAGE),
    ("lower_group_normalization", "volume", grouped(), (3, *IMAGE), grouped(), IMAGE),
    ("lower_group_normalization", "sequence", grouped(), (6, 8), grouped(), IMAGE),
    ("lower_group_normalization", "axis", grouped(axis=1), (8, 7, 8), grouped(axis=3), (8, 7, 8)),
    ("lower_group_normalization", "open sizes", grouped(), OPEN, grouped(), IMAGE),
    ("lower_hard_sigmoid", "subclass", doubled(keraslayers.HardSigmoid)(), IMAGE, keraslayers.HardSigmoid(), IMAGE),
    ("lower_hard_sigmoid", "other activation", layers.Activation("sigmoid"), IMAGE, ops.hard_sigmoid, IMAGE),
    ("lower_hard_sigmoid", "subclass of Keras's", doubled(layers.Activation)("hard_sigmoid"), IMAGE,
     layers.Activation("hard_sigmoid"), IMAGE),
    ("lower_hard_sigmoid", "namesake", namesake("HardSigmoid")(), IMAGE, ops.hard_sigmoid, IMAGE),
    ("lower_hard_sigmoid", "vector", ops.hard_sigmoid, (8,), ops.hard_sigmoid, IMAGE),
    ("lower_hard_sigmoid", "open channels", ops.hard_sigmoid, (6, 7, None), ops.hard_sigmoid, IMAGE),
    ("lower_hard_sigmoid", "pixel", ops.hard_sigmoid, ONE_PIXEL, ops.hard_sigmoid, (1, 2, 8)),
    ("lower_hard_swish", "subclass", doubled(keraslayers.HardSwish)(), IMAGE, keraslayers.HardSwish(), IMAGE),
    ("lower_hard_swish", "other activation", layers.Activation("silu"), IMAGE, layers.Activation("hard_silu"), IMAGE),
    ("lower_hard_swish", "subclass of Keras's", doubled(layers.Activation)("hard_silu"), IMAGE,
     layers.Activation("hard_silu"), IMAGE),
    ("lower_hard_swish", "namesake", namesake("HardSilu")(), IMAGE, ops.hard_silu, IMAGE),
    ("lower_relu", "slope", joined(layers.ReLU(negative_slope=0.5)), IMAGE, relu, IMAGE),
    ("lower_relu", "threshold", joined(layers.ReLU(threshold=0.5)), IMAGE, relu, IMAGE),
    ("lower_relu", "other maximum", joined(layers.ReLU(4)), IMAGE, joined(layers.ReLU(6)), IMAGE),
    ("lower_relu", "subclass", joined(doubled(layers.ReLU)()), IMAGE, relu, IMAGE),
    ("lower_relu", "subclass of an activation", joined(doubled(layers.Activation)("relu")), IMAGE,
     joined(layers.Activation("relu")), IMAGE),
    ("lower_relu", "subclass of ReLU6", joined(doubled(keraslayers.ReLU6)()), IMAGE, joined(keraslayers.ReLU6()),
     IMAGE),
    ("lower_relu", "subclass of HardTanh", joined(doubled(keraslayers.HardTanh)()), IMAGE,
     joined(keraslayers.HardTanh()), IMAGE),
    ("lower_relu", "other activation", joined(layers.Activation("tanh")), IMAGE, joined(HARD_TANH), IMAGE),
    ("lower_relu", "namesake", joined(namesake("Relu")()), IMAGE, joined(ops.relu), IMAGE),
    ("lower_relu", "namesake of relu6", joined(namesake("Relu6")()), IMAGE, joined(ops.relu6), IMAGE),
    ("lower_relu", "namesake of hard tanh", joined(namesake("HardTanh")()), IMAGE, joined(ops.hard_tanh), IMAGE),
    # Of what the converter takes into the operator before it.
    ("lower_relu", "dense", behind(layers.Dense(8), layers.ReLU()), IMAGE,
     behind(layers.Dense(8, activation="tanh"), layers.ReLU()), IMAGE),
    ("lower_relu", "dense, hard tanh", behind(layers.Dense(8), HARD_TANH), IMAGE, joined(HARD_TANH), IMAGE),
    ("lower_relu", "factor, hard tanh", behind(layers.Rescaling(2.0), HARD_TANH), IMAGE,
     behind(layers.Rescaling(2.0, 0.5), HARD_TANH), IMAGE),
    ("lower_relu", "offset", behind(layers.Rescaling(2.0, 0.5), layers.ReLU()), IMAGE,
     behind(layers.Rescaling(2.0, 0.5), HARD_TANH), IMAGE),
    ("lower_relu", "normalization", behind(layers.BatchNormalization(), layers.ReLU()), IMAGE,
     behind(layers.BatchNormalization(), HARD_TANH), IMAGE),
    ("lower_relu", "maximum", behind(layers.MaxPooling2D(2), layers.ReLU()), IMAGE,
     behind(layers.MaxPooling2D(2), HARD_TANH), IMAGE),
    ("lower_relu", "product", behind(lambda x: x * layers.Dense(8)(x), layers.ReLU()), IMAGE,
     behind(lambda x: x * layers.Dense(8)(x), HARD_TANH), IMAGE),
    ("lower_subsampling", "subclass", doubled(POOL)(1, 2), IMAGE, POOL(1, 2), IMAGE),
    ("lower_subsampling", "larger window", layers.MaxPooling2D((1, 2), 2), IMAGE, layers.MaxPooling2D(1, 2), IMAGE),
    ("lower_subsampling", "rows alone", POOL(1, (2, 1)), IMAGE, POOL(1, 2), IMAGE),
    ("lower_subsampling", "columns alone", POOL(1, (1, 2)), IMAGE, POOL(1, 2), IMAGE),
    ("lower_subsampling", "no strides", POOL(1, 1), IMAGE, POOL(1, 2), IMAGE),
    ("lower_subsampling", "channels first", POOL(1, 2, **FIRST), IMAGE, POOL(1, 2), IMAGE),
    ("lower_subsampling", "open channels", POOL(1, 2), (6, 7, None), POOL(1, 2), IMAGE),
    ("lower_up_sampling", "subclass", doubled(layers.UpSampling2D)(), IMAGE, layers.UpSampling2D(), IMAGE),
    ("lower_up_sampling", "bilinear", layers.UpSampling2D(interpolation="bilinear"), IMAGE, layers.UpSampling2D(),
     IMAGE),
    ("mix_kernels", "subclass", dynamic(doubled(keraslayers.DynamicConv2D)), IMAGE, dynamic(), IMAGE),
    ("mix_kernels", "rows left out", dynamic(strides=(2, 1)), IMAGE, dynamic(), IMAGE),
    ("mix_kernels", "columns left out", dynamic(strides=(1, 2)), IMAGE, dynamic(), IMAGE),
    ("mix_kernels", "channels first", dynamic(size=1, **FIRST), IMAGE, dynamic(size=1), IMAGE),
    ("mix_kernels", "16 bits", dynamic(dtype="mixed_float16"), IMAGE, dynamic(), IMAGE),
    ("split_hard_swish", "subclass", doubled(layers.Conv2D)(5, 3, **SWISH), IMAGE, layers.Conv2D(5, 3, **SWISH),
     IMAGE),
    ("split_hard_swish", "sigmoid", layers.Dense(5, activation="hard_sigmoid"), IMAGE, layers.Dense(5, **SWISH), IMAGE),
    ("split_hard_swish", "vector", layers.Dense(5, **SWISH), (8,), layers.Dense(5, **SWISH), IMAGE),
    ("split_hard_swish", "sequence", layers.Dense(5, **SWISH), (6, 8), layers.Dense(5, **SWISH), IMAGE),
    ("split_hard_swish", "kernel of 8 bits", quantized(layers.Dense(5, **SWISH)), IMAGE, layers.Dense(5, **SWISH),
     IMAGE),
]  # fmt: skip


def around(layer, shape):
    image = keras.Input(shape, name="image")
    return keras.Model(image, layer(image), name="m")


@pytest.mark.parametrize(
    ("name", "layer", "shape", "nearest", "its"),
    [(name, *row) for name, _, *row in ROWS],
    ids=[f"{name}-{why}" for name, why, *_ in ROWS],
)
def test_stays(name, layer, shape, nearest, its):
    function = PASSES[name][0]
    model = around(layer, shape)
    assert function(model) == (model, 0)
    assert function(around(nearest, its))[1] == 1, "what keeps the pass away is something else"


def test_every_pass_has_a_row():
    assert {name for name, *_ in ROWS} | {"bound_by_samples"} == set(PASSES)


@pytest.mark.parametrize("options", [{"negative_slope": 0.5}, {"threshold": 1.0}, {"max_value": 2}], ids=str)
def test_what_other_rectifiers_give_stays(options):
    model = around(joined(layers.ReLU(**options)), (3,))
    x = np.float32([[-2, 0.5, 5]])
    wanted = {"negative_slope": [-1, 0.5, 5], "threshold": [0, 0, 5], "max_value": [0, 0.5, 2]}[next(iter(options))]
    np.testing.assert_allclose(passes.lower_relu(model)[0](x), [wanted * 2])


@pytest.mark.parametrize(
    ("why", "layer", "far"),
    [
        ("subclass", deformable(doubled(keraslayers.DeformableConv2D)), 1.5),
        ("has a bound", deformable(max_offset=1), 1.5),
        ("too far", deformable(), 8.5),
    ],
)
def test_bound_by_samples_leaves_alone(why, layer, far):
    def largest(model, tensors, most):
        assert tensors, "runs the model for nothing"
        return [far] * len(tensors)

    model = around(layer, IMAGE)
    assert bound_by_samples(model, largest) == (model, {})
    free = deformable(name="free")
    assert bound_by_samples(around(free, IMAGE), lambda model, tensors, most: [8.0])[1] == {"free": 8}


# Worked out by hand from what each pass says it is for.
ALWAYS = {"lower_subsampling", "lower_up_sampling"}
SWISHES = {"split_hard_swish", "lower_hard_swish"}
FLOATS_ON_CPU = {"mix_kernels", "lower_hard_sigmoid"}
GPU = {"bound_deformable", "lower_group_normalization"}
INTEGERS = {"bound_by_samples", "bound_deformable"}
INT8_ON_CPU = {"lower_average_pooling", "lower_relu"}
WANTED = {
    ("cpu", "float32"): ALWAYS | FLOATS_ON_CPU,
    ("cpu", "float16"): ALWAYS | FLOATS_ON_CPU,
    ("cpu", "dynamic"): ALWAYS,
    ("cpu", "int4"): ALWAYS,
    ("cpu", "int8"): ALWAYS | INTEGERS | SWISHES | INT8_ON_CPU,
    ("cpu", "int16x8"): ALWAYS | INTEGERS | SWISHES,
    ("gpu", "float32"): ALWAYS | GPU,
    ("gpu", "float16"): ALWAYS | GPU,
    ("gpu", "dynamic"): ALWAYS | GPU,
    ("gpu", "int8"): ALWAYS | GPU | INTEGERS | SWISHES | INT8_ON_CPU,
    ("micro", "float32"): ALWAYS,
    ("micro", "int8"): ALWAYS | INTEGERS,
    ("micro", "int16x8"): ALWAYS | INTEGERS | SWISHES,
}


@pytest.mark.parametrize(("target", "precision"), WANTED, ids="-".join)
def test_which_file_wants_which_pass(target, precision):
    assert set(TARGETS[target].passes(precision)) == WANTED[target, precision]


def test_each_target_gets_its_passes_and_no_others():
    model = around(keraslayers.HardSwish(), IMAGE)
    assert prepare(model, TARGETS["cpu"], "float32") == (model, {})
    assert prepare(model, TARGETS["cpu"], "int8")[1] == {"lower_hard_swish": 1}


def test_hard_swish_of_little_is_shifted_only_where_it_is_an_image_of_little():
    """Below 0.01 alone, and of the layers asked about each its own."""
    image = keras.Input(IMAGE, name="image")
    x = layers.Conv2D(8, 1)(image)
    model = keras.Model(image, layers.Add()([keraslayers.HardSwish(name="a")(x), keraslayers.HardSwish(name="b")(x)]))
    model = enliven(model)
    new, count = passes.lower_hard_swish(model, lambda model, tensors: [0.0099, 0.01])
    assert count == 2
    assert sum(isinstance(layer, layers.DepthwiseConv2D) for layer in new.layers) == 1
    np.testing.assert_allclose(new(samples(2, IMAGE)), model(samples(2, IMAGE)), rtol=1e-5, atol=1e-5)
