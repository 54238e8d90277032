"""What cannot be optimized is refused in words, at the call, with what to do."""

import importlib.util

import keras
import numpy as np
import pytest
from keras import layers, ops

import keraslayers
from keraslayers import export
from keraslayers.export import optimize
from tests.export_models import dense, enliven, samples


def image_model(*middle, dtype=None):
    image = keras.Input((8, 8, 3), name="image", dtype=dtype)
    x = image
    for layer in middle:
        x = layer(x)
    return enliven(keras.Model(image, x, name="small"))


def convolution():
    return image_model(layers.Conv2D(4, 3, name="conv"), layers.Flatten())


def any_size():
    image = keras.Input((None, None, 3))
    return enliven(keras.Model(image, keraslayers.DeformableConv2D(4, 3, max_offset=1)(image)))


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


class Computed(layers.Layer):
    """Divides by what it computes, for which TFLite has no integer kernel."""

    def call(self, inputs):
        return inputs / (1.0 + ops.abs(inputs))


class Different(layers.Layer):
    def call(self, inputs, training=False):
        return inputs * 2.0 if training else inputs + 1.0


class Holding(layers.Layer):
    """Holds a layer, which `does(self, inputs, training)` calls."""

    def __init__(self, inner, does, name):
        super().__init__(name=name)
        self.inner, self.does = inner, does
        self.seeds = keras.random.SeedGenerator(0)

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, inputs, training=False):
        return self.does(self, inputs, training)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {"inner": self.inner, "does": self.does, "name": self.name}

    @classmethod
    def from_config(cls, config):
        inner = type(config["inner"]).from_config(config["inner"].get_config())
        return cls(inner, config["does"], config["name"])


def holding(inner, does):
    return lambda: optimize.quantize_aware(image_model(Holding(inner(), does, "holding")), samples=X)


def noisy(layer, inputs, training):
    return inputs + keras.random.normal((8, 8, 3), seed=layer.seeds) if training else inputs + 0.0


class Unmakeable(layers.Layer):
    def __init__(self, thing):
        super().__init__(name="unmakeable")
        self.thing = thing

    def call(self, inputs):
        return inputs


def quantized():
    return optimize.quantize_aware(convolution(), samples=samples())


class Trained(keras.Model):
    def train_step(self, data):
        raise AssertionError("not called")


def with_a_step_of_its_own():
    model = convolution()
    return Trained(model.inputs, model.outputs)


X = samples()
CASES = {
    "no model": (lambda: optimize.prune(7), TypeError, "`prune`: `model` must be a Keras model; got int"),
    "subclassed": (
        lambda: optimize.quantize_aware(Subclassed(), samples=X),
        ValueError,
        r"`quantize_aware`: `model` '\w+' is a subclassed model.*Give a Functional or Sequential model",
    ),
    "a training step": (
        lambda: optimize.prune(with_a_step_of_its_own()),
        ValueError,
        r"is a Trained with a `train_step` of its own.*Give keras.Model\(model.inputs, model.outputs\)",
    ),
    "a threshold": (
        lambda: optimize.quantize_aware(image_model(layers.ReLU(threshold=1, name="relu")), samples=X),
        ValueError,
        r"it has a threshold, or both a slope and a bound.*skip=\['relu'\]",
    ),
    "an input": (
        lambda: optimize.quantize_aware(convolution(), samples=X, skip="image"),
        ValueError,
        "`quantize_aware`: `skip` must be one of .*'conv'.*got 'image'",
    ),
    "config": (lambda: quantized().get_config(), NotImplementedError, "`get_config`: model"),
    "not from its config": (
        lambda: optimize.prune(image_model(layers.Conv2D(4, 3), Unmakeable(1))),
        ValueError,
        "`prune`: layer 'unmakeable' of `model` 'small' cannot be copied, as `from_config`",
    ),
    "no rule": (
        lambda: optimize.quantize_aware(image_model(Computed(name="computed")), samples=X),
        ValueError,
        r"operation 'computed_\w+' .*divides by what it computes.*skip=\['computed'\].*optimize.register",
    ),
    "different while training": (
        lambda: optimize.quantize_aware(image_model(Different(name="different")), samples=X),
        ValueError,
        r"layer 'different' \(Different\) cannot be quantized.*something else while training.*skip=\['different'\]",
    ),
    "a normalization that never trains": (
        holding(layers.BatchNormalization, lambda self, x, training: self.inner(x, training=False)),
        ValueError,
        r"layer 'holding' \(Holding\) cannot be quantized: it calls its layer 'batch_normalization\w*' with "
        "training=False, whether it trains or not",
    ),
    "random numbers": (
        holding(layers.ReLU, noisy),
        ValueError,
        r"something else while training: it changes \['\S*seed_generator_state'\], or draws random numbers with them",
    ),
    "a weight by itself": (
        holding(lambda: layers.Dense(3), lambda self, x, training: x @ ops.transpose(self.inner.kernel)),
        ValueError,
        r"cannot be quantized: it computes with its weights \['\S+/kernel'\] in a way.*skip=\['holding'\]",
    ),
    "an operation without a layer": (
        lambda: optimize.quantize_aware(image_model(ops.softplus), samples=X),
        ValueError,
        r"operation '\w+' \(Softplus\) has no rule for 8-bit integers. It stays in floats inside a layer: write",
    ),
    "several outputs": (
        lambda: optimize.quantize_aware(image_model(layers.Flatten(), lambda x: ops.top_k(x, 3)[0]), samples=X),
        ValueError,
        r"operation '\w+' \(TopK\) gives several tensors, for which there is no rule. It stays in floats inside a",
    ),
    "no bound": (
        lambda: optimize.quantize_aware(image_model(keraslayers.DeformableConv2D(4, 3, name="moving")), samples=X),
        ValueError,
        r"layer 'moving' \(DeformableConv2D\) cannot be quantized: its offsets have no bound.*With `max_offset` it "
        r"takes the same weights.*skip=\['moving'\]",
    ),
    "images of any size": (
        lambda: optimize.quantize_aware(any_size(), samples=X),
        ValueError,
        r"cannot be quantized: its images are of no known size, \(None, None, None, 3\). Build the model for one size",
    ),
    "an operation without a rule": (
        lambda: optimize.quantize_aware(image_model(layers.Conv2D(4, 3, activation="softplus", name="c")), samples=X),
        ValueError,
        r"\(Softplus\) has no rule for 8-bit integers. Leave it in floats, skip=\['c'\]",
    ),
    "channels first": (
        lambda: optimize.quantize_aware(image_model(layers.Conv2D(4, 3), layers.BatchNormalization(axis=1)), samples=X),
        ValueError,
        "normalizes axis 1.*data_format='channels_last'",
    ),
    "whole numbers": (
        lambda: optimize.quantize_aware(image_model(layers.Flatten(), dtype="int32"), samples=X),
        ValueError,
        "input `image` is of dtype int32; only numbers can be rounded.*behind its embedding",
    ),
    "samples": (
        lambda: optimize.quantize_aware(convolution(), samples=X[:, :4]),
        ValueError,
        r"`quantize_aware`: `samples` for input `image` must have the shape \(samples, 8, 8, 3\)",
    ),
    "twice": (
        lambda: optimize.quantize_aware(quantized(), samples=X),
        ValueError,
        "'small' is quantized already; go on training it",
    ),
    "prune after": (lambda: optimize.prune(quantized()), ValueError, "quantized already. Prune first, then cluster"),
    "prune clustered": (
        lambda: optimize.prune(optimize.cluster(convolution(), clusters=4)),
        ValueError,
        "clustered already. Prune first",
    ),
    "skip": (
        lambda: optimize.prune(convolution(), skip=["con"]),
        ValueError,
        "`prune`: `skip` must be one of .*'conv'.*got 'con'",
    ),
    "all skipped": (
        lambda: optimize.prune(convolution(), skip="conv"),
        ValueError,
        "has no layer to work on: none of Conv1D, Conv2D, .*SpatialSeparableConv2D, or all skipped or frozen",
    ),
    "sparsity": (
        lambda: optimize.prune(convolution(), sparsity=1.0),
        ValueError,
        r"`sparsity` must be a number within \(0, 1\) or a schedule; got 1.0",
    ),
    "schedule": (
        lambda: optimize.prune(convolution(), sparsity={"final_sparsity": 0.5}),
        ValueError,
        "is no PolynomialDecay schedule: .*initial_sparsity",
    ),
    "pattern": (
        lambda: optimize.prune(convolution(), pattern="4:2"),
        ValueError,
        "`pattern` must be 'm:n', m zeros of n weights, such as '2:4'; got '4:2'",
    ),
    "block": (lambda: optimize.prune(convolution(), block=4), ValueError, r"`block` must be \(rows, columns\); got 4"),
    "block and pattern": (
        lambda: optimize.prune(convolution(), block=(1, 4), pattern="2:4"),
        ValueError,
        "exclude each other",
    ),
    "block of convolutions": (
        lambda: optimize.prune(convolution(), block=(1, 4)),
        ValueError,
        "`block` is of Dense layers alone, and `model` 'small' has none",
    ),
    "clusters": (
        lambda: optimize.cluster(convolution(), clusters=1),
        ValueError,
        "`clusters` must be 2 at least; got 1",
    ),
    "initialization": (
        lambda: optimize.cluster(convolution(), initialization="kmeans"),
        ValueError,
        r"`initialization` must be one of 'kmeans\+\+'",
    ),
    "few weights": (
        lambda: optimize.cluster(dense(), clusters=16),
        ValueError,
        "no kernel of `model` 'head' has more than 16 weights",
    ),
    "strip": (
        lambda: optimize.strip(dense()),
        TypeError,
        "`strip`: `model` must be one that .* gave; got Functional 'head'",
    ),
    "save": (
        lambda: optimize.save(dense(), "x.zip"),
        TypeError,
        r"`save`: .*Any other saves itself: model.save\(path\)",
    ),
    "save of Keras": (
        lambda: quantized().save("x.keras"),
        NotImplementedError,
        r"Write it with `optimize.save\(model.*save_weights_only=True",
    ),
    "register": (lambda: optimize.register(int, None), TypeError, "`layer_class` must be a class of Keras 3 layers"),
    "rule": (lambda: optimize.register(Computed, 3), TypeError, "`config` must be a `QuantizeConfig`.*got int"),
    "precision": (
        lambda: export.to_tflite(quantized(), precision="float16"),
        ValueError,
        r"`to_tflite`: `model` 'small' was trained for precision='int8'; got .*'float16'.*optimize.strip\(model\)",
    ),
    "preprocessing": (
        lambda: export.to_tflite(quantized(), precision="int8", preprocessing=layers.Rescaling(1 / 255)),
        ValueError,
        "`preprocessing` has none. Make it a part of the model.*before `optimize.quantize_aware`",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_error(name):
    call, error, words = CASES[name]
    with pytest.raises(error, match=words):
        call()


def test_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="`load`: `path`: there is no file"):
        optimize.load(tmp_path / "none.zip")
    (tmp_path / "other.zip").write_bytes(b"something")
    with pytest.raises(ValueError, match=r"is no file that `optimize\.save` wrote"):
        optimize.load(tmp_path / "other.zip")
    with pytest.raises(ValueError, match=r"`save`: `path` must end in '.zip'"):
        optimize.save(optimize.prune(convolution()), tmp_path / "model.keras")


def test_without_tfmot(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if "tensorflow_model" in name else find(name))
    with pytest.raises(ImportError, match=r"`prune`: needs tensorflow_model_optimization.*'keraslayers\[optimize\]'"):
        optimize.prune(convolution())


def test_another_backend(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"`cluster`: needs the TensorFlow backend.*KERAS_BACKEND=tensorflow"):
        optimize.cluster(dense())


def test_a_layer_that_computes_otherwise_every_time_is_noticed():
    class Restless(layers.Layer):
        def call(self, inputs):
            return inputs * ops.convert_to_tensor(np.float32(next(numbers)))

    numbers = iter(np.linspace(1, 2, 1000))
    with pytest.raises(ValueError, match=r"\(Restless\) cannot be quantized: it computes something else every time"):
        optimize.quantize_aware(image_model(layers.Conv2D(4, 3), Restless()), samples=X)


def test_few_weights_to_prune_are_told():
    model = image_model(layers.DepthwiseConv2D(3, depth_multiplier=8), layers.Conv2D(2, 1))
    with pytest.warns(UserWarning, match=r"`prune`: kernels of Conv1D.* hold 17 % of the weights of `model` 'small'"):
        optimize.prune(model)


def test_a_difference_in_any_sample_is_noticed():
    """Not in those of the first batch alone."""

    class Late(layers.Layer):
        def call(self, inputs):
            return inputs + (0.01 if inputs.shape[0] == 8 else 0.0)  # the second batch of the samples

    with pytest.raises(RuntimeError, match=r"differs from it by .* before anything is rounded"):
        optimize.quantize_aware(image_model(layers.Conv2D(4, 3), Late()), samples=samples(count=40))


def test_much_to_regain_is_told():
    model = convolution()
    kernel = np.array(model.get_layer("conv").kernel)
    kernel[..., 0] *= 1e5  # next to this channel no other has a step of its own
    model.get_layer("conv").kernel.assign(kernel)
    few = model.output[:, 1:4]
    with pytest.warns(
        UserWarning,
        match=r"rounded to 8 bits, `model` 'part' is .* dB over its error, its largest class the same for .* training",
    ):
        optimize.quantize_aware(keras.Model(model.input, few, name="part"), samples=X)
