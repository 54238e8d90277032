"""Every rule of quantization-aware training: a small network with the call trains and gives a file of integers."""

import re
from pathlib import Path

import keras
import pytest
from keras import layers, ops

import keraslayers
from keraslayers import export
from keraslayers._window_bias import WindowBias
from keraslayers.export import optimize
from keraslayers.export.optimize import bounded_deformable, deploy, floats, kernels, lower, rules
from keraslayers.export.proof.match import MAX_TRAINED_STEPS
from keraslayers.export.runtimes import gpu
from tests.export_models import enliven, needs_gpu, samples


def image_of(*called):
    def call(x):
        for layer in called:
            x = layer(x)
        return x

    return call


def rows_of(*called):
    """The same for layers of (batch, places, channels)."""
    return image_of(layers.Reshape((16, 16)), *called)


CLASSES = {
    layers.Conv1D: rows_of(layers.Conv1D(4, 3)),
    layers.Conv2D: image_of(layers.Conv2D(4, 3)),
    layers.Conv2DTranspose: image_of(
        layers.Conv2DTranspose(6, 3, strides=2, use_bias=False), layers.BatchNormalization(), layers.ReLU()
    ),
    layers.Dense: image_of(layers.Flatten(), layers.Dense(4)),
    layers.DepthwiseConv1D: rows_of(layers.DepthwiseConv1D(3), layers.BatchNormalization(), layers.ReLU()),
    layers.DepthwiseConv2D: image_of(layers.DepthwiseConv2D(3)),
    keraslayers.PaddedConv2D: image_of(keraslayers.PaddedConv2D(4, 3, padding=2)),
    keraslayers.DeformableConv2D: image_of(keraslayers.DeformableConv2D(4, 3, max_offset=1, modulated=True)),
    keraslayers.DynamicConv2D: image_of(keraslayers.DynamicConv2D(3, 3)),
    keraslayers.TableActivation: image_of(keraslayers.TableActivation("silu", -4, 4)),
    keraslayers.SoftArgmax: image_of(keraslayers.SoftArgmax()),
    keraslayers.ChannelShuffle: image_of(keraslayers.ChannelShuffle(2)),
    keraslayers.Maxout: image_of(keraslayers.Maxout(2)),
    keraslayers.LocalResponseNormalization: image_of(keraslayers.LocalResponseNormalization(1)),
    keraslayers.SpatialSeparableConv2D: image_of(keraslayers.SpatialSeparableConv2D(4, 3)),
    layers.SeparableConv1D: rows_of(layers.SeparableConv1D(4, 3, activation="relu")),
    layers.SeparableConv2D: image_of(layers.SeparableConv2D(4, 3)),
    layers.Normalization: image_of(layers.Normalization(mean=0.1, variance=0.5)),
    layers.Rescaling: image_of(layers.Rescaling(0.5, 0.1)),
    layers.PReLU: image_of(layers.PReLU(shared_axes=[1, 2])),
    layers.Concatenate: lambda x: layers.Concatenate()([x, x]),
    layers.Cropping1D: rows_of(layers.Cropping1D(2)),
    layers.Cropping2D: image_of(layers.Cropping2D(1)),
    layers.Flatten: image_of(layers.Flatten()),
    layers.GlobalMaxPooling1D: rows_of(layers.GlobalMaxPooling1D()),
    layers.GlobalMaxPooling2D: image_of(layers.GlobalMaxPooling2D()),
    layers.MaxPooling1D: rows_of(layers.MaxPooling1D(2)),
    layers.MaxPooling2D: image_of(layers.MaxPooling2D(2)),
    layers.Permute: rows_of(layers.Permute((2, 1))),
    layers.TimeDistributed: image_of(
        layers.TimeDistributed(keras.Sequential([layers.Conv1D(4, 3), layers.BatchNormalization(), layers.ReLU()]))
    ),
    layers.RepeatVector: image_of(layers.Flatten(), layers.RepeatVector(3)),
    layers.Reshape: image_of(layers.Reshape((4, 16, 4))),
    layers.ZeroPadding1D: rows_of(layers.ZeroPadding1D(2)),
    layers.ZeroPadding2D: image_of(layers.ZeroPadding2D(1)),
    layers.RandomBrightness: image_of(layers.RandomBrightness(0.1, value_range=(-9, 9))),
    layers.RandomContrast: image_of(layers.RandomContrast(0.1, value_range=(-9, 9))),
    layers.RandomFlip: image_of(layers.RandomFlip()),
    layers.RandomRotation: image_of(layers.RandomRotation(0.1)),
    layers.RandomTranslation: image_of(layers.RandomTranslation(0.1, 0.1)),
    layers.RandomZoom: image_of(layers.RandomZoom(0.1)),
}
OPERATIONS = {
    "Absolute": ops.abs,
    "Add": lambda x: ops.add(x, x),
    "AveragePool": lambda x: ops.average_pool(x, 2),
    "Cast": lambda x: ops.cast(x, "float32"),
    "Clip": lambda x: ops.clip(x, -0.5, 0.5),
    "Concatenate": lambda x: ops.concatenate([x, x], axis=-1),
    "DepthToSpace": lambda x: ops.depth_to_space(x, 2),
    "SpaceToDepth": lambda x: ops.space_to_depth(x, 2),
    "Conv": lambda x: ops.conv(x, keras.ops.ones((1, 1, 4, 4)), 1, "valid", "channels_last"),
    "DepthwiseConv": lambda x: ops.depthwise_conv(x, keras.ops.ones((3, 3, 4, 1)), 1, "valid", "channels_last"),
    "Divide": lambda x: ops.divide(x, 2.0),
    "Elu": ops.elu,
    "Exp": ops.exp,
    "ExpandDims": lambda x: ops.squeeze(ops.expand_dims(ops.reshape(x, (-1, 16, 16)), 1), 1),
    "Flip": lambda x: ops.flip(x, 1),
    "GetItem": lambda x: x[:, 1:],
    "HardSigmoid": ops.hard_sigmoid,
    "HardSilu": ops.hard_silu,
    "HardTanh": ops.hard_tanh,
    "LeakyRelu": ops.leaky_relu,
    "Log": lambda x: ops.log(ops.add(ops.relu(x), 1.0)),
    "Max": lambda x: ops.max(x, (1, 2)),
    "MaxPool": lambda x: ops.max_pool(x, 2),
    "Maximum": lambda x: ops.maximum(x, 0.1),
    "Mean": lambda x: ops.mean(x, (1, 2)),
    "Minimum": lambda x: ops.minimum(x, 0.1),
    "Multiply": lambda x: ops.multiply(x, x),
    "Pad": lambda x: ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))),
    "ReLU": layers.ReLU(max_value=2),
    "Relu": ops.relu,
    "Relu6": ops.relu6,
    "Repeat": lambda x: ops.repeat(x, 2, axis=1),
    "Reshape": lambda x: ops.reshape(x, (-1, 16, 16)),
    "Resize": lambda x: ops.image.resize(x, (16, 16)),
    "Roll": lambda x: ops.roll(x, 1, axis=1),
    "Sigmoid": ops.sigmoid,
    "Silu": ops.silu,
    "Softmax": layers.Softmax(),
    "Split": lambda x: ops.split(x, 2, axis=-1)[1],
    "Squeeze": lambda x: ops.squeeze(ops.max(x, (1, 2), keepdims=True), (1, 2)),
    "Stack": lambda x: ops.stack([ops.max(x, (1, 2)), ops.max(x, (1, 2))], 1),
    "Subtract": lambda x: ops.subtract(x, ops.max(x, (1, 2), keepdims=True)),
    "Sum": lambda x: ops.sum(x, (1, 2)),
    "Tanh": ops.tanh,
    "Tile": lambda x: ops.tile(x, (1, 2, 1, 1)),
    "Transpose": lambda x: ops.transpose(x, (0, 2, 1, 3)),
    "TrueDivide": lambda x: x / 2.0,
}
# Those that `transformer` has.
IN_A_TRANSFORMER = {
    layers.EinsumDense,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.RMSNormalization,
    layers.UnitNormalization,
    "DotProductAttention",
    "Einsum",
    "Gelu",
    "Matmul",
}
# In the networks of test_optimize_models.py: numbers of a layer's own.
IN_TOKENS = {
    keraslayers.Affine,
    keraslayers.ClassToken,
    keraslayers.DynamicDepthwiseConv2D,
    keraslayers.LayerScale,
    keraslayers.LearnedPositions,
    WindowBias,
}
# Of which the GPU is asked, too; it reverses no slices and takes no tensors of five axes, of which others are made.
ON_GPU = {
    keraslayers.DeformableConv2D,
    keraslayers.TableActivation,
    layers.Conv2DTranspose,
    layers.PReLU,
    "Elu",
    "Split",
}
# What the page allows to be floats, but for what keeps the converter out.
IN_FLOATS = {
    keraslayers.DeformableConv2D: {"BATCH_MATMUL"},
    keraslayers.SoftArgmax: {"FULLY_CONNECTED", "RESHAPE", "SOFTMAX", "TRANSPOSE"},
    keraslayers.TableActivation: {"ADD", "FLOOR", "GATHER", "MINIMUM", "MUL", "RELU", "RESHAPE", "SUB"},
}
# Rows of others: what the last layer of each row is, and what separable layers are made of.
PARTS = {
    bounded_deformable.Hats,
    bounded_deformable.Masks,
    bounded_deformable.Mixed,
    bounded_deformable.Offsets,
    kernels.DepthwisePart,
    kernels.HorizontalPart,
    kernels.IdentityConvolution,
    kernels.MatrixPart,
    kernels.MixturePart,
    kernels.PointwisePart,
    kernels.VerticalPart,
    lower.BoundedDeformable,
}


@pytest.mark.sweep
@pytest.mark.parametrize("row", [*CLASSES, *OPERATIONS], ids=lambda row: getattr(row, "__name__", row))
def test_it_trains_and_its_file_is_integers(row):
    image = keras.Input((8, 8, 4), name="image")
    x = layers.Conv2D(4, 3, padding="same")(image)
    x = layers.Flatten()((CLASSES | OPERATIONS)[row](x))
    model = enliven(keras.Model(image, layers.Dense(3)(x)))
    x = samples(shape=(8, 8, 4))
    made = optimize.quantize_aware(model, samples=x)
    assert made.plan.difference < 1e-5
    made(x, training=True)
    target = "gpu-fp32" if row in ON_GPU and not gpu.available() else "cpu"
    report = export.to_tflite(made, target=target, precision="int8", samples=x[:4]).report.require()
    assert set(report.float_operators) == IN_FLOATS.get(row, set())
    assert row in IN_FLOATS or not report.float_operators


def transformer():
    """Two kinds of attention, with every normalization that stays in floats."""
    image = keras.Input((8, 8, 4), name="image")
    x = layers.Dense(8)(layers.Reshape((16, 16))(layers.GroupNormalization(2)(image)))
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 4)(y, y)
    y = layers.RMSNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 4, dropout=0.1)(y, y)
    y = layers.Dense(8)(layers.Dense(16, activation="gelu")(layers.UnitNormalization()(x)))
    mixed = ops.matmul(ops.transpose(x, (0, 2, 1)), y)
    return enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(mixed))))


@needs_gpu
def test_attention_trains_and_what_has_a_matrix_is_integers():
    model, x = transformer(), samples(shape=(8, 8, 4))
    made = optimize.quantize_aware(model, samples=x)
    assert made.plan.difference < 1e-5
    assert len(made.trainable_weights) == len(model.trainable_weights)
    made(x, training=True)
    report = export.to_tflite(made, target="gpu-fp32", precision="int8", samples=x).report.require()
    # As of a file that was not trained: products of two activations, GELU and normalizations alone are floats.
    assert report.float_operators["BATCH_MATMUL"] == 5
    assert (report.float_operators["GELU"], report.float_operators["SOFTMAX"]) == (1, 2)
    assert "FULLY_CONNECTED" not in report.float_operators
    assert report.operators["FULLY_CONNECTED"] == 12


def test_a_relu_behind_a_separable_convolution_is_no_operator():
    image = keras.Input((8, 8, 4), name="image")
    x = layers.SeparableConv2D(4, 3, activation="relu")(image)
    x = keraslayers.SpatialSeparableConv2D(4, 3, activation="relu")(x)
    model = enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))))
    made = optimize.quantize_aware(model, samples=samples(shape=(8, 8, 4)))
    operators = export.to_tflite(made, precision="int8").report.require().operators
    assert (operators["CONV_2D"], operators["DEPTHWISE_CONV_2D"]) == (3, 1)
    assert not {"MUL", "RELU"} & set(operators)


def name_of(row):
    """What the page calls a rule."""
    if row is WindowBias:
        return "WindowAttention"
    return row if isinstance(row, str) else row.__name__


def test_the_page_names_every_rule():
    page = (Path(__file__).parent.parent / "docs" / "training.md").read_text()
    named = set(re.findall(r"`(\w+)`", page.split("## What trains with rounding")[1].split("All else is refused")[0]))
    assert set(map(name_of, [*CLASSES, *OPERATIONS, *IN_A_TRANSFORMER, *IN_TOKENS])) == named


def test_the_page_names_what_may_be_floats_and_how_far_a_file_may_be():
    checked = (Path(__file__).parent.parent / "docs" / "training.md").read_text().split("## What is checked")[1]
    named = (*deploy.ENDS, "BATCH_MATMUL", *map(name_of, rules.IN_FLOATS))
    assert all(f"`{name}`" in checked for name in named)
    assert f"be {MAX_TRAINED_STEPS} steps" in checked


def test_every_rule_has_a_row():
    passing = set(rules.PASSING) - {floats.Passing, *CLASSES}
    # Seen by the same function as Dropout, in the networks of other tests.
    assert all(
        kind.__module__.startswith("keras.src.layers.regularization") or kind is layers.Identity for kind in passing
    )
    classes = {*kernels.KERNELS, *rules.SAME_LAYERS, *rules.OWN_RULES, *lower._LAYERS, *rules.PASSING}
    classes = (classes | set(rules.IN_FLOATS)) - PARTS - passing - {floats.Passing}
    names = {*rules.SAME, *rules.OWN, *rules.FIXED, *rules.ROUNDED_AGAIN, *lower._OPERATIONS} - {"Identity"}
    names |= rules.OPERATIONS_IN_FLOATS | rules.PRODUCTS_IN_FLOATS
    assert classes | names == {*CLASSES, *OPERATIONS, *IN_A_TRANSFORMER, *IN_TOKENS}
