"""Receptive fields, against the gradients of the real models."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

import keraslayers
from keraslayers import Window, analyze, models, receptive_field
from keraslayers.analysis import cost
from tests import backend
from tests.cases import CASES
from tests.model_tools import randomize


def slope_of(model):
    """A function of inputs and a mask: the gradient of the sum of the outputs under the mask."""
    return backend.slope(lambda x, mask: ops.sum(model(x) * mask))


def mask_of(model, index):
    mask = np.zeros((1, *model.output_shape[1:]), "float32")
    mask[(0, *index)] = 1
    return mask


def seen(model, places):
    """Yields the first and last pixel, an axis each, that have a gradient to each place of a model's output.

    The input grows from the first pixel to the last, and then the other way round, so that the last and then the first
    place of a window is its maximum.
    """
    shape = model.input_shape[1:]
    ramp = sum(np.indices(shape[:-1])) + 1.0
    slope = slope_of(model)
    for place in places:
        pixels = []
        for way in (ramp, np.flip(ramp)):
            x = np.broadcast_to(way[None, ..., None] / ramp.max(), (1, *shape)).astype("float32")
            gradient = slope(x, mask_of(model, place))
            assert np.isfinite(gradient).all()
            pixels.append(np.argwhere(np.any(gradient[0] != 0, axis=-1)))
        pixels = np.concatenate(pixels)
        yield pixels.min(0), pixels.max(0)


def positive(model):
    """Gives all kernels weights above zero which no way through the network can make vanish."""
    for layer in model.layers:
        for weight in layer.weights:
            name = weight.path.split("/")[-1]
            if name.endswith("kernel") or name == "embeddings":
                # Not over the taps: a way along their edge keeps its size, ways through the middle grow.
                summed = 1 if "depthwise" in weight.path else weight.shape[-2]
                weight.assign(np.full(weight.shape, 1 / summed, "float32"))
            elif name in ("bias", "beta", "moving_mean"):
                weight.assign(np.zeros(weight.shape, "float32"))
    return model


def check(model, row):
    """The middle place of the model sees exactly what the row says."""
    place = [size // 2 for size in model.output_shape[1:-1]]
    ((first, last),) = seen(positive(model), [place])
    started = [start + at * stride for start, at, stride in zip(row.start, place, row.stride, strict=True)]
    assert (list(first), list(last - first + 1)) == (started, list(row.receptive_field))
    # Otherwise the border would hide an error.
    assert (first > 0).all()
    assert (last < np.array(model.input_shape[1:-1]) - 1).all()


CHAINS = {
    "valid": ((40, 40, 2), [layers.Conv2D(2, 3), layers.Conv2D(2, 5)]),
    "strides": ((64, 64, 2), [layers.Conv2D(2, 3, strides=2, padding="same") for _ in range(3)]),
    "even_kernels": ((61, 60, 2), [layers.Conv2D(2, 4, strides=2, padding="same") for _ in range(3)]),
    "sides_differ": ((48, 70, 2), [layers.Conv2D(2, (3, 5), strides=(1, 2)), layers.Conv2D(2, (5, 2), strides=(2, 1))]),
    "dilation": ((60, 60, 2), [layers.Conv2D(2, 3, dilation_rate=4, padding="same"), layers.Conv2D(2, 3)]),
    "depthwise": ((40, 40, 2), [layers.DepthwiseConv2D(3, strides=2), layers.SeparableConv2D(2, 5)]),
    "groups": ((40, 40, 4), [layers.Conv2D(4, 3, groups=2), layers.Conv2D(4, 3, strides=2)]),
    "average_pooling": ((48, 48, 2), [layers.AveragePooling2D(3, 2, "same"), layers.Conv2D(2, 3)]),
    "max_pooling": ((48, 48, 2), [layers.Conv2D(2, 3), layers.MaxPooling2D(3, 2), layers.MaxPooling2D()]),
    "padding": ((40, 40, 2), [layers.ZeroPadding2D(((3, 1), (0, 2))), layers.Conv2D(2, 3, strides=2)]),
    "cropping": ((40, 40, 2), [layers.Cropping2D(((3, 1), (0, 2))), layers.Conv2D(2, 3, strides=2)]),
    "one_dimension": ((60, 3), [layers.Conv1D(2, 5, strides=2), layers.MaxPooling1D(2), layers.Conv1D(2, 3)]),
    "causal": ((60, 3), [layers.Conv1D(2, 3, padding="causal", dilation_rate=d) for d in (1, 2, 4)]),
    "three_dimensions": (
        (14, 16, 18, 2),
        [layers.Conv3D(2, (2, 3, 4)), layers.AveragePooling3D(2), layers.Conv3D(2, 2)],
    ),
    "dense_of_maps": ((40, 40, 2), [layers.Conv2D(2, 3), layers.Dense(3), layers.BatchNormalization()]),
    "padded": (
        (40, 40, 2),
        [keraslayers.PaddedConv2D(2, 3, padding=2), keraslayers.PaddedConv2D(2, 3, 2, padding="full")],
    ),
    "spatial_separable": ((40, 40, 2), [keraslayers.SpatialSeparableConv2D(2, (3, 5), strides=2, padding="same")]),
    "image_kernel": ((40, 40, 2), [keraslayers.ImageKernel2D("box_blur", strides=2)]),
    "shuffle": ((40, 40, 4), [layers.Conv2D(4, 3), keraslayers.ChannelShuffle(2), layers.Conv2D(4, 3, strides=2)]),
    "stock_shuffle": (
        (30, 30, 4),
        [
            layers.Conv2D(4, 3, strides=2),
            layers.Reshape((14, 14, 2, 2)),
            layers.Permute((1, 2, 4, 3)),
            layers.Reshape((14, 14, 4)),
            layers.Conv2D(4, 3),
        ],
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_layers(name):
    shape, chain = CHAINS[name]
    model = keras.Sequential([keras.Input(shape), *chain])
    check(model, analyze(model).layers[-1])


def test_branches_see_what_the_widest_sees():
    image = keras.Input((48, 48, 2))
    short = layers.Conv2D(2, 1, strides=2)(image)
    down = layers.Conv2D(2, (7, 1), strides=2, padding="same")(image)
    across = layers.Conv2D(2, 3, padding="same")(layers.AveragePooling2D(3, 2, "same")(image))
    model = keras.Model(image, layers.Concatenate()([short, down]) + layers.Concatenate()([across, short]))
    row = analyze(model).layers[-1]
    check(model, row)
    assert (row.receptive_field, row.stride) == ((7, 7), (2, 2))


def test_a_join_moves_as_far_as_the_finer_branch():
    """Where one branch sees everything, the places are those of the other, whichever comes first."""
    everything = Window(math.inf, 8, -math.inf)
    for window in (everything | Window(3, 2, -1), Window(3, 2, -1) | everything):
        assert (window.size, window.stride) == (math.inf, 2)
    # Two of the same stride: from the first place that either sees to the last.
    assert Window(3, 2, -1) | Window(5, 2, 0) == Window(6, 2, -1)
    assert Window(3, 2) | Window(3, 1) is None
    image = keras.Input((24, 24, 2))
    fine, coarse = layers.Conv2D(2, 3, padding="same")(image), layers.GlobalAveragePooling2D(keepdims=True)(image)
    row = analyze(keras.Model(image, layers.Add()([coarse, fine]))).layers[-1]
    assert (row.receptive_field, row.stride) == ((24, 24), (1, 1))


def test_reshapes_that_make_other_places():
    """What a vector or all of an image becomes sees everything; other places follow no window."""
    assert cost.reshaping((1, 12), (1, 2, 2, 3), 2).window == cost.EVERYWHERE
    assert cost.reshaping((1, 4, 4, 3), (1, 48), 2).window == cost.EVERYWHERE
    assert cost.reshaping((1, 4, 4, 3), (1, 2, 8, 3), 2).window is None
    assert cost.reshaping((1, 4, 4, 6), (1, 4, 4, 2, 3), 2).window == Window()


# Where an output is larger than what made it, places see more or less: the widest is told.
LARGER = {
    "transposed": [layers.Conv2DTranspose(2, 5, strides=2)],
    "transposed_same": [layers.Conv2DTranspose(2, 4, strides=2, padding="same")],
    "transposed_dilated": [layers.Conv2DTranspose(2, 3, dilation_rate=2)],
    "transposed_gaps": [layers.Conv2DTranspose(2, 3, strides=2), layers.Conv2D(2, 3)],
    "up_sampling": [layers.Conv2D(2, 3, strides=2), layers.UpSampling2D(2), layers.Conv2D(2, 3)],
    "up_sampling_bilinear": [layers.AveragePooling2D(2), layers.UpSampling2D(2, interpolation="bilinear")],
    "resample": [keraslayers.Resample2D(size=55)],
    "resample_down": [keraslayers.Resample2D(size=13)],
    "antialias": [keraslayers.Resample2D(size=12, antialias=True)],
    "antialias_up": [keraslayers.Resample2D(size=160, antialias=True)],
    "nearest": [keraslayers.Resample2D(size=14, method="nearest")],
    "adaptive": [layers.AdaptiveAveragePooling2D((12, 7))],
    "unpooling": [layers.MaxPooling2D(2), layers.UpSampling2D(4)],
}


@pytest.mark.parametrize("name", LARGER)
def test_where_places_differ_none_sees_more_than_is_told(name):
    model = positive(keras.Sequential([keras.Input((40, 40, 2)), *LARGER[name]]))
    row = analyze(model).layers[-1]
    widest = np.zeros(2, int)
    height, width = model.output_shape[1:3]
    places = [(height // 2 + i, width // 2 + i) for i in range(-3, 4)]
    for place, (first, last) in zip(places, seen(model, places), strict=True):
        widest = np.maximum(widest, last - first + 1)
        # The window of the layer that enlarges moves on by one of its places at a time.
        started = [start + at * stride for start, at, stride in zip(row.start, place, row.stride, strict=True)]
        assert (np.abs(first - started) < 4).all(), (place, first, started)
    assert tuple(widest) == row.receptive_field


NETWORKS = [
    ("resnet18", {}, (360, 360, 1), "stage3_unit1_add"),
    ("resnet18", {"padding": "symmetric"}, (360, 360, 1), "stage3_unit1_add"),
    ("squeezenet", {}, (280, 280, 1), None),
    ("googlenet", {"batch_norm": True}, (280, 280, 1), None),
    ("shufflenet_v2", {"alpha": 0.5}, (300, 300, 1), None),
    ("densenet121", {}, (230, 230, 1), None),
]


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("name", "options", "shape", "layer"), NETWORKS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_classic_network(name, options, shape, layer):
    network = models.create(name, input_shape=shape, include_top=False, **options)
    found = analyze(network)
    if layer is None:  # the last that still sees a part of the image, with room around it
        names = {layer.name for layer in network.layers}
        row = [row for row in found.layers if row.receptive_field[0] < shape[0] * 0.6 and row.name in names][-1]
    else:
        row = next(row for row in found.layers if row.name == layer)
    model = keras.Model(network.input, network.get_layer(row.name).output)
    check(model, row)
    assert receptive_field(network, row.name) == row.receptive_field
    assert receptive_field(network, network.get_layer(row.name)) == row.receptive_field


IMAGES = [case for case in CASES if len(case.input_shape) == 3 and hasattr(case.layer, "call_cost")]


@pytest.mark.sweep
@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.name)
def test_no_layer_sees_more_than_it_tells(case):
    """The windows of every layer of this library in every way it is used here, with random weights."""
    image = keras.Input(case.input_shape)
    layer = case.make()
    made = layer(image)
    model = keras.Model(image, made[0] if isinstance(made, list | tuple) else made)
    randomize(model)
    row = analyze(model).layers[0]
    first_axis = 1 if getattr(layer, "data_format", None) == "channels_first" else 0
    axes = [first_axis, first_axis + 1]
    if len(model.output_shape) < 4:  # points, or a mean: of all the image
        assert row.receptive_field == tuple(case.input_shape[axis] for axis in axes)
        return
    out = [model.output_shape[1:][axis] for axis in axes]
    x, slope = case.inputs(1).astype("float32") * case.weight_scale, slope_of(model)
    for place in np.ndindex(*out):
        gradient = slope(x, mask_of(model, (slice(None), *place) if first_axis else place))
        # The mask of attention takes 100 from a score, which lets e^-100 of a stranger through.
        pixels = np.argwhere(np.any(np.abs(gradient[0]) > 1e-30, axis=0 if first_axis else 2))
        if len(pixels) == 0:
            continue
        for axis in (0, 1):
            start = row.start[axis] + place[axis] * row.stride[axis]
            if row.receptive_field[axis] >= case.input_shape[axes[axis]]:
                continue  # all of it
            mirrored = getattr(layer, "padding_mode", "zeros") != "zeros"
            low, high = (-math.inf, math.inf) if mirrored else (start, start + row.receptive_field[axis] - 1)
            slack = 1 if row.stride[axis] != int(row.stride[axis]) else 0
            assert low - slack <= pixels[:, axis].min(), (place, row)
            assert pixels[:, axis].max() <= high + slack, (place, row)


def test_what_pools_the_image_sees_all_of_it():
    image = keras.Input((20, 30, 4))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(image)
    x = keraslayers.SqueezeExcite(name="gate")(x)
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="after")(x)
    model = keras.Model(image, layers.Dense(2, name="dense")(layers.GlobalAveragePooling2D(name="mean")(x)))
    for name in ("gate", "after", "mean", "dense"):
        assert receptive_field(model, name) == (20, 30)
    rows = {row.name: row for row in analyze(model).layers}
    assert (rows["after"].stride, rows["after"].start) == ((4, 4), (0, 0))
    assert rows["mean"].stride == (20, 30)


def test_what_lies_side_by_side_follows_no_window():
    image = keras.Input((20, 30, 4))
    x = layers.Conv2D(4, 3, padding="same")(image)
    for moved in (
        layers.Concatenate(axis=1)([x, image]),
        layers.Permute((2, 1, 3))(x),
        x[:, ::-1],
        x[:, 3:9],
        ops.flip(x, 1),
        layers.Concatenate()([x, x[:, :, ::-1]]),
    ):
        found = analyze(keras.Model(image, moved))
        assert (found.unknown, found.receptive_field) == ((), None)


def test_steps_of_a_time_see_their_own():
    frames = keras.Input((5, 20, 20, 2))
    x = layers.TimeDistributed(layers.Conv2D(4, 3))(frames)
    assert analyze(keras.Model(frames, x)).receptive_field == (1, 3, 3)
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)
    assert analyze(keras.Model(frames, x)).receptive_field == (1, 20, 20)
    words = keras.Input((7, 6))
    made = layers.TimeDistributed(layers.Dense(3))(layers.Conv1D(4, 3)(words))
    assert analyze(keras.Model(words, made)).receptive_field == (3,)


def test_receptive_field_refuses_what_it_cannot_find():
    shared = layers.Conv2D(4, 3, name="twice")
    image = keras.Input((20, 20, 4))
    model = keras.Model(image, shared(shared(image)), name="net")
    with pytest.raises(ValueError, match=r"`receptive_field`: `layer` 'twice' is called 2 times"):
        receptive_field(model, "twice")
    with pytest.raises(ValueError, match=r"`receptive_field`: `layer` must be one of 'twice'; got 'twize'. Did you"):
        receptive_field(model, "twize")
    with pytest.raises(ValueError, match=r"must be one of the model 'net'; got 'other', which is not"):
        receptive_field(model, layers.ReLU(name="other"))
    with pytest.raises(TypeError, match="`layer` must be a layer of the model or its name; got 3"):
        receptive_field(model, 3)


def test_receptive_field_takes_models_of_any_size():
    model = models.ResNet50(include_top=False, input_shape=(None, None, 3))
    assert receptive_field(model, model.layers[-1]) == (427, 427)


def test_windows_behind_each_other():
    three, half = Window(3, 2, -1), Window(1, 0.5, 0)
    assert three.after(three) == Window(7, 4, -3)
    assert half.after(three) == Window(3, 1.0, -1)
    assert three | Window(5, 2, 0) == Window(6, 2, -1)
    assert three | Window(3, 1, 0) is None
    assert (three | Window(math.inf)).size == math.inf
