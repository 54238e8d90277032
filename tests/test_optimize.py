"""Quantization-aware training: a Keras 3 model that trains with rounding, and the file that comes of it."""

import os
import re
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops

import keraslayers
from keraslayers import export
from keraslayers.export import optimize
from keraslayers.export.file.graph import read_graph
from keraslayers.export.optimize.ranges import MEASURE, Mode, Range
from keraslayers.export.optimize.scales import Scales
from keraslayers.export.proof import proof as proofs
from tests.export_models import dense, enliven, needs_gpu, run_reference, samples
from tests.optimize_models import accuracy, digits, network, train


@pytest.fixture(scope="module")
def floats():
    keras.utils.set_random_seed(0)
    return train(network(), 5, 5e-3)


@pytest.fixture(scope="module")
def rounded(floats):
    """Quantized and trained for an epoch."""
    keras.utils.set_random_seed(0)
    return train(optimize.quantize_aware(floats, samples=digits()[0][:200]), 1)


def run(tflite, x):
    """A file's outputs, sample by sample."""
    interpreter = Interpreter(model_content=tflite)
    runner = interpreter.get_signature_runner()
    (name,) = runner.get_input_details()
    return np.concatenate([next(iter(runner(**{name: x[i : i + 1]}).values())) for i in range(len(x))])


def test_before_training_it_is_the_float_model_and_rounding_costs_little(floats):
    before = [np.array(weight) for weight in floats.get_weights()]
    made = optimize.quantize_aware(floats, samples=digits()[0][:200])
    assert made.plan.difference < 1e-5
    assert abs(accuracy(made) - accuracy(floats)) < 0.01
    x = digits()[2]
    assert 0 < np.max(np.abs(np.asarray(made(x)) - np.asarray(floats(x)))) < 0.3  # it does round
    for mine, theirs in zip(floats.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_it_trains(floats, rounded):
    assert accuracy(rounded) > 0.9
    assert accuracy(rounded) > accuracy(floats) - 0.01  # four images of 397
    moved = {
        weight.path
        for weight, before in zip(rounded.plan.source.weights, floats.get_weights(), strict=True)
        if not np.array_equal(weight, before)
    }
    assert moved == {weight.path for weight in rounded.plan.source.weights}


@needs_gpu
def test_its_file_is_all_integers_and_proven(rounded):
    _, _, x, y = digits()
    made = export.to_tflite(rounded, target="gpu-fp32", precision="int8", samples=x)
    made.report.require()
    graph = read_graph(made.tflite)
    assert graph.float_operators == {}
    assert set(graph.kernels.values()) == {("int8",)}
    assert [tensor.name for tensor in graph.inputs + graph.outputs] == ["image", "digit"]
    got, wanted = run(made.tflite, x), np.asarray(rounded(x, training=False))
    # The scale of a softmax is 1 / 256. Where sums round otherwise on the way it may be some steps, seldom: kernels of
    # integers and of floats part by one step in a few places of each layer.
    assert np.max(np.abs(got - wanted)) <= 24 / 256
    assert np.mean(np.abs(got - wanted) > 1 / 256) < 0.06
    assert made.report.proof("cpu").snr_db > 30
    assert np.mean(np.argmax(got, -1) == y) == pytest.approx(accuracy(rounded), abs=0.0051)


@pytest.mark.parametrize("nested", [False, True])
def test_what_decodes_goes_behind_it(rounded, nested):
    """As a class map or boxes do: the trained ranges stay, and what comes behind them has none."""
    image = keras.Input((8, 8, 1), name="pixels") if nested else rounded.inputs[0]
    scores = rounded(image) if nested else rounded.outputs[0]
    best, doubled = keras.ops.argmax(scores, axis=-1), keras.ops.exp(scores / 4)
    x = digits()[0]
    model = keras.Model(image, {"best": best, "doubled": doubled})
    made = export.to_tflite(model, precision="int8", samples=x[:64])
    made.report.require()
    assert not made.report.float_layers
    plain = export.to_tflite(rounded, precision="int8", samples=x[:64]).predict(x[:64])
    found = made.predict(x[:64])
    np.testing.assert_array_equal(found["best"], plain.argmax(-1))
    np.testing.assert_allclose(found["doubled"], np.exp(plain / 4), rtol=1e-4)
    with pytest.raises(ValueError, match="was trained for precision='int8'; got precision='float16'"):
        export.to_tflite(model, precision="float16", samples=x[:64])


def test_it_regains_what_integers_cost():
    """Channels of very different sizes, which cancel: one scale for all of them leaves the small ones few steps."""
    keras.utils.set_random_seed(1)
    norm, second = layers.BatchNormalization(momentum=0.8), layers.Conv2D(48, 3, 2, use_bias=False)
    uneven = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(16, 3, padding="same", use_bias=False), norm])
    for layer in (layers.ReLU(), second, layers.BatchNormalization(momentum=0.8), layers.ReLU(), layers.Flatten()):
        uneven.add(layer)
    uneven.add(layers.Dense(10, activation="softmax"))
    wanted = accuracy(train(uneven, 15, 3e-3))
    sizes = (32 ** np.random.default_rng(0).uniform(-1, 1, 16)).astype("float32")
    norm.gamma.assign(norm.gamma * sizes)
    norm.beta.assign(norm.beta * sizes)
    second.kernel.assign(second.kernel / sizes[:, None])
    assert accuracy(uneven) == wanted
    x, _, x_test, y_test = digits()

    def of_file(model):
        # For microcontrollers, where all is integers: for phones what is lost goes back to floats.
        file = export.to_tflite(model, target="micro", precision="int8", samples=x[:200]).tflite
        return float(np.mean(np.argmax(run(file, x_test), -1) == y_test))

    assert of_file(uneven) < wanted - 0.03  # it lost 7 points
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of how much there is to regain
        made = optimize.quantize_aware(uneven, samples=x[:200])
    assert of_file(train(train(made, 15, 3e-3), 10)) >= wanted - 0.005


def test_a_file_agrees_with_the_trained_model_in_steps(rounded, monkeypatch):
    x = digits()[2][:16]
    (proof,) = export.to_tflite(rounded, precision="int8", samples=x).report.require().proofs
    step = 1 / 256  # of a softmax
    got = run(export.to_tflite(rounded, precision="int8", samples=x).tflite, x)
    wanted = np.asarray(rounded(x, training=False))
    assert proof.rms_steps == pytest.approx(np.sqrt(np.mean((got - wanted) ** 2)) / step, rel=1e-2)
    assert 0 < proof.rms_steps < 3
    monkeypatch.setattr(proofs, "MAX_TRAINED_STEPS", proof.rms_steps / 2)
    (proof,) = export.to_tflite(rounded, precision="int8", samples=x).report.proofs
    assert proof.verdict == "WRONG"
    assert re.search(r"is \d.\d steps of its outputs \(rms\) from the model that trained", proof.reason)


@pytest.mark.parametrize(("few", "off", "verdict"), [(True, 14, "PROVEN"), (False, 8, "WRONG")])
def test_it_is_the_rms_difference_to_the_trained_model_that_counts(few, off, verdict, monkeypatch):
    """Numbers of the model made up from those of the file: one of 512 far off, or all of them a little."""
    monkeypatch.setattr(proofs, "MAX_TRAINED_STEPS", 6)
    x = samples(16, (4,))
    blob = export.to_tflite(dense(4, 32), precision="int8", samples=x).tflite
    graph = read_graph(blob)
    scale = graph.outputs[0].step
    wanted = np.concatenate([run_reference(blob, x=row[None])["y"] for row in x])
    wanted.reshape(-1)[: 1 if few else None] += off * scale
    (proof,) = proofs.prove_blob(blob, graph, {"x": x}, ["cpu"], expected={"y": wanted}, precision="int8", trained=True)
    assert proof.rms_steps == pytest.approx(off / np.sqrt(512 if few else 1), abs=0.5)
    assert proof.verdict == verdict, proof.reason


def test_a_range_remembers_every_batch():
    """From the first on, whichever has the smallest and the largest number; zero belongs to it, too."""

    class Kept:
        def build(self, shape, name, state):
            return {
                bound: state.add(f"{name}_{bound}", value) for bound, value in (("min_var", -6.0), ("max_var", 6.0))
            }

    def measured(*batches):
        mode = Mode()
        found = Range(Kept(), mode)
        mode.now = MEASURE
        for batch in batches:
            np.testing.assert_array_equal(found(np.float32(batch)), np.float32(batch))
        return [float(found.bounds[bound]) for bound in ("min_var", "max_var")]

    assert measured([0.5, 3], [-2, 1], [0, 0.25]) == [-2, 3]
    assert measured([-1, -2], [-0.5]) == [-2, 0]
    assert measured([1, 2]) == [0, 2]


def test_joined_scales_keep_what_is_known_of_either():
    """Three sets of tensors: what is laid down and how often numbers are made goes over to the one that stays."""
    a, b, c = (object() for _ in range(3))
    scales = Scales()
    scales.made.update({scales.find(a): 2, scales.find(b): 3})
    scales.fixed[scales.find(a)] = (0, 1)
    scales.join(a, [b])
    root = scales.find(a)
    assert root == scales.find(b) != scales.find(c)
    assert (scales.made[root], scales.fixed[root]) == (5, (0, 1))
    assert list(scales.made) == list(scales.fixed) == [root]
    # A range that is laid down keeps to its own set, beside one that is not.
    scales.join(c, [b])
    assert scales.find(c) == root, "all that c is made of has one range"
    d, e = object(), object()
    scales.join(d, [a, e])
    assert scales.find(d) == scales.find(e) != root
    # A set is not joined with itself.
    scales.join(a, [b])
    assert scales.find(a) == root


def test_every_output_of_a_file_has_the_range_it_trained_with(rounded):
    """A range is in the file as it is in the model: no calibration comes between."""
    image = rounded.get_layer("image_range")
    (tensor,) = read_graph(export.to_tflite(rounded, precision="int8", io="int8").tflite).inputs
    low, high = (float(image.bounds[bound]) for bound in ("min_var", "max_var"))
    assert tensor.scale == pytest.approx((high - low) / 255, rel=1e-5)


def test_strip_gives_the_trained_weights_in_the_users_architecture(floats, rounded):
    plain = optimize.strip(rounded)
    assert [type(layer) for layer in plain.layers] == [type(layer) for layer in floats.layers]
    assert [layer.name for layer in plain.layers] == [layer.name for layer in floats.layers]
    assert len(plain.trainable_weights) == len(floats.trainable_weights)
    assert accuracy(plain) == pytest.approx(accuracy(rounded), abs=0.01)
    assert accuracy(plain) != accuracy(floats)


def test_ordinary_keras_trains_it(floats, tmp_path):
    tf = pytest.importorskip("tensorflow")
    x, y, x_test, y_test = digits()
    made = optimize.quantize_aware(floats, samples=x[:100])
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 50)
    made.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        {"digit": "sparse_categorical_crossentropy"},
        metrics={"digit": ["accuracy"]},
        jit_compile=True,
    )
    path = tmp_path / "best.weights.h5"
    callbacks = [
        keras.callbacks.EarlyStopping(restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(path, save_weights_only=True, save_best_only=True),
    ]
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(100, drop_remainder=True)
    test = (x_test[:100], y_test[:100])
    made.fit(data, epochs=2, validation_data=test, callbacks=callbacks, shuffle=False, verbose=0)
    before = accuracy(made)
    made.set_weights([np.zeros(weight.shape, weight.dtype) for weight in made.weights])
    made.load_weights(path)
    assert accuracy(made) == pytest.approx(before, abs=0.01)


def test_every_weight_has_a_gradient_in_a_loop_of_ones_own(floats):
    tf = pytest.importorskip("tensorflow")
    x, y, _, _ = digits()
    made = optimize.quantize_aware(floats, samples=x[:100])
    with tf.GradientTape() as tape:
        loss = ops.mean(keras.losses.sparse_categorical_crossentropy(y[:64], made(x[:64], training=True)))
    weights = made.trainable_weights
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    assert len(weights) == len(floats.trainable_weights)
    assert [weight.path for weight, gradient in zip(weights, gradients, strict=True) if gradient is None] == []
    assert all(float(ops.max(ops.abs(gradient))) > 0 for gradient in gradients)


def test_ranges_follow_training(floats):
    x = digits()[0]
    made = optimize.quantize_aware(floats, samples=x[:100])
    bounds = [made.get_layer(name).bounds["max_var"] for name in ("image_range", "wide_range")]
    assert float(bounds[0]) == pytest.approx(1.0)
    before = [float(bound) for bound in bounds]
    made(2 * x[:64], training=False)
    assert [float(bound) for bound in bounds] == before
    made(2 * x[:64], training=True)
    assert float(bounds[0]) == pytest.approx(0.999 * 1 + 0.001 * 2)  # tfmot's moving average
    assert float(bounds[1]) != before[1]


def test_weights_that_shall_not_train_do_not(floats):
    floats.get_layer("stem").trainable = False
    try:
        made = optimize.quantize_aware(floats, samples=digits()[0][:100])
    finally:
        floats.get_layer("stem").trainable = True
    assert len(made.trainable_weights) == len(floats.trainable_weights) - 1


def test_a_convolution_and_its_normalization_may_be_shared():
    image = keras.Input((8, 8, 3), name="image")
    conv, norm = layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()
    x = layers.ReLU()(norm(conv(image)))
    x = layers.ReLU()(norm(conv(x)))
    model = enliven(keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x))))
    made = optimize.quantize_aware(model, samples=samples())
    assert made.plan.difference < 1e-5
    export.to_tflite(made, precision="int8", samples=samples()).report.require()


def test_several_inputs_nested_models_and_layers_called_twice():
    part = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])
    left, right = keras.Input((8, 8, 3), name="a"), keras.Input((8, 8, 3), name="b")
    both = layers.Concatenate()([part(left), part(right)])
    model = enliven(keras.Model({"a": left, "b": right}, {"sum": layers.Dense(3)(both), "both": both}))
    x = {"a": samples(), "b": samples(seed=1)}
    made = optimize.quantize_aware(model, samples=x)
    assert set(made(x)) == {"sum", "both"}
    report = export.to_tflite(made, precision="int8", samples=x).report
    report.require()
    # What a file stores together has one range: no number is rounded again on its way into a concatenation. The two
    # inputs are rounded, and nothing else is.
    assert report.operators["QUANTIZE"] == 2


@keras.saving.register_keras_serializable("tests")
class Gain(keras.layers.Layer):
    """One factor a channel; it counts the steps that it trains."""

    def build(self, input_shape):
        self.gain = self.add_weight((input_shape[-1],), initializer="ones", name="gain")
        self.steps = self.add_weight((), "zeros", name="steps", trainable=False)

    def call(self, inputs, training=None):
        if training:
            self.steps.assign(self.steps + 1)
        return inputs * self.gain

    def compute_output_shape(self, input_shape):
        return input_shape


def gained():
    image = keras.Input((8, 8, 3), name="image")
    x = Gain(name="gain")(layers.Conv2D(4, 3)(image))
    return enliven(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)), name="gained"))


def test_a_class_brings_its_own_rule(monkeypatch):
    from keraslayers.export.optimize import rules

    monkeypatch.setattr(rules, "_REGISTERED", {})
    made = optimize.quantize_aware(gained(), samples=samples())
    # Only now: by itself tfmot warns of what it imports.
    from tensorflow_model_optimization.python.core.quantization.keras import quantize_config, quantizers

    in_floats = export.to_tflite(made, precision="int8", samples=samples()).report.require().float_operators
    assert in_floats["MUL"] == 1

    class Rule(quantize_config.QuantizeConfig):
        def get_weights_and_quantizers(self, layer):
            return [(layer.gain, quantizers.LastValueQuantizer(8, per_axis=False, symmetric=False, narrow_range=False))]

        def get_output_quantizers(self, layer):
            return [quantizers.MovingAverageQuantizer(8, per_axis=False, symmetric=False, narrow_range=False)]

        def get_activations_and_quantizers(self, layer):
            raise AssertionError("not called")

        set_quantize_weights = set_quantize_activations = get_config = get_activations_and_quantizers

    optimize.register(Gain, Rule)
    model = gained()
    made = optimize.quantize_aware(model, samples=samples())
    assert len(made.trainable_weights) == len(model.trainable_weights)
    assert not export.to_tflite(made, precision="int8", samples=samples()).report.require().float_operators
    made.compile("sgd", "mse")
    x, steps = samples(), optimize.strip(made).get_layer("gain").steps.numpy()
    made.fit(x, np.zeros((len(x), 3)), batch_size=len(x) // 2, verbose=0)
    assert optimize.strip(made).get_layer("gain").steps.numpy() == steps + 2
    optimize.register(Gain, Rule())  # the same once more

    class Other(Rule):
        pass

    with pytest.raises(ValueError, match="Gain has a rule already, Rule"):
        optimize.register(Gain, Other)


def test_our_layers_need_no_rule():
    image = keras.Input((8, 8, 4), name="image")
    x = keraslayers.ImageKernel2D("gaussian_blur")(image)
    x = keraslayers.SpatialSeparableConv2D(6, 3, activation="relu")(x)
    x = keraslayers.PaddedConv2D(8, 3, padding=2, activation="relu")(x)
    x = keraslayers.Maxout(2)(x)
    x = keraslayers.HardSwish()(x)
    x = keraslayers.SqueezeExcite()(x)
    x = keraslayers.LocalResponseNormalization(2)(x)
    x = keraslayers.Resample2D(scale=2, method="nearest")(x)
    x = keraslayers.HardTanh()(layers.AveragePooling2D(2)(x))
    model = enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))))
    x = samples(shape=(8, 8, 4))
    made = optimize.quantize_aware(model, samples=x)
    assert made.plan.difference < 1e-5
    export.to_tflite(made, precision="int8", samples=x).report.require()


def test_the_process_stays_as_it_was():
    """Importing tfmot turns `tf.keras` into Keras 2 where nobody takes care."""
    code = """
import os, sys
import keras, numpy as np
from keraslayers.export import optimize
assert "tensorflow_model_optimization" not in sys.modules and "tf_keras" not in sys.modules
x = keras.Input((4,))
optimize.quantize_aware(keras.Model(x, keras.layers.Dense(2)(x)), samples=np.random.rand(8, 4).astype("float32"))
assert "tensorflow_model_optimization" in sys.modules
import tensorflow as tf
print(tf.keras.__version__, os.environ.get("TF_USE_LEGACY_KERAS"))
"""
    for before in (None, "0"):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": before or ""}
        if before is None:
            del environment["TF_USE_LEGACY_KERAS"]
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-2:] == [keras.__version__, str(before)]


class Gated(layers.Layer):
    """A sum with a vector and a product with one that Dense made: as they are, LiteRT's GPU computes both wrongly."""

    def build(self, input_shape):
        self.gate = layers.Dense(input_shape[-1], activation="sigmoid")
        self.gate.build((None, input_shape[-1]))

    def call(self, inputs):
        mean = ops.mean(inputs, axis=(1, 2), keepdims=True)
        gate = self.gate(ops.squeeze(mean, (1, 2)))
        return (inputs + mean) * ops.expand_dims(gate, (1, 2))

    def compute_output_shape(self, input_shape):
        return input_shape


def test_layers_without_a_rule_are_named_and_stay_in_floats():
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, name="before")(image)
    x = keraslayers.DeformableConv2D(4, 3, name="moving")(x)
    x = layers.Activation("softplus", name="soft")(x)
    model = enliven(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))))
    # By the name that the user gave, whatever was made of the layer on the way.
    skip = []
    for name in ("moving", "soft"):
        with pytest.raises(ValueError, match=rf"skip=\['{name}'\]"):
            optimize.quantize_aware(model, samples=samples(), skip=skip)
        skip.append(name)
    made = optimize.quantize_aware(model, samples=samples(), skip=skip)
    assert made.plan.difference < 1e-5
    export.to_tflite(made, precision="int8", samples=samples()).report.require()


@needs_gpu
def test_what_a_layer_holds_is_written_for_the_gpu_too():
    image = keras.Input((8, 8, 3), name="image")
    x = Gated()(layers.Conv2D(24, 3, activation="relu")(image))
    model = enliven(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))))
    made = optimize.quantize_aware(model, samples=samples())
    export.to_tflite(made, target="gpu-fp32", precision="int8", samples=samples()).report.require()


def test_gates_of_convolutions_need_no_pooling():
    """With a sigmoid of its own the last convolution still makes an image."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(24, 3, activation="relu")(image)
    gate = layers.Reshape((1, 1, 24))(layers.GlobalAveragePooling2D()(x))
    gate = layers.Conv2D(24, 1, activation="sigmoid")(layers.Conv2D(6, 1, activation="silu")(gate))
    x = layers.GlobalAveragePooling2D()(layers.Multiply()([x, gate]))
    model = enliven(keras.Model(image, layers.Dense(3)(x)))
    made = optimize.quantize_aware(model, samples=samples())
    assert "MAX_POOL_2D" not in read_graph(export.to_tflite(made, precision="int8").tflite).operators
