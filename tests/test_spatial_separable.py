"""What SpatialSeparableConv2D and `separate` promise beyond the laws of every layer, and their messages."""

import keras
import numpy as np
import pytest

from keraslayers import PaddedConv2D, SpatialSeparableConv2D, separate
from tests.export_models import enliven, samples


def conv2d(shape=(None, 6, 7, 3), filters=4, kernel_size=(3, 2), **options):
    layer = keras.layers.Conv2D(filters, kernel_size, **options)
    layer.build(shape)
    return enliven(layer)


@pytest.mark.parametrize(
    ("channels", "filters", "rank", "middle"), [(8, 4, None, 4), (1, 64, None, 3), (8, 4, 2, 2), (1, 4, 9, 9)]
)
def test_rank(channels, filters, rank, middle):
    layer = SpatialSeparableConv2D(filters, 3, rank=rank)
    layer.build((None, 6, 7, channels))
    shapes = [(3, 1, channels, middle), (1, 3, middle, filters), (filters,)]
    assert [weight.shape for weight in layer.weights] == shapes


def test_the_rank_comes_third():
    config = SpatialSeparableConv2D(8, 3, 5, (2, 1), "SAME").get_config()
    assert [config[name] for name in ("rank", "strides", "padding")] == [5, (2, 1), "same"]


def test_starts_with_two_different_kernels():
    layer = SpatialSeparableConv2D(4, 3, kernel_initializer="he_normal")
    layer.build((None, 6, 7, 4))
    vertical, horizontal, _ = layer.get_weights()
    assert not np.array_equal(vertical.ravel(), horizontal.ravel())


def test_regularizers_and_constraints_reach_both_kernels():
    layer = SpatialSeparableConv2D(4, 3, kernel_regularizer="l2", bias_regularizer="l1", kernel_constraint="non_neg")
    layer.build((None, 6, 7, 4))
    assert len(layer.losses) == 3
    assert [weight.constraint is not None for weight in layer.weights] == [True, True, False]
    assert SpatialSeparableConv2D.from_config(layer.get_config()).get_config() == layer.get_config()


# --- separate


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same", "strides": (2, 3), "activation": "relu"},
        {"padding": "same", "dilation_rate": (2, 1), "use_bias": False},
        {"kernel_size": (1, 3)},
        {"kernel_size": 1, "filters": 9},
    ],
    ids=str,
)
def test_separate_keeps_the_outputs_at_full_rank(options):
    theirs, x = conv2d(**options), samples(4, (6, 7, 3))
    before = theirs.get_weights()
    ours, error = separate(theirs)
    assert error == 0.0
    height, width = theirs.kernel_size
    assert ours.rank == min(height * 3, width * theirs.filters)
    # Two sums of some ten terms in place of one.
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    assert ours.name == theirs.name
    for kept, was in zip(theirs.get_weights(), before, strict=True):
        np.testing.assert_array_equal(kept, was)


def merged(layer):
    """The kernel that two convolutions amount to."""
    vertical, horizontal = (weight.astype("float64") for weight in layer.get_weights()[:2])
    return np.einsum("hcr,wrf->hwcf", vertical[:, 0], horizontal[0])


def test_separate_tells_the_error_of_the_kernel():
    theirs = conv2d(kernel_size=3, filters=5)
    kernel = theirs.get_weights()[0]
    errors = []
    for rank in range(1, 10):
        ours, error = separate(theirs, rank=rank)
        assert ours.rank == rank
        lost = np.linalg.norm(merged(ours) - kernel) / np.linalg.norm(kernel)
        assert error == pytest.approx(lost, rel=1e-4, abs=1e-6)
        errors.append(error)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0.0


@pytest.mark.parametrize("tolerance", [0, 0.2, 0.5, 0.9, np.float32(0.999)])
def test_tolerance_takes_the_smallest_rank_within_it(tolerance):
    theirs = conv2d(kernel_size=3, filters=5)
    ours, error = separate(theirs, tolerance=tolerance)
    assert error <= tolerance
    assert ours.rank == 1 or separate(theirs, rank=ours.rank - 1)[1] > tolerance


def test_the_error_is_that_of_the_outputs_for_white_noise():
    theirs = conv2d((None, 34, 34, 3), use_bias=False)
    ours, error = separate(theirs, rank=2)
    x = np.random.default_rng(0).normal(size=(8, 34, 34, 3)).astype("float32")
    got, wanted = np.array(ours(x)), np.array(theirs(x))
    # 8,000 places a filter: some per cent of chance.
    assert np.linalg.norm(got - wanted) / np.linalg.norm(wanted) == pytest.approx(error, rel=0.05)


def test_a_separable_kernel_needs_the_rank_it_has():
    theirs = conv2d((None, 6, 7, 1), filters=1, kernel_size=3)
    sobel = np.outer([1, 2, 1], [-1, 0, 1])[:, :, None, None]
    theirs.set_weights([sobel, np.zeros(1)])
    ours, error = separate(theirs, tolerance=1e-6)
    assert ours.rank == 1
    x = samples(2, (6, 7, 1))
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)
    assert error < 1e-12


def test_a_kernel_of_zeros():
    theirs = conv2d()
    theirs.set_weights([np.zeros_like(weight) for weight in theirs.get_weights()])
    ours, error = separate(theirs, tolerance=0.1)
    assert (ours.rank, error) == (1, 0.0)
    assert not np.array(ours(samples(1, (6, 7, 3)))).any()


def test_separate_in_a_model(tmp_path):
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="one")(image)
    x = keras.layers.BatchNormalization()(x)
    model = enliven(keras.Model(image, keras.layers.Conv2D(2, 3, name="two")(x)))

    def slim(layer):
        if type(layer) is keras.layers.Conv2D:
            return separate(layer)[0]
        return layer.__class__.from_config(layer.get_config())

    slimmed = keras.models.clone_model(model, clone_function=slim)
    slimmed.layers[2].set_weights(model.layers[2].get_weights())
    x = samples(4)
    np.testing.assert_allclose(slimmed(x), model(x), rtol=1e-4, atol=1e-4)
    slimmed.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x), slimmed(x))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "float64"])
def test_separate_keeps_the_dtype(policy):
    theirs = conv2d(dtype=policy)
    ours, _ = separate(theirs)
    assert ours.dtype_policy == theirs.dtype_policy
    x = samples(1, (6, 7, 3))
    # Two sums of bfloat16, of values about 3.
    step = 1e-6 if policy == "float64" else 0.2
    np.testing.assert_allclose(*(keras.ops.cast(layer(x), "float64") for layer in (ours, theirs)), atol=step)


def test_separate_takes_what_lora_learnt():
    theirs = conv2d()
    theirs.enable_lora(2)
    theirs.lora_kernel_b.assign(np.random.default_rng(0).normal(size=theirs.lora_kernel_b.shape))
    x = samples(1, (6, 7, 3))
    np.testing.assert_allclose(separate(theirs)[0](x), theirs(x), rtol=1e-4, atol=1e-4)


def test_separate_of_channels_first():
    x, theirs = samples(2, (3, 5, 6)), conv2d((None, 3, 5, 6), data_format="channels_first")
    np.testing.assert_allclose(separate(theirs)[0](x), theirs(x), rtol=1e-5, atol=1e-5)


# --- messages

WHO = "`SpatialSeparableConv2D`: "


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"filters": 0}, ValueError, "`filters` must be at least 1; got 0."),
        ({"filters": 2.5}, TypeError, "`filters` must be a whole number; got 2.5."),
        ({"rank": 0}, ValueError, "`rank` must be at least 1; got 0."),
        ({"rank": "full"}, TypeError, "`rank` must be a whole number; got 'full'."),
        (
            {"kernel_size": (1, 2, 3)},
            TypeError,
            "`kernel_size` must be a whole number or two, (height, width); got (1, 2, 3).",
        ),
        ({"strides": (1, 0)}, ValueError, "`strides` must be at least 1; got 0."),
        ({"dilation_rate": None}, TypeError, "`dilation_rate` must be a whole number; got None."),
        ({"padding": "full"}, ValueError, "`padding` must be one of 'valid', 'same'; got 'full'."),
        (
            {"strides": 2, "dilation_rate": (1, 2)},
            ValueError,
            "`strides` above 1 go without dilation only; got strides=(2, 2) and dilation_rate=(1, 2).",
        ),
    ],
    ids=str,
)
def test_messages_of_construction(options, error, message):
    with pytest.raises(error) as caught:
        SpatialSeparableConv2D(**{"filters": 2, "kernel_size": 3, **options})
    assert str(caught.value) == WHO + message


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 3), "the input must have 4 axes, the batch included; got the shape (None, 8, 3)."),
        (
            (2, 8, 3),
            "the kernel spans 3 of the height; got a height of 2, with a padding of (0, 0). Pad more, or take a "
            "smaller kernel.",
        ),
        (
            (8, 8, None),
            "the channels must be known, which are axis -1 with data_format='channels_last'; got the shape "
            "(None, 8, 8, None).",
        ),
    ],
)
def test_messages_of_building(shape, message):
    with pytest.raises(ValueError, match="SpatialSeparableConv2D") as caught:
        SpatialSeparableConv2D(2, 3)(keras.Input(shape))
    assert str(caught.value) == WHO + message


def test_a_built_layer_meets_a_smaller_image():
    layer = SpatialSeparableConv2D(2, 3)
    layer(samples(1, (4, 4, 3)))
    with pytest.raises(ValueError, match="the kernel spans 3 of the width; got a width of 2"):
        layer(samples(1, (4, 2, 3)))


UNBUILT = keras.layers.Conv2D(2, 3, name="conv")
PADDED = PaddedConv2D(2, 3, name="padded")
GROUPED = conv2d((None, 6, 7, 4), groups=2, name="grouped")
BUILT = conv2d(name="built")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (PADDED,),
            TypeError,
            f"`conv2d` must be a keras.layers.Conv2D itself, a subclass may compute something else; got {PADDED!r}.",
        ),
        ((UNBUILT,), ValueError, "`conv2d` 'conv' has no kernel yet: build it, or call it once."),
        (
            (GROUPED,),
            ValueError,
            "`conv2d` 'grouped' must have one group; got groups=2, and each group would need two convolutions of its "
            "own.",
        ),
        ((BUILT, 2, 0.1), ValueError, "give `rank` or `tolerance`, not both; got rank=2, tolerance=0.1."),
        ((BUILT, 9), ValueError, "`rank` must be at most 8, the full rank of this kernel; got 9."),
        ((BUILT, 0), ValueError, "`rank` must be at least 1; got 0."),
        ((BUILT, None, 1), ValueError, "`tolerance` must be below 1; got 1.0."),
        ((BUILT, None, -0.5), ValueError, "`tolerance` must be at least 0; got -0.5."),
        ((BUILT, None, "0.1"), TypeError, "`tolerance` must be a number; got '0.1'."),
    ],
    ids=str,
)
def test_messages_of_separate(arguments, error, message):
    with pytest.raises(error) as caught:
        separate(*arguments)
    assert str(caught.value) == "`separate`: " + message
