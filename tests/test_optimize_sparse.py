"""Pruning and clustering: what they promise of weights holds through strip, quantization, files and exports."""

import zlib

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import keraslayers
from keraslayers import export
from keraslayers.export import optimize
from tests.export_models import enliven, samples
from tests.optimize_models import accuracy, digits, kernels, plain_network, train


@pytest.fixture(scope="module")
def floats():
    keras.utils.set_random_seed(0)
    return train(plain_network(), 5, 3e-3)


@pytest.fixture(scope="module")
def pruned(floats):
    return train(optimize.prune(floats, sparsity=0.5), 1)


@pytest.fixture(scope="module")
def clustered(floats):
    return train(optimize.cluster(floats, clusters=16), 1)


@pytest.fixture(scope="module")
def both(pruned):
    return train(optimize.cluster(pruned, clusters=16), 1)


@pytest.fixture(scope="module")
def quantized(pruned, clustered, both):
    """By name the quantized ones, trained for an epoch."""
    x = digits()[0][:100]
    sources = {"PQAT": pruned, "CQAT": clustered, "PCQAT": both}
    return {name: train(optimize.quantize_aware(source, samples=x), 1) for name, source in sources.items()}


def zeros(kernel):
    return float(np.mean(kernel == 0))


def distinct(kernel):
    return len(np.unique(kernel))


def stored(tflite):
    """The kernels of an int8 file, as integers with the output channels first."""
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    kinds = ("CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
    operators = [op for op in interpreter._get_ops_details() if op["op_name"] in kinds]
    return [interpreter.get_tensor(op["inputs"][1]) for op in operators]


def test_pruning_makes_half_of_the_weights_zero(floats, pruned):
    assert all(zeros(kernel) < 0.01 for kernel in kernels(floats).values())
    plain = optimize.strip(pruned)
    assert type(plain) is keras.Sequential
    for name, kernel in kernels(plain).items():
        assert zeros(kernel) == pytest.approx(0.5, abs=0.01), name
    np.testing.assert_allclose(plain(digits()[2][:9]), pruned(digits()[2][:9]), atol=1e-6)
    assert accuracy(plain) > accuracy(floats) - 0.02


def test_pruning_needs_no_callback_and_follows_its_schedule(floats):
    schedule = {"initial_sparsity": 0.2, "final_sparsity": 0.6, "begin_step": 2, "end_step": 4}
    made = optimize.prune(floats, sparsity=schedule, skip=[floats.get_layer("digit")])
    x = digits()[0][:4]
    seen = []
    for _ in range(5):
        made(x, training=True)
        seen.append(zeros(kernels(optimize.strip(made))["wide"]))
    # The first step is before it begins; in its middle it has come (1 - 1/2)**3 short of the end.
    np.testing.assert_allclose(seen, [0, 0.2, 0.6 - 0.4 / 8, 0.6, 0.6], atol=0.001)
    assert zeros(kernels(optimize.strip(made))["digit"]) == 0
    made(x, training=False)
    assert int(made.plan.wrappers[0].step) == 5


def test_two_of_four_in_a_row_of_input_channels(floats):
    made = train(optimize.prune(floats, pattern="2:4", skip="conv0"), 1)
    plain = optimize.strip(made)
    for name, kernel in kernels(plain).items():
        if name != "conv0":
            fours = np.moveaxis(kernel, -2, -1).reshape(-1, 4)
            assert set(np.count_nonzero(fours, axis=1)) == {2}, name


def test_blocks_of_a_dense_layer(floats):
    plain = optimize.strip(train(optimize.prune(floats, block=(2, 4)), 1))
    blocks = kernels(plain)["wide"].reshape(-1, 2, 8, 4).swapaxes(1, 2).reshape(-1, 8)
    assert set(np.count_nonzero(blocks, axis=1)) == {0, 8}
    assert np.mean(np.count_nonzero(blocks, axis=1) == 0) == pytest.approx(0.5, abs=0.01)
    assert zeros(kernels(plain)["conv1"]) < 0.01


def test_clustering_leaves_sixteen_different_weights(floats, clustered):
    plain = optimize.strip(clustered)
    for name, kernel in kernels(plain).items():
        assert 2 <= distinct(kernel) <= 16, name
    np.testing.assert_allclose(plain(digits()[2][:9]), clustered(digits()[2][:9]), atol=1e-6)
    assert accuracy(plain) > accuracy(floats) - 0.03


def test_centroids_train(floats):
    made = optimize.cluster(floats, clusters=4, initialization="linear")
    centroids = made.plan.wrappers[0].centroids
    before = np.array(centroids)
    np.testing.assert_allclose(np.diff(before), (before[-1] - before[0]) / 3, rtol=1e-5)
    train(made, 1)
    assert np.all(np.array(centroids) != before)


def test_clustering_keeps_zeros(pruned, both):
    zero = {name: kernel == 0 for name, kernel in kernels(optimize.strip(pruned)).items()}
    for name, kernel in kernels(optimize.strip(both)).items():
        assert np.all(kernel[zero[name]] == 0), name
        assert distinct(kernel) <= 16


@pytest.mark.parametrize("name", ["PQAT", "CQAT", "PCQAT"])
def test_quantization_keeps_zeros_and_clusters(name, quantized, floats):
    made = quantized[name]
    file = export.to_tflite(made, precision="int8", samples=digits()[2])
    file.report.require()
    for where in (kernels(optimize.strip(made)).values(), stored(file.tflite)):
        for kernel in where:
            if name != "CQAT":
                assert zeros(kernel) >= 0.49
            if name != "PQAT":
                # Clusters are of a kernel; the channels of a file have each a scale of their own.
                channels = [kernel] if kernel.dtype == np.float32 else list(kernel)
                assert max(distinct(channel) for channel in channels) <= 16
    assert accuracy(made) > accuracy(floats) - 0.03


def test_the_file_compresses(quantized, floats):
    plain = export.to_tflite(floats, precision="int8", samples=digits()[0][:100]).tflite
    kept = export.to_tflite(quantized["PCQAT"], precision="int8").tflite
    assert len(zlib.compress(kept, 9)) < 0.75 * len(zlib.compress(plain, 9))


def test_a_pruned_model_exports_as_it_is(pruned):
    file = export.to_tflite(pruned, precision="int8", samples=digits()[0][:100])
    file.report.require()
    assert all(zeros(kernel) >= 0.49 for kernel in stored(file.tflite))


def test_what_was_saved_goes_on(pruned, clustered, quantized, tmp_path):
    x = digits()[2][:9]
    for name, made in {"pruned": pruned, "clustered": clustered, **quantized}.items():
        path = tmp_path / f"{name}.zip"
        wanted = np.array(made(x, training=False))
        optimize.save(made, path)
        again = optimize.load(path)
        np.testing.assert_allclose(again(x, training=False), wanted, atol=1e-6, err_msg=name)
        assert [weight.shape for weight in again.weights] == [weight.shape for weight in made.weights]
        assert [weight.trainable for weight in again.weights] == [weight.trainable for weight in made.weights]
        step = [int(wrapper.step) for wrapper in again.plan.wrappers if hasattr(wrapper, "step")]
        assert step == ([22] * 4 if name == "pruned" else [])  # 1400 images in batches of 64
        train(again, 1)
        for kernel in kernels(optimize.strip(again)).values():
            if name in ("pruned", "PQAT", "PCQAT"):
                assert zeros(kernel) >= 0.49
            if name in ("clustered", "CQAT", "PCQAT"):
                assert distinct(kernel) <= 16


def test_a_kernel_that_two_calls_share_has_one_mask():
    image = keras.Input((8, 8, 3), name="image")
    conv = layers.Conv2D(3, 3, padding="same")
    model = enliven(keras.Model(image, layers.Flatten()(conv(conv(image)))))
    made = optimize.prune(model)
    assert len(made.plan.wrappers) == 1
    made(samples(), training=True)
    assert zeros(kernels(optimize.strip(made))[conv.name]) == pytest.approx(0.5, abs=0.02)


def test_one_step_of_training_is_one_step_of_a_shared_kernel():
    image = keras.Input((8, 8, 3), name="image")
    conv = layers.Conv2D(3, 3, padding="same")
    model = enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(conv(conv(image))))))
    made = optimize.prune(model)
    made.compile("sgd", "mse")
    made.fit(samples(), np.zeros((24, 3)), batch_size=8, epochs=2, verbose=0)
    made(samples(), training=True)
    assert [int(wrapper.step) for wrapper in made.plan.wrappers] == [7, 7]


@pytest.mark.parametrize("optimization", ["prune", "cluster", "quantize_aware"])
def test_what_outputs_cost_is_kept(optimization):
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, activity_regularizer=keras.regularizers.L2(0.1))(image)
    x = layers.Conv2D(4, 3, activation="silu", activity_regularizer=keras.regularizers.L1(0.1))(x)
    x = layers.Activation("tanh", activity_regularizer=keras.regularizers.L1(0.1))(x)
    model = enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))))
    wanted = model(samples()) is not None and float(sum(model.losses))
    options = {"samples": samples()} if optimization == "quantize_aware" else {}
    made = getattr(optimize, optimization)(model, **options)
    made(samples(), training=False)
    # Half of the weights, and rounding, leave outputs of about the same size.
    assert float(sum(made.losses)) == pytest.approx(wanted, rel=1e-5 if optimization == "prune" else 0.05)


def test_separable_kernels_keep_zeros_and_clusters(tmp_path):
    image = keras.Input((8, 8, 8), name="image")
    x = layers.SeparableConv2D(16, 3, name="separable")(image)
    model = enliven(keras.Model(image, layers.Dense(3, name="last")(layers.GlobalAveragePooling2D()(x))))
    x = samples(shape=(8, 8, 8))
    sparse = optimize.prune(model, skip="last")
    sparse(x, training=True)
    made = optimize.quantize_aware(optimize.cluster(sparse, clusters=8, skip="last"), samples=x)
    made(x, training=True)
    optimize.save(made, tmp_path / "made.zip")
    for one in (made, optimize.load(tmp_path / "made.zip")):
        layer = optimize.strip(one).get_layer("separable")
        assert zeros(np.asarray(layer.pointwise_kernel)) >= 0.5
        assert distinct(np.asarray(layer.pointwise_kernel)) <= 8
        assert zeros(np.asarray(layer.depthwise_kernel)) < 0.1


@pytest.mark.parametrize("name", ["half", "2:4", "16 clusters"])
def test_it_holds_through_strip_files_quantization_and_exports(name, floats, tmp_path):
    """Without a kernel of one input channel: of these no four stand in a row."""
    made = {
        "half": lambda: optimize.prune(floats, skip="conv0"),
        "2:4": lambda: optimize.prune(floats, pattern="2:4", skip="conv0"),
        "16 clusters": lambda: optimize.cluster(floats, clusters=16, skip="conv0"),
    }[name]()
    train(made, 1)
    optimize.save(made, tmp_path / "made.zip")
    again = optimize.load(tmp_path / "made.zip")
    rounded = train(optimize.quantize_aware(again, samples=digits()[0][:100]), 1)
    optimize.save(rounded, tmp_path / "rounded.zip")
    rounded = optimize.load(tmp_path / "rounded.zip")
    plain = optimize.strip(again)
    plain.save(tmp_path / "plain.keras")
    seen = [kernels(one) for one in (plain, keras.saving.load_model(tmp_path / "plain.keras"), optimize.strip(rounded))]
    held = [np.moveaxis(kernel, -1, 0) for one in seen for key, kernel in one.items() if key != "conv0"]
    for model in (again, rounded):
        file = export.to_tflite(model, precision="int8", samples=digits()[0][:100])
        file.report.require()
        held += [kernel for kernel in stored(file.tflite) if kernel.shape[-1] > 1]
    assert len(held) == 5 * 3
    for kernel in held:
        if name == "16 clusters":  # of a file each channel has a scale of its own
            assert max(map(distinct, kernel)) <= 16
        else:
            assert zeros(kernel) >= 0.49
        if name == "2:4":
            assert max(np.count_nonzero(kernel.reshape(-1, 4), axis=1)) <= 2


def shapes():
    """Kernels of three axes, with the channels the other way round, and two in one layer."""
    image = keras.Input((8, 8, 4), name="image")
    x = keraslayers.SpatialSeparableConv2D(8, 3, rank=8, activation="relu", name="spatial")(image)
    x = layers.Conv2DTranspose(12, 3, strides=2, use_bias=False, name="transposed")(x)
    x = layers.MaxPooling2D(2)(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.GlobalMaxPooling1D()(layers.Conv1D(16, 3, name="row")(layers.Reshape((36, 12))(x)))
    return enliven(keras.Model(image, layers.Dense(3, name="last")(x)))


def rows_of_inputs(model):
    """By name the kernels of `shapes` with the input channels last, as a file has them."""
    spatial, transposed, row = (model.get_layer(name) for name in ("spatial", "transposed", "row"))
    found = {
        "vertical": np.moveaxis(np.array(spatial.vertical_kernel), -1, 0),
        "horizontal": np.moveaxis(np.array(spatial.horizontal_kernel), -1, 0),
        "row": np.moveaxis(np.array(row.kernel), -1, 0),
    }
    return {**found, "transposed": np.moveaxis(np.array(transposed.kernel), -2, 0)}


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "compiled"), [("2:4", False), ("8 clusters", False), ("half, 8 clusters", True)])
def test_kernels_of_any_shape_keep_zeros_and_clusters(name, compiled, tmp_path):
    keras.utils.set_random_seed(0)
    x = samples(shape=(8, 8, 4))
    y = np.roll(x[:, 0, 0, :3], 1, axis=0)

    def fit(model):
        model.compile(keras.optimizers.Adam(1e-2), "mse", jit_compile=compiled)
        model.fit(x, y, batch_size=8, epochs=1, verbose=0)
        return model

    def saved(model, path):
        optimize.save(model, path)
        again = optimize.load(path)
        np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
        return again

    made = shapes()
    if name != "8 clusters":
        made = fit(optimize.prune(made, pattern=name if name == "2:4" else None, skip="last"))
    if "clusters" in name:
        made = fit(optimize.cluster(made, clusters=8, skip="last"))
    sparse = optimize.strip(made)
    made = fit(saved(made, tmp_path / "made.zip"))
    rounded = fit(saved(optimize.quantize_aware(made, samples=x), tmp_path / "rounded.zip"))
    rounded = saved(rounded, tmp_path / "again.zip")
    plain = optimize.strip(rounded)
    plain.save(tmp_path / "plain.keras")
    held = [kernel for model in (sparse, optimize.strip(made), plain) for kernel in rows_of_inputs(model).values()]
    held += rows_of_inputs(keras.saving.load_model(tmp_path / "plain.keras")).values()
    # They train on, each of them.
    for key, kernel in rows_of_inputs(plain).items():
        assert not np.array_equal(kernel, rows_of_inputs(optimize.strip(made))[key]), key
    for model in (made, rounded):
        file = export.to_tflite(model, precision="int8", samples=x)
        file.report.require()
        kernels = stored(file.tflite)[:4]
        assert sorted(kernel.size for kernel in kernels) == sorted(kernel.size for kernel in held[:4])
        held += kernels
    assert len(held) == 6 * 4
    for kernel in held:
        if name != "8 clusters":
            assert zeros(kernel) >= 0.49
        if name == "2:4":
            assert max(np.count_nonzero(kernel.reshape(-1, 4), axis=1)) <= 2
        if "clusters" in name:  # of a file each channel has a scale of its own
            assert max(map(distinct, kernel)) <= 8
            assert kernel.dtype == np.int8 or distinct(kernel) <= 8


def test_the_same_script_takes_a_model_of_keras_applications(tmp_path):
    options = {"alpha": 0.25, "weights": None, "classes": 10, "input_shape": (32, 32, 3)}
    whole = keras.applications.MobileNet(**options)
    features = layers.GlobalAveragePooling2D()(whole.get_layer("conv_pw_5_relu").output)  # the rest is more of the same
    model = keras.Model(whole.input, layers.Dense(10, activation="softmax")(features))
    x, y, _, _ = digits()
    x = np.repeat(np.repeat(np.repeat(x[:64], 4, 1), 4, 2), 3, 3)

    def fit(made):
        # XLA takes longer to compile a model than it takes to train it here.
        made.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", jit_compile=False)
        made.fit(x, y[:64], verbose=0)
        return made

    made = optimize.cluster(fit(optimize.prune(model)), clusters=16)
    made = fit(optimize.quantize_aware(made, samples=x))
    optimize.save(made, tmp_path / "made.zip")
    made = optimize.load(tmp_path / "made.zip")
    for kernel in kernels(optimize.strip(made)).values():
        assert zeros(kernel) >= 0.49
        assert distinct(kernel) <= 16
    report = export.to_tflite(made, precision="int8", samples=x).report
    assert report.float_operators == {}
    # Of a network that was hardly trained the outputs are all alike; what the file computes is right nevertheless.
    assert report.proof("cpu").rms_steps < 3
