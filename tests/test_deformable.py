"""What deformable convolution promises beyond the laws of every layer."""

import itertools

import keras
import numpy as np
import pytest

from keraslayers import DeformableConv2D, deform_conv2d
from keraslayers.export import to_tflite
from keraslayers.export.passes import bound_deformable
from tests import backend, oracles
from tests.export_models import enliven, needs_gpu, samples

# The common reference: every option at once, with offsets that cross the border.
REFERENCE = {
    "strides": (2, 1),
    "padding": (1, 0),
    "dilation_rate": (2, 1),
    "groups": 2,
    "offset_groups": 3,
}


def reference(modulated=True, seed=0):
    random = np.random.default_rng(seed)
    shapes = {"inputs": (2, 5, 4, 6), "offsets": (2, 2, 3, 36), "kernel": (3, 2, 3, 2), "mask": (2, 2, 3, 18)}
    arrays = {name: random.normal(size=shape) for name, shape in shapes.items()} | {"bias": random.normal(size=2)}
    return arrays if modulated else arrays | {"mask": None}


def rejudged(arrays, options):
    return oracles.deform_conv2d(*(arrays[name] for name in ("inputs", "offsets", "kernel", "mask", "bias")), options)


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("jit", [False, True])
def test_reference(modulated, jit):
    arrays = reference(modulated)
    single = {name: None if array is None else array.astype("float32") for name, array in arrays.items()}
    compile_ = backend.jitted if jit else backend.compiled
    outputs = compile_(lambda **more: deform_conv2d(**more, **REFERENCE))(**single)
    assert outputs.shape == (2, 2, 3, 2)
    np.testing.assert_allclose(outputs, rejudged(arrays, REFERENCE), rtol=1e-5, atol=1e-5)


VARIANTS = [
    {"strides": strides, "dilation_rate": dilation, "groups": groups, "offset_groups": parts, "padding": padding}
    for (strides, dilation), (groups, parts), padding in itertools.product(
        [(1, 1), ((2, 1), 1), (1, (1, 2)), (2, 2)],
        [(1, 1), (2, 3), (6, 2)],
        ["valid", "same", "full", ((1, 0), (0, 2))],
    )
]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("options", VARIANTS, ids=lambda options: "-".join(map(str, options.values())))
def test_every_combination_of_options(options):
    random = np.random.default_rng(1)
    inputs, kernel = random.normal(size=(1, 6, 5, 6)), random.normal(size=(2, 3, 6 // options["groups"], 6))
    layer = DeformableConv2D(6, (2, 3), **options)
    _, height, width, _ = layer.compute_output_shape(inputs.shape)
    offsets = random.normal(size=(1, height, width, 12 * options["offset_groups"]))
    outputs = deform_conv2d(inputs, offsets, kernel, **options)
    # 18 products in 52 bits.
    np.testing.assert_allclose(outputs, oracles.deform_conv2d(inputs, offsets, kernel, None, None, options), atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("max_offset", [None, 1])
def test_gradients_of_every_argument_equal_numeric_ones(max_offset):
    arrays, options = reference(), {**REFERENCE, "max_offset": max_offset}
    towards = np.random.default_rng(2).normal(size=(2, 2, 3, 2))

    @backend.compiled
    def loss(*tensors):
        outputs = deform_conv2d(**dict(zip(arrays, tensors, strict=True)), **options)
        return keras.ops.sum(outputs * keras.ops.convert_to_tensor(towards))

    gradients = backend.gradients(loss, list(arrays.values()))
    for (name, array), gradient in zip(arrays.items(), gradients, strict=True):
        numeric = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = array.copy()
                moved[place] += step
                ends.append(float(loss(*(arrays | {name: moved}).values())))
            numeric[place] = (ends[0] - ends[1]) / 2e-6
        # The loss of about ten rounds at 1e-15, divided by 2e-6.
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7, err_msg=name)


def one_pixel(y, x, size=3, dtype="float64"):
    """An image of 1, 2, 3, ... seen through one tap of 1 that is moved by (y, x) from its top left pixel."""
    image = np.arange(1, size * size + 1).reshape(1, size, size, 1).astype(dtype)
    offsets = np.array([y, x], dtype).reshape(1, 1, 1, 2)

    def value(offsets):
        return deform_conv2d(image, offsets, np.ones((1, 1, 1, 1), dtype), strides=size)[0, 0, 0, 0]

    (gradient,) = backend.gradients(value, [offsets])
    return float(value(offsets)), gradient.ravel().tolist()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("y", "x", "value", "slope"),
    [
        (0.25, 0.5, 1 + 0.25 * 3 + 0.5, [3, 1]),
        # At a whole number the slope is that of the interval above.
        (1, 1, 5, [3, 1]),
        (2, 2, 9, [-9, -9]),
        # Each neighbour outside counts as zero.
        (-0.5, 0, 0.5, [1, 0.5]),
        (2.75, 0, 7 * 0.25, [-7, 0.25]),
        # At -1 and at the size nothing is left; above -1 the image begins.
        (-1, 0, 0, [1, 0]),
        (0, -1.5, 0, [0, 0]),
        (3, 0, 0, [0, 0]),
        (0, 1e30, 0, [0, 0]),
        (-1e30, 0, 0, [0, 0]),
    ],
)
def test_border(y, x, value, slope):
    assert one_pixel(y, x) == (value, slope)


@pytest.mark.parametrize(
    "options",
    [{}, {"padding": "same", "strides": 2}, {"dilation_rate": 2}, {"groups": 2}, {"max_offset": 1, "modulated": True}],
    ids=str,
)
def test_starts_as_a_plain_convolution(options):
    plain = {name: value for name, value in options.items() if name not in ("max_offset", "modulated")}
    x = samples(3, (9, 8, 4))
    ours, theirs = DeformableConv2D(6, (3, 2), **options), keras.layers.Conv2D(6, (3, 2), **plain)
    ours(x), theirs(x)
    ours.kernel.assign(theirs.kernel)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-5)  # 24 products in 24 bits
    assert ours.compute_output_shape(x.shape) == theirs.compute_output_shape(x.shape)


@pytest.mark.parametrize("where", ["inputs", "offsets"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("jit", [False, True])
def test_what_is_not_finite_gives_nan_where_it_is_met(where, value, jit):
    run = (backend.jitted if jit else backend.compiled)(lambda *tensors: deform_conv2d(*tensors, padding="same"))
    arrays = {"inputs": np.ones((1, 9, 9, 1)), "offsets": np.zeros((1, 9, 9, 18)), "kernel": np.ones((3, 3, 1, 1))}
    arrays[where][0, 4, 4, 0] = value
    outputs = run(*(array.astype("float32") for array in arrays.values()))
    met = np.isnan(keras.ops.convert_to_numpy(outputs))[0, ..., 0]
    # An offset moves one output. A pixel is seen by nine, and is the neighbour of weight zero of those around them.
    expected = np.zeros((9, 9), bool)
    if where == "offsets":
        expected[4, 4] = True
    else:
        expected[2:6, 2:6] = True
    np.testing.assert_array_equal(met, expected)


def test_a_layer_answers_nan_with_nan_as_a_plain_convolution_does():
    layer, x = DeformableConv2D(2, 3, padding="same", offset_initializer="normal"), samples(2, (9, 9, 3))
    clean = keras.ops.convert_to_numpy(layer(x))
    x[1, 8, 8, 0] = np.nan
    outputs = keras.ops.convert_to_numpy(layer(x))
    assert np.isnan(outputs[1, 7:, 7:]).all()
    np.testing.assert_array_equal(outputs[0], clean[0])
    np.testing.assert_array_equal(outputs[1, :5, :5], clean[1, :5, :5])


def test_mixed_dtypes_keep_the_inputs_and_the_offsets_precision():
    arrays = reference()
    halves = {name: array.astype("float32" if name == "offsets" else "float16") for name, array in arrays.items()}
    outputs = deform_conv2d(**halves, **REFERENCE)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    np.testing.assert_allclose(outputs, rejudged(arrays, REFERENCE), atol=0.05)  # 18 products in 11 bits
    # A thousand pixels out a half is off by half a pixel.
    assert one_pixel(999.25, 0, size=1100, dtype="float32")[0] == 1 + 999.25 * 1100


def test_clipped_offsets_get_no_gradient():
    arrays = {name: array.astype("float32") for name, array in reference().items()}
    offsets = arrays["offsets"]

    def outputs(offsets, **bound):
        return deform_conv2d(**arrays | {"offsets": offsets}, **REFERENCE, **bound)

    (gradient,) = backend.gradients(lambda offsets: keras.ops.sum(outputs(offsets, max_offset=1)), [offsets])
    assert not gradient[np.abs(offsets) > 1].any()
    assert gradient[np.abs(offsets) < 1].any()
    np.testing.assert_allclose(outputs(offsets, max_offset=1), outputs(np.clip(offsets, -1, 1)))


def test_function_of_several_symbolic_tensors(tmp_path):
    image, offsets = keras.Input((None, None, 6), name="image"), keras.Input((None, None, 36), name="offsets")
    mask = keras.layers.Conv2D(18, 1)(offsets)
    kernel = reference()["kernel"].astype("float32")
    model = keras.Model([image, offsets], deform_conv2d(image, offsets, kernel, mask, [1.0, 2.0], **REFERENCE))
    assert model.output.shape == (None, None, None, 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    arrays = {name: array for name, array in reference().items() if name in ("inputs", "offsets")}
    single = [array.astype("float32") for array in arrays.values()]
    masks = keras.ops.convert_to_numpy(model.layers[-2](single[1]))
    expected = rejudged({**arrays, "kernel": kernel, "mask": masks, "bias": np.array([1.0, 2.0])}, REFERENCE)
    for made in (model, loaded):
        np.testing.assert_allclose(made(single), expected, rtol=1e-5, atol=1e-5)


def test_channels_first():
    last, x = reference(), np.moveaxis
    first = {name: x(array, -1, 1) if name in ("inputs", "offsets", "mask") else array for name, array in last.items()}
    outputs = deform_conv2d(**first, **REFERENCE, data_format="channels_first")
    assert outputs.shape == (2, 2, 2, 3)
    np.testing.assert_allclose(outputs, x(rejudged(last, REFERENCE), -1, 1), rtol=1e-5, atol=1e-5)
    with pytest.raises(
        ValueError, match=r"of \(batch, offset_groups \* kernel_height \* kernel_width, out_height, out_width"
    ):
        deform_conv2d(**first | {"mask": last["mask"]}, **REFERENCE, data_format="channels_first")


@pytest.mark.parametrize("made", ["layer", "function"])
def test_data_format_is_that_of_keras(made, monkeypatch):
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    shape = (1, 4, 6, 5)
    if made == "layer":
        layer = DeformableConv2D(3, 3, padding="same")
        assert layer(zeros(*shape)).shape == (1, 3, 6, 5)
        config = layer.get_config()
        assert config["data_format"] == "channels_first"
        monkeypatch.undo()
        assert DeformableConv2D.from_config(config)(zeros(*shape)).shape == (1, 3, 6, 5)
        # As files from before the argument have it.
        del config["data_format"]
        assert DeformableConv2D.from_config(config)(zeros(*shape)).shape == (1, 4, 6, 3)
    else:
        image, offsets = keras.Input(shape[1:]), keras.Input((18, 6, 5))
        model = keras.Model([image, offsets], deform_conv2d(image, offsets, zeros(3, 3, 4, 3), padding="same"))
        monkeypatch.undo()
        assert model([zeros(*shape), zeros(1, 18, 6, 5)]).shape == (1, 3, 6, 5)


def test_weights():
    layer = DeformableConv2D(8, (3, 2), groups=2, offset_groups=3, modulated=True, kernel_regularizer="l2")
    layer.build((None, None, None, 6))
    assert [weight.shape for weight in layer.weights] == [(3, 2, 3, 8), (8,), (3, 2, 6, 54), (54,)]
    assert len(layer.losses) == 1
    assert layer.compute_output_shape((None, None, 7, 6)) == (None, None, 6, 8)


# --- errors

GOOD = {
    "inputs": np.zeros((2, 5, 6, 4), "float32"),
    "offsets": np.zeros((2, 3, 4, 18), "float32"),
    "kernel": np.zeros((3, 3, 4, 2), "float32"),
}


def zeros(*shape):
    return np.zeros(shape, "float32")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            {"inputs": zeros(5, 6, 4)},
            ValueError,
            "the input must have 4 axes, the batch included; got the shape (5, 6, 4)",
        ),
        (
            {"kernel": zeros(3, 3, 4)},
            ValueError,
            "`kernel` must have 4 axes, (height, width, channels / groups, filters)",
        ),
        ({"kernel": zeros(3, 3, 3, 2)}, ValueError, "`kernel` must have channels / groups = 4 on its third axis"),
        ({"groups": 3}, ValueError, "`groups` must divide the channels; got groups=3 for 4 channels."),
        ({"groups": 4}, ValueError, "`groups` must divide the filters; got groups=4 for 2 filters."),
        (
            {"offset_groups": 3},
            ValueError,
            "`offset_groups` must divide the channels; got offset_groups=3 for 4 channels.",
        ),
        (
            {"offsets": zeros(2, 3, 4, 9)},
            ValueError,
            "`offsets` must have the shape (2, 3, 4, 18), of (batch, out_height, out_width, 2 * offset_groups * "
            "kernel_height * kernel_width); got (2, 3, 4, 9).",
        ),
        ({"offsets": zeros(2, 5, 6, 18)}, ValueError, "`offsets` must have the shape (2, 3, 4, 18)"),
        ({"offsets": zeros(3, 3, 4, 18)}, ValueError, "`offsets` must have the shape (2, 3, 4, 18)"),
        ({"offsets": zeros(2, 3, 4)}, ValueError, "`offsets` must have the shape (2, 3, 4, 18)"),
        ({"mask": zeros(2, 3, 4, 18)}, ValueError, "`mask` must have the shape (2, 3, 4, 9)"),
        ({"bias": zeros(3)}, ValueError, "`bias` must have the shape (2,), one number a filter; got (3,)."),
        ({"strides": 0}, ValueError, "`strides` must be at least 1; got 0."),
        (
            {"strides": (1, 2, 3)},
            TypeError,
            "`strides` must be a whole number or two, (height, width); got (1, 2, 3).",
        ),
        ({"strides": "2"}, TypeError, "`strides` must be a whole number; got '2'."),
        ({"dilation_rate": 1.5}, TypeError, "`dilation_rate` must be a whole number; got 1.5."),
        ({"dilation_rate": None}, TypeError, "`dilation_rate` must be a whole number; got None."),
        ({"dilation_rate": 3}, ValueError, "the kernel spans 7 of the height; got a height of 5"),
        ({"padding": "sme"}, ValueError, "Did you mean 'same'?"),
        ({"padding": -1}, ValueError, "`padding` must be at least 0; got -1."),
        ({"max_offset": 0}, ValueError, "`max_offset` must be at least 1; got 0."),
        ({"max_offset": 0.5}, TypeError, "`max_offset` must be a whole number; got 0.5."),
        ({"data_format": "last"}, ValueError, "`data_format` must be one of 'channels_last', 'channels_first'"),
    ],
    ids=lambda part: (
        str({name: getattr(value, "shape", value) for name, value in part.items()}) if isinstance(part, dict) else None
    ),
)
def test_misuse_of_the_function(wrong, error, message):
    with pytest.raises(error) as caught:
        deform_conv2d(**{**GOOD, **wrong})
    assert str(caught.value).startswith("`deform_conv2d`: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"filters": 0}, ValueError, "`filters` must be at least 1; got 0."),
        ({"kernel_size": (3, 0)}, ValueError, "`kernel_size` must be at least 1; got 0."),
        ({"kernel_size": (3,)}, TypeError, "`kernel_size` must be a whole number or two, (height, width); got"),
        ({"groups": "2"}, TypeError, "`groups` must be a whole number; got '2'."),
        (
            {"offset_groups": 3},
            ValueError,
            "`offset_groups` must divide the channels; got offset_groups=3 for 4 channels.",
        ),
        ({"groups": 4}, ValueError, "`groups` must divide the filters; got groups=4 for 6 filters."),
        ({"kernel_size": 7}, ValueError, "the kernel spans 7 of the height; got a height of 5"),
    ],
    ids=str,
)
def test_misuse_of_the_layer(wrong, error, message):
    with pytest.raises(error) as caught:
        DeformableConv2D(**{"filters": 6, "kernel_size": 3, **wrong})(zeros(1, 5, 6, 4))
    assert str(caught.value).startswith("`DeformableConv2D`: ")
    assert message in str(caught.value)


def test_channels_and_rank_must_be_known():
    with pytest.raises(ValueError, match="the channels must be known"):
        DeformableConv2D(4, 3)(keras.Input((8, 8, None)))
    with pytest.raises(ValueError, match="must have 4 axes"):
        DeformableConv2D(4, 3)(keras.Input((8, 8)))


# --- export

EXPORTS = [
    {"max_offset": 1},
    {"max_offset": 2},
    {"max_offset": 2, "modulated": True, "offset_groups": 2, "groups": 2},
    {"max_offset": 1, "strides": 2, "padding": "same"},
    {"max_offset": 2, "strides": (2, 1), "kernel_size": (3, 2), "groups": 4, "padding": ((1, 0), (2, 1))},
    {"max_offset": 2, "dilation_rate": 2, "offset_groups": 2, "padding": "valid"},
    {"max_offset": 1, "dilation_rate": (1, 3), "strides": 2, "groups": 8, "padding": "same", "use_bias": False},
    {"max_offset": 3, "dilation_rate": 8, "kernel_size": 2, "padding": "same"},
    {"max_offset": 1, "kernel_size": 5, "padding": "same"},
    {"max_offset": 1, "padding": "same", "modulated": True, "data_format": "channels_first"},
]


def network(size=12, **options):
    options = {"kernel_size": 3, **options}
    image = keras.Input((size, size, 8), name="image")
    layer = DeformableConv2D(8, activation="relu", name="deformable", **options)
    x = keras.layers.Conv2D(8, 1)(image)
    if options.get("data_format") == "channels_first":
        x = keras.layers.Permute((2, 3, 1))(layer(keras.layers.Permute((3, 1, 2))(x)))
    else:
        x = layer(x)
    return enliven(keras.Model(image, keras.layers.Conv2D(4, 1)(x)))


@pytest.mark.tensorflow
@pytest.mark.parametrize("options", EXPORTS, ids=str)
def test_the_bounded_form_equals_the_layer(options):
    model, x = network(**options), samples(3, (12, 12, 8))
    bounded, count = bound_deformable(model)
    assert count == 1
    np.testing.assert_allclose(bounded(x), model(x), rtol=1e-5, atol=1e-5)  # some hundred products in 24 bits
    layer = model.get_layer("deformable")
    moves = np.abs(layer.moves(keras.Model(model.input, layer.input)(x))[0])
    assert moves.max() > options["max_offset"] > moves.min(), "offsets on both sides of the bound"


@pytest.mark.sweep
@pytest.mark.tensorflow
@needs_gpu
@pytest.mark.parametrize(
    ("options", "precision"),
    [*((options, "float32") for options in EXPORTS[1:3]), *((options, "int8") for options in EXPORTS[::2])],
    ids=str,
)
def test_the_bounded_form_is_proven(options, precision):
    made = to_tflite(network(**options), target="gpu-fp32", precision=precision, samples=samples(64, (12, 12, 8)))
    report = made.report.require()
    assert report.passes == {"bound_deformable": 1}
    assert not {"GATHER", "GATHER_ND", "SPACE_TO_BATCH_ND"} & set(report.operators)
    assert sum(report.operators.values()) <= 50
    assert report.proof("gpu").delegated == report.proof("gpu").operators


@pytest.mark.sweep
@pytest.mark.tensorflow
@needs_gpu
@pytest.mark.parametrize(
    ("options", "precision"),
    [
        ({"max_offset": 3, "padding": "same"}, "int8"),
        ({"max_offset": 4, "modulated": True, "offset_groups": 2}, "int8"),
        ({"max_offset": 1, "kernel_size": 7, "padding": "same"}, "float32"),
        ({"max_offset": 3, "dilation_rate": 8, "kernel_size": 2, "padding": "same"}, "float32"),
    ],
    ids=str,
)
def test_many_places_that_see_many_pixels_are_proven(options, precision):
    # 400 places: as one product each, the GPU runtime would compute them for 390 places of 81 pixels at most.
    made = to_tflite(network(20, **options), target="gpu-fp32", precision=precision, samples=samples(4, (20, 20, 8)))
    assert made.report.require().passes == {"bound_deformable": 1}


@pytest.mark.tensorflow
@pytest.mark.parametrize("reach", [4, 8, 16])
def test_the_bounded_form_stays_small_whatever_the_bound(reach):
    made = to_tflite(network(max_offset=reach, padding="same"), precision="int8", samples=samples(16, (12, 12, 8)))
    assert sum(made.report.require().operators.values()) <= 60


@pytest.mark.tensorflow
@needs_gpu
def test_a_large_bound_and_every_option_take_sixty_operators_at_most():
    options = {"max_offset": 16, "padding": "same", "modulated": True, "offset_groups": 2, "groups": 2}
    made = to_tflite(network(**options), target="gpu-fp32", samples=samples(2, (12, 12, 8)))
    assert sum(made.report.require().operators.values()) <= 60


@pytest.mark.tensorflow
@needs_gpu
def test_free_offsets_keep_their_gathers_in_floats():
    report = to_tflite(network(padding="same"), target="gpu-fp32", samples=samples(64, (12, 12, 8))).report.require()
    assert report.operators["GATHER"] == 4
    assert report.passes == {}


@pytest.mark.tensorflow
@needs_gpu
def test_a_file_of_integers_bounds_free_offsets_by_the_samples():
    model, x = network(padding="same"), samples(64, (12, 12, 8))
    layer = model.get_layer("deformable")

    def reach(pixels):
        seen = np.abs(layer.moves(model.layers[1](x))[0]).max()
        layer.set_weights([*layer.get_weights()[:2], *(w * pixels / seen for w in layer.get_weights()[2:])])

    reach(1.9)
    report = to_tflite(model, target="gpu-fp32", precision="int8", samples=x).report.require()
    assert report.bounds == {"deformable": 2}
    assert report.passes == {"bound_by_samples": {"deformable": 2}}
    assert "offsets of deformable are clipped to 2 pixels" in str(report)
    assert layer.geometry.max_offset is None
    reach(4.5)
    assert to_tflite(model, precision="int8", samples=x).report.require().bounds == {"deformable": 5}
    # So far that the file would be too large, so that the gathers stay: 8 bits are too few for a place in the image, so
    # that the layer stays in floats.
    reach(8.5)
    report = to_tflite(model, precision="int8", samples=x).report.require()
    assert report.bounds == {}
    assert report.float_layers == ("deformable",)


@pytest.mark.tensorflow
def test_on_the_cpu_in_floats_gathers_stay():
    report = to_tflite(network(max_offset=1), samples=samples(4, (12, 12, 8))).report.require()
    assert report.operators["GATHER"] == 4
