"""What `analyze` counts, against counts that share no code with it."""

import inspect
import json
import math

import keras
import numpy as np
import pytest
from keras import layers, ops

import keraslayers
from keraslayers import Analysis, Cost, LayerAnalysis, analyze
from tests import backend


def model_of(*made, shape=(9, 8, 4), **options):
    return keras.Sequential([keras.Input(shape, **options), *made])


def products(layer, shape):
    """How many numbers of the input each number of a linear layer's output hangs on, all together.

    With weights that are nowhere zero and no padding that is one product each.
    """
    count = math.prod(shape)
    given = np.eye(count, dtype="float32").reshape(count, *shape)
    layer.set_weights([np.full(weight.shape, 0.5, "float32") for weight in layer.get_weights()])
    return np.count_nonzero(np.asarray(layer(given)))


# Linear layers without bias and without zeros around the image.
LINEAR = {
    "conv1d": (layers.Conv1D(3, 4, strides=2, use_bias=False), (11, 5)),
    "conv2d": (layers.Conv2D(6, (3, 2), strides=(2, 1), use_bias=False), (8, 7, 3)),
    "pointwise": (layers.Conv2D(6, 1, use_bias=False), (4, 3, 5)),
    "grouped": (layers.Conv2D(6, 3, groups=2, use_bias=False), (6, 5, 4)),
    "dilated": (layers.Conv2D(2, 3, dilation_rate=2, use_bias=False), (8, 7, 3)),
    "conv3d": (layers.Conv3D(2, (2, 3, 1), use_bias=False), (4, 5, 3, 2)),
    "depthwise1d": (layers.DepthwiseConv1D(3, depth_multiplier=2, use_bias=False), (7, 3)),
    "depthwise2d": (layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, use_bias=False), (7, 6, 3)),
    "transposed1d": (layers.Conv1DTranspose(3, 4, strides=2, use_bias=False), (5, 3)),
    "transposed2d": (layers.Conv2DTranspose(3, (3, 2), strides=2, use_bias=False), (4, 5, 2)),
    "transposed3d": (layers.Conv3DTranspose(2, 2, strides=1, use_bias=False), (3, 2, 3, 2)),
    "dense": (layers.Dense(7, use_bias=False), (5,)),
    "dense_of_maps": (layers.Dense(7, use_bias=False), (3, 4, 5)),
    "einsum_dense": (layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3)), (4, 5)),
    "einsum_dense_dots": (layers.EinsumDense("...c,cd->...d", output_shape=(3,)), (4, 5)),
    "time_distributed": (layers.TimeDistributed(layers.Conv1D(2, 3, use_bias=False)), (4, 6, 3)),
    "padded": (keraslayers.PaddedConv2D(4, 3, groups=2, use_bias=False), (6, 5, 4)),
    "image_kernel": (keraslayers.ImageKernel2D([[1, 2], [3, 4]], padding="valid"), (5, 4, 3)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_multiply_adds_are_the_products_of_a_linear_layer(name):
    layer, shape = LINEAR[name]
    row = analyze(model_of(layer, shape=shape)).layers[-1]
    assert row.multiply_adds == products(layer, shape)
    # One product fewer is an addition: of every number that comes out the first is added to nothing.
    if "transposed" not in name:
        assert row.flops == 2 * row.multiply_adds - math.prod(row.output_shape)
    assert row.parameters == layer.count_params()
    assert row.output_shape == layer(np.zeros((1, *shape))).shape


def test_a_transposed_convolution_adds_wherever_two_products_meet():
    row = analyze(model_of(layers.Conv2DTranspose(3, 2, strides=2, use_bias=False), shape=(4, 5, 2))).layers[-1]
    # Windows do not overlap: a place gets a product from each of the two channels, and adds one of them.
    assert row.flops == row.multiply_adds + 8 * 10 * 3
    row = analyze(model_of(layers.Conv2DTranspose(3, 1, strides=2, use_bias=False), shape=(4, 5, 2))).layers[-1]
    # Three quarters of the places get nothing at all.
    assert row.flops == row.multiply_adds + 4 * 5 * 3


def test_the_rules_of_a_convolution():
    """H x W x M = 9 x 8 x 4, K = 3, N = 6 at strides of 2 with "same": H' x W' = 5 x 4."""
    row = analyze(model_of(layers.Conv2D(6, 3, strides=2, padding="same"))).layers[0]
    assert row.multiply_adds == 3 * 3 * 4 * 5 * 4 * 6
    assert row.flops == (2 * 3 * 3 * 4 - 1) * 5 * 4 * 6
    assert (row.inputs, row.outputs, row.weights) == (9 * 8 * 4, 5 * 4 * 6, 3 * 3 * 4 * 6 + 6)
    assert row.memory == 9 * 8 * 4 + 5 * 4 * 6 + 3 * 3 * 4 * 6 + 6
    assert row.bytes() == 4 * row.memory
    assert row.bytes("int8") == row.memory
    assert row.bytes("dynamic") == 4 * (9 * 8 * 4 + 5 * 4 * 6) + 3 * 3 * 4 * 6 + 6
    assert row.bytes("int4") == 4 * (9 * 8 * 4 + 5 * 4 * 6) + (3 * 3 * 4 * 6 + 6) / 2
    assert row.bytes("int16x8") == 2 * (9 * 8 * 4 + 5 * 4 * 6) + 3 * 3 * 4 * 6 + 6
    assert row.bytes("float16") == 4 * (9 * 8 * 4 + 5 * 4 * 6) + 2 * (3 * 3 * 4 * 6 + 6)
    assert row.intensity("int8") == pytest.approx(row.flops / row.memory)
    assert (row.depth, row.width) == (1, 6)


def test_batch_normalization_trains_two_parameters_a_channel():
    row = analyze(model_of(layers.BatchNormalization())).layers[0]
    assert (row.trainable_parameters, row.parameters, row.multiply_adds, row.flops) == (2 * 4, 4 * 4, 0, 0)
    assert row.memory == 2 * 9 * 8 * 4 + 4 * 4


def test_what_is_not_there_in_inference_moves_nothing():
    found = analyze(model_of(layers.Dropout(0.5), layers.Flatten(), layers.Reshape((-1, 4)), layers.ReLU()))
    assert [row.memory for row in found.layers] == [0, 0, 0, 2 * 9 * 8 * 4]
    assert [row.intensity() for row in found.layers] == [None, None, None, 0]


# By hand, of (height, width, channels) = (8, 6, 4) where nothing else is said: (multiply-adds, depth).
IMAGE = (8, 6, 4)
BY_HAND = [
    (keraslayers.Affine(), 0, 0),
    (keraslayers.AuxiliaryOutput(), 0, 0),
    (keraslayers.ChannelShuffle(2), 0, 0),
    # Offsets: 3*3 taps, 4 channels, 18 numbers at 48 places; then the convolution.
    (keraslayers.DeformableConv2D(5, 3, padding="same"), 9 * 4 * 18 * 48 + 9 * 4 * 5 * 48, 2),
    (keraslayers.DeformableConv2D(6, 3, groups=2, modulated=True), 9 * 4 * 27 * 24 + 9 * 2 * 6 * 24, 2),
    # Four convolutions; W1 of 4 to 1 and W2 of 1 to 4 at the mean.
    (keraslayers.DynamicConv2D(5, 3, padding="same"), 4 * 9 * 4 * 5 * 48 + 4 * 1 + 1 * 4, 2),
    (keraslayers.DynamicConv2D(5, 3, num_kernels=2, routing="sigmoid"), 2 * 9 * 4 * 5 * 24 + 4 * 2, 1),
    (keraslayers.HardSigmoid(), 0, 0),
    (keraslayers.HardSwish(), 0, 0),
    (keraslayers.HardTanh(), 0, 0),
    (keraslayers.ImageKernel2D("sobel_x"), 9 * 4 * 48, 1),
    (keraslayers.LayerScale(), 0, 0),
    (keraslayers.LocalResponseNormalization(), 0, 0),
    (keraslayers.MaxPoolWithIndices2D(), 0, 0),
    (keraslayers.Maxout(2), 0, 0),
    (keraslayers.PaddedConv2D(6, 3, padding=2, padding_mode="edge"), 9 * 4 * 6 * 10 * 8, 1),
    (keraslayers.ReLU6(), 0, 0),
    (keraslayers.Resample2D(scale=2), 0, 0),
    (keraslayers.ShiftLeakyReLU(), 0, 0),
    # The shares of 48 places of each of 4 maps, times x and y.
    (keraslayers.SoftArgmax(), 4 * 48 * 2, 0),
    # A column of 3 to 5 channels between, at 3 x 6 places; a row of 3 to 5 at 3 x 2.
    (keraslayers.SpatialSeparableConv2D(5, 3, strides=2), 3 * 4 * 5 * 3 * 6 + 3 * 5 * 5 * 3 * 2, 2),
    (keraslayers.SqueezeExcite(0.5), 4 * 2 + 2 * 4, 2),
    (keraslayers.TableActivation("tanh"), 0, 0),
    # Queries, keys and values, scores and mixtures of the 6 places of a window, and what puts the heads together.
    (keraslayers.WindowAttention(2, (2, 3)), 4 * 12 * 48 + 2 * 48 * 6 * 4 + 4 * 4 * 48, 0),
    # Windows of 4 x 5 are filled up to 8 x 10; the places that were added are projected and attended to as well.
    (keraslayers.WindowAttention(2, (4, 5)), 4 * 12 * 80 + 2 * 80 * 20 * 4 + 4 * 4 * 48, 0),
    (keraslayers.ClassToken(), 0, 0),
    (keraslayers.LearnedPositions((8, 6)), 0, 0),
    (layers.SeparableConv2D(5, 3, depth_multiplier=2), 9 * 4 * 2 * 24 + 8 * 5 * 24, 2),
    (layers.SeparableConv1D(5, 3), (3 * 4 + 4 * 5) * 46, 2),
    (layers.MaxPooling2D(), 0, 0),
]
OF_TOKENS = (layers.SeparableConv1D, keraslayers.ClassToken, keraslayers.LearnedPositions)


@pytest.mark.parametrize(("layer", "expected", "depth"), BY_HAND, ids=lambda value: getattr(value, "name", None))
def test_multiply_adds_by_hand(layer, expected, depth):
    shape = (48, 4) if isinstance(layer, OF_TOKENS) else IMAGE
    image = keras.Input(shape)
    found = analyze(keras.Model(image, layer(image)))
    (row,) = found.layers
    assert (row.multiply_adds, row.depth, found.unknown) == (expected, depth, ())
    assert row.parameters == sum(math.prod(weight.shape) for weight in layer.weights)


def test_every_layer_of_this_library_tells_its_cost():
    public = [getattr(keraslayers, name) for name in keraslayers.__all__]
    ours = {thing for thing in public if isinstance(thing, type) and issubclass(thing, layers.Layer)}
    # These take two inputs.
    two = {keraslayers.MaxUnpool2D, keraslayers.DynamicDepthwiseConv2D}
    assert ours - {type(row[0]) for row in BY_HAND} == two
    image = keras.Input(IMAGE)
    for places in ((1, 1), IMAGE[:2]):  # one kernel of 3 x 3 for both groups, of all places or of each its own
        kernels = keras.Input((*places, 9 * 2))
        (row,) = analyze(keras.Model([image, kernels], keraslayers.DynamicDepthwiseConv2D(3)([image, kernels]))).layers
        assert (row.multiply_adds, row.activation_products, row.receptive_field) == (9 * 4 * 48, 9 * 4 * 48, (3, 3))
    found = analyze(keras.Model(image, keraslayers.MaxUnpool2D()(keraslayers.MaxPoolWithIndices2D()(image))))
    assert [row.multiply_adds for row in found.layers] == [0, 0]
    assert found.layers[0].output_shape == [(1, 4, 3, 4), (1, 4, 3, 4)]
    assert (found.layers[1].output_shape, found.layers[1].stride) == ((1, 8, 6, 4), (1, 1))


def test_attention_multiplies_weights_and_activations():
    query, value = keras.Input((7, 6)), keras.Input((5, 4))
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=3, value_dim=8)(query, value)
    row = analyze(keras.Model([query, value], attended)).layers[0]
    between = 2 * 7 * 5 * (3 + 8)
    assert row.activation_products == between
    assert row.multiply_adds == between + 2 * (7 * 6 * 3 + 5 * 4 * 3 + 5 * 4 * 8 + 7 * 8 * 6)

    x = keras.Input((7, 6))
    found = analyze(keras.Model(x, layers.MultiHeadAttention(num_heads=2, key_dim=3)(x, x)))
    assert found.multiply_adds == 2 * 7 * 7 * 6 + 2 * 4 * 7 * 6 * 3
    assert found.receptive_field == (7,)
    assert "of which 588 between activations" in str(found)


def test_attention_by_name_with_a_mask_and_along_some_axes():
    query, key, value = keras.Input((7, 6)), keras.Input((5, 3)), keras.Input((5, 4))
    mask = keras.Input((7, 5), dtype="bool")
    layer = layers.MultiHeadAttention(num_heads=2, key_dim=3)
    made = layer(query=query, value=value, key=key, attention_mask=mask)
    row = analyze(keras.Model([query, key, value, mask], made)).layers[0]
    assert row.multiply_adds == 2 * 7 * 5 * (3 + 3) + 2 * (7 * 6 * 3 + 5 * 3 * 3 + 5 * 4 * 3 + 7 * 3 * 6)
    image = keras.Input((4, 5, 6))
    rows = layers.MultiHeadAttention(2, 3, attention_axes=(2,), name="rows")(image, image)
    found = analyze(keras.Model(image, rows))
    assert found.multiply_adds == 4 * (2 * 5 * 5 * 6 + 2 * 4 * 5 * 6 * 3)
    assert (found.unknown, found.receptive_field) == ((), (1, 5))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x: layers.Attention()([x, x]), 7 * 7 * (6 + 6)),
        (lambda x: layers.Dot(axes=2)([x, x]), 7 * 7 * 6),
        (lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), 7 * 7 * 6),
        (lambda x: ops.einsum("bij,bkj->bik", x, x), 7 * 7 * 6),
        (lambda x: ops.matmul(x, np.ones((6, 9), "float32")), 7 * 6 * 9),
        (lambda x: ops.dot(x, np.ones((6, 9), "float32")), 7 * 6 * 9),
        (lambda x: ops.tensordot(x, np.ones((6, 9), "float32"), axes=1), 7 * 6 * 9),
        (lambda x: ops.tensordot(x, np.ones((7, 6, 3), "float32"), axes=((1, 2), (0, 1))), 7 * 6 * 3),
        (lambda x: ops.einsum("bij,jk->bik", x, np.ones((6, 9), "float32")), 7 * 6 * 9),
    ],
)
# Keras's tensordot filters by a comparison that Python is going to forbid.
@pytest.mark.filterwarnings("ignore:NotImplemented should not be used in a boolean context:DeprecationWarning")
def test_products_of_matrices(build, expected):
    x = keras.Input((7, 6))
    found = analyze(keras.Model(x, build(x)))
    assert found.multiply_adds == expected
    assert found.unknown == ()


@pytest.mark.parametrize(
    "build",
    [
        lambda x, kernel: ops.matmul(x, kernel),
        lambda x, kernel: ops.dot(x, kernel),
        lambda x, kernel: ops.tensordot(x, kernel, axes=1),
        lambda x, kernel: ops.einsum("bij,jk->bik", x, kernel),
    ],
)
def test_a_constant_is_read_and_multiplies_each_place_for_itself(build):
    x = keras.Input((7, 6))
    (row,) = analyze(keras.Model(x, build(x, np.ones((6, 9), "float32")))).layers
    assert (row.activation_products, row.weights, row.memory) == (0, 54, 7 * 6 + 54 + 7 * 9)
    assert (row.receptive_field, row.stride) == ((1,), (1,))


def test_a_convolution_and_pooling_by_operations():
    image = keras.Input((8, 6, 4))
    options = {"data_format": "channels_last"}
    kernel = np.ones((3, 3, 4, 5), "float32")
    x = ops.conv(image, kernel, strides=1, padding="same", **options)
    x = ops.max_pool(x, 2, **options)
    x = ops.depthwise_conv(x, np.ones((3, 3, 5, 2), "float32"), **options)
    x = ops.average_pool(x, (1, 1), strides=(2, 1), **options)
    conv, pool, depthwise, last = analyze(keras.Model(image, x)).layers
    # 48 places of 3*3*4*5 products; 2 x 1 places, behind the pool, of 3*3 products in each of 10 channels.
    assert (conv.multiply_adds, conv.flops, conv.weights, conv.activation_products) == (8640, 17040, 180, 0)
    assert (depthwise.multiply_adds, depthwise.weights) == (2 * 90, 90)
    assert [row.depth for row in (conv, pool, depthwise, last)] == [1, 1, 2, 2]
    assert [row.receptive_field for row in (conv, pool, depthwise)] == [(3, 3), (4, 4), (8, 8)]
    assert [row.stride for row in (conv, pool, depthwise, last)] == [(1, 1), (2, 2), (2, 2), (4, 2)]


def test_separable_and_transposed_convolutions_by_operations_cost_what_the_layers_do():
    image = keras.Input((8, 6, 4))
    options = {"strides": 2, "padding": "same", "data_format": "channels_last"}
    depthwise, pointwise = np.ones((3, 3, 4, 2), "float32"), np.ones((1, 1, 8, 5), "float32")
    x = ops.separable_conv(image, depthwise, pointwise, **options)
    x = ops.conv_transpose(x, np.ones((3, 3, 7, 5), "float32"), **options)
    first, second = analyze(keras.Model(image, x)).layers
    # 4 x 3 places of 3*3*4*2 products and of 8*5; then each of them meets a kernel of 3*3*7*5.
    assert (first.multiply_adds, second.multiply_adds) == (12 * (72 + 40), 12 * 315)
    assert (first.weights, second.weights) == (112, 315)
    same = [layers.SeparableConv2D(5, 3, depth_multiplier=2, use_bias=False, **options)]
    same += [layers.Conv2DTranspose(7, 3, use_bias=False, **options)]
    theirs = analyze(keras.Sequential([keras.Input((8, 6, 4)), *same])).layers
    for mine, layer in zip((first, second), theirs, strict=True):
        for told in ("multiply_adds", "flops", "weights", "depth", "receptive_field", "stride", "start"):
            assert getattr(mine, told) == getattr(layer, told)


def test_a_computed_kernel_makes_products_of_activations():
    image, made = keras.Input((8, 6, 4), batch_size=1), keras.Input((3, 4, 5), batch_size=3)
    x = ops.conv(image, made, data_format="channels_last")
    (row,) = analyze(keras.Model([image, made], x)).layers
    assert row.multiply_adds == row.activation_products == 6 * 4 * 180


def test_attention_of_shared_heads():
    """Per head 4 numbers; 4 heads of the query, 2 of key and value."""
    query, value = keras.Input((7, 6)), keras.Input((5, 6))
    # Keras before 3.14 has no gates.
    for gates in (0, 1) if "use_gate" in inspect.signature(layers.GroupQueryAttention).parameters else (0,):
        layer = layers.GroupQueryAttention(4, 4, 2, **({"use_gate": True} if gates else {}))
        (row,) = analyze(keras.Model([query, value], layer(query, value))).layers
        projections = 7 * (2 + gates) * 6 * 16 + 5 * 2 * 6 * 8
        assert (row.multiply_adds, row.activation_products) == (projections + 7 * 5 * 32, 7 * 5 * 32)


def test_attention_with_a_gate():
    """A fifth projection: of the query to as many numbers as the values of all heads."""
    query, value = keras.Input((7, 6)), keras.Input((5, 4))
    # Keras before 3.14 has no gates.
    for gates in (0, 1) if "use_gate" in inspect.signature(layers.MultiHeadAttention).parameters else (0,):
        layer = layers.MultiHeadAttention(2, 3, 8, **({"use_gate": True} if gates else {}))
        (row,) = analyze(keras.Model([query, value], layer(query, value))).layers
        projections = 2 * (7 * 6 * 3 + 5 * 4 * 3 + 5 * 4 * 8 + 7 * 8 * 6) + gates * 2 * 7 * 6 * 8
        between = 2 * 7 * 5 * (3 + 8)
        assert (row.multiply_adds, row.activation_products) == (projections + between, between)


@pytest.mark.parametrize("sequences", [False, True])
def test_a_recurrent_convolution_convolves_twice_in_every_step(sequences):
    layer = layers.ConvLSTM2D(3, 3, return_sequences=sequences, data_format="channels_last")
    (row,) = analyze(model_of(layer, shape=(5, 8, 6, 4))).layers
    # 6 x 4 places of four gates: of the image's 4 channels and of the 3 that are remembered.
    assert row.multiply_adds == 5 * 24 * 9 * (4 + 3) * 12
    assert row.flops == 2 * row.multiply_adds - 5 * 2 * 24 * 12
    assert row.depth == 5


def test_a_normalized_layer_costs_what_it_is():
    inner = layers.Conv2D(5, 3, data_format="channels_last")
    (row,) = analyze(model_of(layers.SpectralNormalization(inner), shape=IMAGE)).layers
    (alone,) = analyze(model_of(layers.Conv2D(5, 3, data_format="channels_last"), shape=IMAGE)).layers
    for what in ("multiply_adds", "flops", "weights", "memory", "depth", "receptive_field"):
        assert getattr(row, what) == getattr(alone, what)


def test_convnext_is_known_whole():
    """4.5 G: Liu et al. 2022, arXiv:2201.03545, table 1; its scales of channels count nothing."""
    found = analyze(keras.applications.ConvNeXtTiny(weights=None), (224, 224, 3))
    assert found.unknown == ()
    assert found.multiply_adds == pytest.approx(4.5e9, abs=0.05e9)  # half of the last digit there is


@pytest.mark.parametrize(("layer", "gates"), [(layers.LSTM, 4), (layers.GRU, 3), (layers.SimpleRNN, 1)])
def test_recurrent_layers_multiply_in_every_step(layer, gates):
    step = gates * (6 * 5 + 5 * 5)
    assert analyze(model_of(layer(5), shape=(7, 6))).multiply_adds == 7 * step
    assert analyze(model_of(layers.Bidirectional(layer(5)), shape=(7, 6))).multiply_adds == 2 * 7 * step


def test_an_embedding_reads_the_rows_it_looks_up():
    row = analyze(model_of(layers.Embedding(1000, 16), shape=(5,), dtype="int32")).layers[0]
    assert (row.parameters, row.weights, row.memory) == (16_000, 5 * 16, 5 + 5 * 16 + 5 * 16)


def test_a_shared_layer_costs_at_every_call_and_has_its_parameters_once():
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    image = keras.Input(IMAGE)
    found = analyze(keras.Model(image, shared(shared(image))))
    once = 9 * 4 * 4 * 48
    assert [row.multiply_adds for row in found.layers] == [once, once]
    assert [row.parameters for row in found.layers] == [9 * 16 + 4, 0]
    assert [row.weights for row in found.layers] == [9 * 16 + 4, 9 * 16 + 4]
    assert found.parameters == shared.count_params()
    assert [row.receptive_field for row in found.layers] == [(3, 3), (5, 5)]


def test_nested_models_are_laid_open_and_named():
    inner = keras.Sequential([keras.Input(IMAGE), layers.Conv2D(4, 1, name="conv")], name="inner")
    image = keras.Input((16, 12, 4))
    half = layers.MaxPooling2D(name="half")(image)
    model = keras.Model(image, inner(keras.Sequential([inner], name="outer")(half)))
    found = analyze(model)
    assert [row.name for row in found.layers] == ["half", "outer/inner/conv", "inner/conv"]
    assert found.multiply_adds == 2 * 4 * 4 * 48
    assert found.parameters == model.count_params() == 20
    assert keraslayers.receptive_field(model, "outer/inner/conv") == (2, 2)


class Twice(layers.Layer):
    def call(self, inputs):
        return inputs * 2


class Told(Twice):
    def call_cost(self, input_shape, output_shape):
        return Cost(multiply_adds=math.prod(output_shape))


class Wrong(Twice):
    def call_cost(self, input_shape, output_shape):
        return 3


class OtherConvolution(layers.Conv2D):
    def call(self, inputs):
        return super().call(inputs * 2)


@pytest.mark.parametrize("unknown", [Twice, lambda name: OtherConvolution(4, 1, name=name)], ids=["layer", "subclass"])
def test_a_layer_that_nobody_knows_is_named(unknown):
    found = analyze(model_of(layers.Conv2D(4, 1), unknown(name="mystery"), layers.ReLU()))
    first, row, last = found.layers
    assert found.unknown == ("mystery",)
    assert (row.multiply_adds, row.flops, row.memory, row.bytes(), row.intensity()) == (None,) * 5
    assert (row.receptive_field, last.receptive_field, found.receptive_field) == (None,) * 3
    assert (first.receptive_field, last.multiply_adds) == ((1, 1), 0)
    assert found.to_dict()["total"]["unknown"] == ["mystery"]
    assert found.to_dict()["layers"][1]["multiply_adds"] is None
    assert "at least 1,152" in str(found)
    assert "unknown, and in no total: mystery" in str(found)


def test_any_layer_can_tell_its_cost():
    found = analyze(model_of(Told()))
    assert (found.multiply_adds, found.flops, found.unknown) == (9 * 8 * 4, 2 * 9 * 8 * 4, ())
    with pytest.raises(TypeError, match=r"`call_cost` of the layer 'wrong' \(Wrong\) must return a keraslayers.Cost"):
        analyze(model_of(Wrong(name="wrong")))


def test_a_lambda_is_unknown():
    assert analyze(model_of(layers.Lambda(lambda x: x, name="code"))).unknown == ("code",)


def test_operations_are_known_or_named():
    image = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3, padding="same", name="conv")(image)
    x = ops.relu(x + 1.0) * ops.sigmoid(x)
    x = ops.concatenate([x[..., :2], ops.transpose(x, (0, 1, 2, 3))[..., 2:]], axis=-1)
    assert analyze(keras.Model(image, x)).unknown == ()
    assert analyze(keras.Model(image, x)).receptive_field == (3, 3)
    sorted_ = analyze(keras.Model(image, ops.sort(x)))
    assert [name.startswith("sort") for name in sorted_.unknown] == [True]


def test_depth_is_the_longest_path_and_width_the_widest_layer():
    image = keras.Input(IMAGE)
    short = layers.Conv2D(7, 1)(image)
    long = layers.Conv2D(7, 1)(layers.DepthwiseConv2D(3, padding="same")(layers.Conv2D(9, 1)(image)))
    found = analyze(keras.Model(image, layers.Dense(2)(layers.Flatten()(short + long))))
    assert (found.depth, found.width) == (3, 9)


def test_sizes_left_open_are_told():
    model = model_of(layers.Conv2D(5, 3, padding="same"), layers.GlobalMaxPooling2D(), shape=(None, None, 4))
    assert analyze(model, (10, 20, 4)).multiply_adds == 9 * 4 * 5 * 200
    with pytest.raises(ValueError, match=r"`analyze`: `input_shape` must be given, since the model 'sequential.*'"):
        analyze(model)
    with pytest.raises(ValueError, match=r"must be one that the model .* takes, \(None, None, 4\); got \(10, 20, 3\)"):
        analyze(model, (10, 20, 3))
    with pytest.raises(ValueError, match="`input_shape` must be at least 1; got 0"):
        analyze(model, (10, 0, 4))


def test_several_inputs_take_several_shapes():
    left, right = keras.Input((None, 4), name="left"), keras.Input((3,), name="right")
    made = layers.Concatenate()([layers.GlobalMaxPooling1D()(layers.Conv1D(5, 3)(left)), right])
    for inputs, shapes in (
        ([left, right], [(10, 4), (3,)]),
        ({"left": left, "right": right}, {"right": (3,), "left": (10, 4)}),
    ):
        found = analyze(keras.Model(inputs, made), shapes)
        assert found.multiply_adds == 8 * 3 * 4 * 5
        assert sorted(found.inputs) == [(1, 3), (1, 10, 4)]
    with pytest.raises(ValueError, match="must hold a shape for each of the 2 inputs"):
        analyze(keras.Model([left, right], made), [(10, 4)])


def test_a_fixed_batch_is_counted_whole():
    found = analyze(model_of(layers.Conv2D(5, 1), batch_size=3))
    assert (found.inputs, found.multiply_adds) == (((3, 9, 8, 4),), 3 * 72 * 20)


def test_a_model_that_is_code_is_refused():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match=r"`analyze`: `model` 'code' is a subclassed model: its `call` is code"):
        analyze(Subclassed(name="code"))
    with pytest.raises(TypeError, match="`analyze`: `model` must be a Keras model; got str"):
        analyze("resnet50")


def test_a_model_is_the_same_after_its_analysis():
    layer = layers.Conv2D(4, 3)
    model = model_of(layer)
    calls = len(layer._inbound_nodes)
    analyze(model)
    assert len(layer._inbound_nodes) == calls


def test_channels_first():
    first = keras.Sequential(
        [
            keras.Input((4, 9, 8)),
            layers.Conv2D(6, 3, strides=2, data_format="channels_first"),
            keraslayers.SqueezeExcite(data_format="channels_first"),
        ]
    )
    last = model_of(layers.Conv2D(6, 3, strides=2), keraslayers.SqueezeExcite())
    for one, other in zip(analyze(first).layers, analyze(last).layers, strict=True):
        assert (one.multiply_adds, one.receptive_field, one.width) == (
            other.multiply_adds,
            other.receptive_field,
            other.width,
        )


def test_channels_that_meet_behind_channels_first_keep_their_places():
    """Concatenate and ReLU have no format of their own, and Keras's setting is another."""
    image = keras.Input((4, 9, 8))
    conv = layers.Conv2D(6, 3, padding="same", data_format="channels_first")(image)
    joined = layers.ReLU()(layers.Concatenate(axis=1)([conv, image]))
    rows = analyze(keras.Model(image, joined)).layers
    assert [row.receptive_field for row in rows] == [(3, 3)] * 3
    assert [row.width for row in rows] == [6, 10, 10]


def test_to_dict_is_json_and_adds_up():
    found = analyze(model_of(layers.Conv2D(5, 3, name="conv"), layers.UpSampling2D(), layers.Conv2D(2, 3)))
    assert isinstance(found, Analysis)
    assert all(isinstance(row, LayerAnalysis) for row in found.layers)
    read = json.loads(json.dumps(found.to_dict()))
    for what in ("parameters", "multiply_adds", "flops", "memory"):
        assert read["total"][what] == sum(row[what] for row in read["layers"]) == getattr(found, what) > 0
    assert read["total"]["bytes"]["int8"] == found.bytes("int8") == found.memory
    assert read["total"]["intensity"] == pytest.approx(found.flops / found.bytes())
    assert read["layers"][1]["stride"] == [0.5, 0.5]
    assert read["layers"][0]["name"] == "conv"
    with pytest.raises(ValueError, match=r"`bytes`: `precision` must be one of .* Did you mean 'int8'"):
        found.bytes("int9")


def test_the_table_has_every_layer_and_the_totals():
    found = analyze(model_of(layers.Conv2D(5, 3, name="conv[1]"), layers.ReLU(name="relu")))
    conv, relu = (next(line for line in str(found).splitlines() if name in line) for name in ("conv[1]", "relu"))
    assert conv.split() == ["conv[1]", "1x7x6x5", "185", "7,560", "683", "3x3", "1x1", "0,0", "5.46", "1", "Conv2D"]
    assert relu.split() == ["relu", "1x7x6x5", "0", "0", "420", "3x3", "1x1", "0,0", "0.00", "1", "ReLU"]
    assert "parameters 185, of which 185 are trained" in str(found)
    assert "memory access 1,103 elements" in str(found)


@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_plot_draws_what_was_counted(name, tmp_path):
    pytest.importorskip("matplotlib")
    found = analyze(model_of(layers.Conv2D(5, 3), layers.Conv2D(5, 3)))
    found.plot(tmp_path / name)
    written = (tmp_path / name).read_bytes()
    assert written.startswith(b"\x89PNG") if name == "a.png" else b"</svg>" in written
    with pytest.raises(FileNotFoundError, match=r"`Analysis.plot`: `path`: there is no folder .*missing'; make it"):
        found.plot(tmp_path / "missing" / name)
    with pytest.raises(ValueError, match=r"`Analysis.plot`: `path` must end in .png, .svg, .pdf; got .*a.bmp'"):
        found.plot(tmp_path / "a.bmp")


def test_this_backend_counts_as_the_others_do():
    """A net with whatever a backend computes shapes of by itself."""
    image = keras.Input((32, 32, 3))
    x = layers.Conv2DTranspose(4, 5, strides=2, padding="same")(layers.Conv2D(4, 3, dilation_rate=2)(image))
    found = analyze(keras.Model(image, ops.image.resize(ops.pad(x, ((0, 0), (1, 2), (0, 0), (0, 0))), (20, 20))))
    assert found.unknown == (), backend.BACKEND
    assert found.multiply_adds == 28 * 28 * 27 * 4 + 28 * 28 * 25 * 16
