"""Numbers of several scales in int8: detectors, tables, spectra, units that are dead, numbers that are names."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keraslayers import SqueezeExcite
from keraslayers.export import Verdict, prove, repair, to_tflite
from keraslayers.export.optimize import quantize_aware
from tests.export_models import needs_gpu, samples

# Images of 32 pixels stand for a camera's of 640, in which boxes are told.
SIZE, GRID, CAMERA = 32, 4, 640


def answers(blob, x):
    """What LiteRT makes of the samples of a file's one input, one by one."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=blob).get_signature_runner()
    (name,) = runner.get_input_details()
    return np.concatenate([next(iter(runner(**{name: one[None]}).values())) for one in x])


def fitted(model, x, y, loss, epochs, rate=0.01):
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(x, y, epochs=epochs, batch_size=50, verbose=0)
    return model


def correct(scores, y):
    return np.mean(np.argmax(scores, -1) == y)


# --- a detector


def drawn(count, seed=0):
    """Images of a ring or a square each, and for each cell of a grid (x, y, width, height, ring, square)."""
    random = np.random.default_rng(seed)
    places, sizes = random.uniform(8, SIZE - 8, (count, 2)), random.uniform(6, 10, count)
    kinds = random.integers(0, 2, count)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    images, cells = np.zeros((count, SIZE, SIZE, 3), "float32"), np.zeros((count, GRID, GRID, 6), "float32")
    for i, ((x, y), size, kind) in enumerate(zip(places, sizes, kinds, strict=True)):
        across, down = np.abs(columns - x), np.abs(rows - y)
        far = np.hypot(across, down)
        inside = (far < size) & (far > size / 2) if kind else np.maximum(across, down) < size
        images[i] = random.uniform(0, 0.3) + inside[..., None] * random.uniform(0.5, 0.7, 3)
        box = np.array([x, y, 2 * size, 2 * size]) * CAMERA / SIZE
        cells[i, int(y * GRID / SIZE), int(x * GRID / SIZE)] = (*box, kind, 1 - kind)
    return images, cells


def detector():
    """Boxes in pixels beside scores, for each cell of a grid."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = image
    for filters in (12, 24, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    cells = GRID * GRID
    boxes = layers.Reshape((cells, 4))(layers.Conv2D(4, 1, name="boxes")(x))
    grid = np.stack(np.meshgrid(np.arange(GRID), np.arange(GRID)), -1).reshape(1, cells, 2).astype("float32")
    centers = ops.sigmoid(boxes[..., :2]) * (CAMERA / GRID) + grid * (CAMERA / GRID)
    sides = ops.sigmoid(boxes[..., 2:]) * CAMERA
    scores = layers.Reshape((cells, 2))(layers.Conv2D(2, 1, activation="sigmoid", name="scores")(x))
    return keras.Model(image, layers.Concatenate(name="found")([centers, sides, scores]), name="detector")


def detector_loss(wanted, got):
    wanted = ops.reshape(wanted, (-1, GRID * GRID, 6))
    there = ops.max(wanted[..., 4:], -1)
    boxes = ops.sum(there * ops.sum(ops.abs(wanted - got)[..., :4], -1)) / ops.sum(there)
    return boxes * SIZE / CAMERA + 10 * ops.sum(
        keras.losses.binary_crossentropy(wanted[..., 4:], got[..., 4:])
    ) / ops.sum(there)


def found(predicted, cells):
    """The part of the images whose best box is of the right kind and lies on the object by 0.5 of their union."""
    right = []
    for boxes, wanted in zip(predicted, cells.reshape(len(cells), -1, 6), strict=True):
        (truth,) = wanted[wanted[:, 4:].max(-1) == 1]
        best = boxes[np.argmax(boxes[:, 4:].max(-1))]
        low = np.maximum(best[:2] - best[2:4] / 2, truth[:2] - truth[2:4] / 2)
        high = np.minimum(best[:2] + best[2:4] / 2, truth[:2] + truth[2:4] / 2)
        shared = np.prod(np.maximum(high - low, 0))
        overlap = shared / (np.prod(best[2:4]) + np.prod(truth[2:4]) - shared)
        right.append(overlap > 0.5 and np.argmax(best[4:]) == np.argmax(truth[4:]))
    return np.mean(right)


@pytest.fixture(scope="module")
def trained():
    """A detector that finds nearly all, and what it was trained on."""
    keras.utils.set_random_seed(0)
    images, cells = drawn(1000)
    model = fitted(detector(), images, cells.reshape(len(cells), -1, 6), detector_loss, 10)
    return model, images


@pytest.fixture(scope="module")
def unseen():
    return drawn(300, seed=1)


def test_a_detector_finds_in_int8_what_it_finds_in_keras(trained, unseen):
    model, images = trained
    wanted = found(model.predict(unseen[0], verbose=0), unseen[1])
    assert wanted > 0.95
    made = to_tflite(model, precision="int8", samples=images[:100])
    assert found(answers(made.tflite, unseen[0]), unseen[1]) > wanted - 0.01
    (proof,) = made.report.require().proofs
    assert proof.partitions == 1
    # What decodes the boxes and what joins them is in floats, and no convolution.
    assert set(made.report.float_operators) == {"ADD", "CONCATENATION", "MUL"}


def test_a_detector_that_trained_for_int8_does_too(trained, unseen):
    model, images = trained
    wanted = found(model.predict(unseen[0], verbose=0), unseen[1])
    made = to_tflite(quantize_aware(model, samples=images[:100]), precision="int8", samples=images[:16])
    assert found(answers(made.tflite, unseen[0]), unseen[1]) > wanted - 0.01
    (proof,) = made.report.require().proofs
    assert proof.partitions == 1
    assert set(made.report.float_operators) == {"ADD", "CONCATENATION", "MUL"}


def test_integers_for_an_output_cannot_hold_both_and_it_says_what_can(trained):
    model, images = trained
    (proof,) = to_tflite(model, precision="int8", samples=images[:100], io="int8").report.proofs
    assert proof.verdict is Verdict.WRONG
    assert proof.reason.endswith("An int8 has one scale for all of them: io='float32' keeps each")


def stock(model, x):
    """What TensorFlow's own converter makes of it in int8."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None]] for one in x)
    return converter.convert()


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_the_detector_of_another_tool_is_repaired(trained, unseen):
    model, images = trained
    wanted = found(model.predict(unseen[0], verbose=0), unseen[1])
    given = stock(model, images[:50])
    assert found(answers(given, unseen[0]), unseen[1]) < 0.5  # every score is zero
    made = repair(given, target="cpu", samples=images[:16])
    assert "join_in_floats" in made.report.require().rewrites
    assert found(answers(made.tflite, unseen[0]), unseen[1]) > wanted - 0.01


def spelled(boxes, scores):
    """The same by other ways to write it."""
    pixels = boxes * 300 + 320
    both = ops.concatenate([pixels, scores], -1)
    yield "turned", ops.transpose(both, (0, 2, 1))
    yield "stacked", ops.stack([pixels[..., 0], scores[..., 0]], -1)
    yield "of_levels", ops.concatenate([both, ops.concatenate([boxes * 100, scores], -1)], 1)
    yield "stretched", ops.concatenate([ops.sigmoid(boxes), scores], -1) * np.float32([640, 480, 640, 480, 1, 1])
    yield "chosen", ops.where(scores > 0.3, scores, -1e4)


def test_numbers_of_several_scales_are_joined_in_floats_however_it_is_written():
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    boxes = layers.Reshape((16, 4))(layers.Conv2D(4, 1)(x))
    scores = layers.Reshape((16, 2))(layers.Conv2D(2, 1, activation="sigmoid")(x))
    model = keras.Model(image, dict(spelled(boxes, scores)))
    x = samples(32, (8, 8, 3))
    made = to_tflite(model, precision="int8", samples=x)
    made.report.require()
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=made.tflite).get_signature_runner()
    got = [runner(image=one[None]) for one in x]
    for name, values in model.predict(x, verbose=0).items():
        values = np.moveaxis(values, -1, 1) if name != "turned" else values
        numbers = np.concatenate([one[name] for one in got])
        numbers = np.moveaxis(numbers, -1, 1) if name != "turned" else numbers
        for column in range(values.shape[1]):
            wanted = values[:, column]
            small = np.abs(wanted) < 1e4 - 1
            error = np.abs(numbers[:, column] - wanted)[small & (np.abs(numbers[:, column]) < 1e4 - 1)]
            # A sixth of what the column reaches is five steps in 32; in one scale it would be all of it.
            assert np.sqrt(np.mean(error**2)) < 0.15 * np.ptp(wanted[small]), (name, column)


def test_a_concatenation_that_is_summed_again_stays_integer():
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same")(image)
    x = layers.Concatenate()([x * 100, layers.Activation("sigmoid")(layers.Conv2D(4, 1)(image))])
    model = keras.Model(image, layers.Conv2D(2, 1)(x))
    made = to_tflite(model, precision="int8", samples=samples(16, (8, 8, 3)))
    assert made.report.float_operators == {}


# --- columns and spectra


def test_columns_of_several_scales_keep_their_accuracy():
    keras.utils.set_random_seed(0)
    means, deviations = np.float32([0, 2e3, 5e6]), np.float32([1, 1e3, 1e6])
    z = np.random.default_rng(0).normal(size=(600, 3)).astype("float32")
    x, y = means + z * deviations, (z[:, 0] > 0) + 2 * (z[:, 1] > 0)
    normalization = layers.Normalization()
    normalization.adapt(x)
    table = keras.Input((3,), name="table")
    hidden = layers.Dense(16, activation="relu")(normalization(table))
    model = keras.Model(table, layers.Dense(4, activation="softmax")(hidden))
    fitted(model, x, y, "sparse_categorical_crossentropy", 12, 0.03)
    wanted = correct(model.predict(x, verbose=0), y)
    assert wanted > 0.95
    made = to_tflite(model, precision="int8", samples=x[:200])
    assert made.report.require().float_layers == ()  # found by what it is, not by what it lost
    assert made.report.float_operators == {"MUL": 1, "SUB": 1}
    assert correct(answers(made.tflite, x), y) > wanted - 0.01


def test_a_spectrum_of_which_the_logarithm_is_taken_keeps_its_accuracy():
    keras.utils.set_random_seed(0)
    random, length = np.random.default_rng(0), 512
    y = random.integers(0, 3, 200)
    tones = 2 * np.pi * np.array([300, 900, 2400])[y, None] * np.arange(length) / 8000 + random.uniform(0, 6, (200, 1))
    x = 10 ** random.uniform(-3, 0, (200, 1)) * np.sin(tones) + 1e-4 * random.normal(size=(200, length))
    audio = keras.Input((length,), name="audio")
    mel = layers.MelSpectrogram(128, 64, 128, num_mel_bins=20, sampling_rate=8000, min_freq=50, max_freq=4000)
    features = layers.Conv1D(16, 3, activation="relu")(layers.Permute((2, 1))(mel(audio)))
    classes = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(features))
    model = fitted(keras.Model(audio, classes), x.astype("float32"), y, "sparse_categorical_crossentropy", 12)
    wanted = correct(model.predict(x, verbose=0), y)
    assert wanted > 0.95
    made = to_tflite(model, precision="int8", samples=x[:100])
    assert made.report.require().float_layers == ()
    assert "CONV_2D" not in made.report.float_operators
    assert correct(answers(made.tflite, x.astype("float32")), y) > wanted - 0.01


# --- dead units


@pytest.mark.parametrize("trained_for_int8", [False, True])
def test_a_dead_squeeze_unit(trained_for_int8):
    image = keras.Input((8, 8, 3), name="image")
    x = SqueezeExcite(name="gate")(layers.Conv2D(16, 3, activation="relu")(image))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    kernel, bias = model.get_layer("gate").weights[:2]
    kernel.assign(-np.abs(kernel.numpy()))  # behind a ReLU, whose numbers are positive
    bias.assign(-np.ones(bias.shape))
    model.get_layer("gate").weights[3].assign(np.linspace(-1, 1, 16))
    x = samples(32, (8, 8, 3))
    if trained_for_int8:
        model = quantize_aware(model, samples=x)
    (proof,) = to_tflite(model, precision="int8", samples=None if trained_for_int8 else x).report.require().proofs
    assert (proof.delegated, proof.partitions) == (proof.operators, 1)
    assert proof.snr_db is None or proof.snr_db > 25


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_a_dead_activation():
    image = keras.Input((8, 8, 3), name="image")
    dead = layers.Conv2D(4, 1, activation="relu", bias_initializer=keras.initializers.Constant(-100.0), name="dead")
    model, x = keras.Model(image, layers.Conv2D(4, 1)(dead(image))), samples(16, (8, 8, 3))
    assert not np.any(keras.Model(image, model.get_layer("dead").output)(x))
    assert to_tflite(model, precision="int8", samples=x).report.proof("cpu").verdict is Verdict.PROVEN
    (proof,) = prove(stock(model, x), "cpu", samples=x).proofs
    assert proof.verdict is Verdict.REJECTED
    assert "dead" in proof.reason
    assert "was zero on every sample" in proof.reason
    assert "give more typical samples, or look for dead units there" in proof.reason


# --- numbers that are names, states


def test_ids_are_exact_before_the_first_sum():
    ids = keras.Input((), dtype="int32", name="ids")
    model = keras.Model(ids, layers.Dense(300)(layers.CategoryEncoding(300, output_mode="one_hot")(ids)))
    x = np.arange(300).astype("int32")
    model.layers[-1].set_weights([np.eye(300), np.zeros(300)])
    made = to_tflite(model, precision="int8", samples=x)
    np.testing.assert_allclose(answers(made.tflite, x), np.eye(300), atol=0.01)  # a step is 1 / 255
    assert made.report.require()


def test_an_lstm_behind_a_masked_embedding():
    random = np.random.default_rng(0)
    ids = random.integers(1, 50, (32, 5)).astype("int32")
    ids[np.arange(5) >= random.integers(2, 6, (32, 1))] = 0
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    # As large as trained ones: the steps of a TANH are 1 / 128, whatever comes.
    embedded = layers.Embedding(50, 8, keras.initializers.RandomNormal(stddev=1, seed=0), mask_zero=True)(tokens)
    states = layers.LSTM(8, kernel_initializer=keras.initializers.GlorotUniform(1))(embedded)
    made = to_tflite(keras.Model(tokens, layers.Dense(3)(states)), precision="int8", samples=ids)
    assert made.report.require().proof("cpu").snr_db > 28


@needs_gpu
@pytest.mark.parametrize(("target", "precision"), [("gpu", "float16"), ("cpu", "int8"), ("cpu", "int16x8")])
def test_a_gru_with_its_state_at_the_borders(target, precision):
    step, state = keras.Input((1, 6), name="step"), keras.Input((8,), name="state")
    outputs, after = layers.GRU(8, return_state=True)(step, initial_state=state)
    model = keras.Model([step, state], {"found": layers.Dense(3)(outputs), "after": after})
    x = {"step": samples(32, (1, 6)), "state": np.tanh(samples(32, (8,), 1))}
    report = to_tflite(model, target=target, precision=precision, samples=x).report.require()
    assert min(proof.snr_db for proof in report.proofs) > (60 if precision == "float16" else 28)
