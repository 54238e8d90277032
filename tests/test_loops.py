"""Loops and states of Keras layers, in floats and in integers; and what is reckoned of numbers that stand in a file."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import Verdict, to_tflite
from keraslayers.export.file import edit
from keraslayers.export.file.evaluate import evaluate
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof import blame
from keraslayers.export.rewrites.unroll_loops import MOST_STEPS
from tests.export_models import enliven, needs_gpu, samples
from tests.file_tools import Made, run

pytestmark = pytest.mark.tensorflow
STEPS = (6, 5)


def proven(model, x, **options):
    made = to_tflite(model, samples=x, **options)
    assert {proof.verdict.name for proof in made.report.proofs} == {"PROVEN"}, made.report
    return made


def with_state():
    x, state = keras.Input(STEPS, name="x"), keras.Input((8,), name="state")
    return keras.Model([x, state], layers.GRU(8, return_sequences=True, return_state=True)(x, initial_state=state))


def masked():
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 5, mask_zero=True, embeddings_initializer=keras.initializers.RandomNormal(0, 1))(tokens)
    return keras.Model(tokens, layers.Dense(3)(layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x)))


def convolving():
    x = keras.Input((4, 8, 2), name="x")
    return keras.Model(x, layers.ConvLSTM1D(3, 3, padding="same", return_sequences=True)(x))


def given(model, count=32):
    """Samples, of tokens some at the end being zeros."""
    random, arrays = np.random.default_rng(0), []
    for tensor in model.inputs:
        if tensor.dtype == "int32":
            values = random.integers(1, 20, (count, *tensor.shape[1:])).astype("int32")
            values *= np.arange(6) < random.integers(2, 7, (count, 1))
        else:
            values = random.normal(size=(count, *tensor.shape[1:])).astype("float32")
        arrays.append(values)
    return arrays if len(arrays) > 1 else arrays[0]


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("make", [with_state, masked, convolving])
def test_loops_become_steps(make, precision):
    """Without unrolling the GPU refuses them, and the converter dies of them in int8."""
    keras.utils.set_random_seed(0)
    model = enliven(make())
    made = proven(model, given(model), target="gpu-fp32", precision=precision)
    assert "WHILE" not in read_graph(made.tflite).operators


def test_loops_of_16_bits():
    model = enliven(convolving())
    assert "WHILE" not in read_graph(proven(model, given(model), precision="int16x8").tflite).operators


def test_a_seed_is_not_in_the_file():
    x = keras.Input(STEPS, name="x")
    model = enliven(keras.Model(x, layers.GRU(8, dropout=0.2, recurrent_dropout=0.3)(x)))
    made = proven(model, given(model))
    assert made.report.rewrites.keys() == {"drop_state"}
    assert (
        not {"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"} & read_graph(made.tflite).operators.keys()
    )
    assert "NoOp" not in {graph.name.decode() for graph in edit.read(made.tflite).graphs}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_state_goes_from_call_to_call(precision):
    x = keras.Input(batch_shape=(1, *STEPS), name="x")
    model = enliven(keras.Model(x, layers.GRU(8, stateful=True, name="memory")(x)))
    begin = np.full((1, 8), 0.5, "float32")
    (state,) = model.get_layer("memory").states
    state.assign(begin)
    proven(model, samples(16, STEPS), precision=precision)
    np.testing.assert_array_equal(state.numpy(), begin)  # the user's model is as it was


def test_a_state_is_named_on_a_runtime_that_keeps_none():
    assert "return_state=True" in blame.remedy("gpu", blame._seen(edit.Operator("VAR_HANDLE", (), ())))


def test_loops_that_are_too_long_for_integers_are_told():
    x = keras.Input((MOST_STEPS + 1, 2), name="x")
    state = keras.Input((4,), name="state")
    model = keras.Model([x, state], layers.GRU(4, name="memory")(x, initial_state=state), name="long")
    words = f"model 'long' has a loop that cannot be quantized, in layer `memory`: it has more than {MOST_STEPS} steps"
    with pytest.raises(RuntimeError, match=words):
        to_tflite(model, precision="int8", samples=given(model, 2))


class Tokens(keras.Model):
    def __init__(self):
        super().__init__(name="tokens")
        self.embed, self.dense = layers.Embedding(20, 8), layers.Dense(3)

    def call(self, x):
        return self.dense(keras.ops.mean(self.embed(x), 1))


class Looping(keras.Model):
    """Of which Keras keeps no input shapes, as it cannot build it from them."""

    def __init__(self):
        super().__init__(name="looping")
        self.dense = layers.Dense(5)

    def call(self, x):
        import tensorflow as tf

        for _ in tf.range(3):
            x = x + self.dense(x)
        return x


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_whole_numbers_stay_whole_in_a_subclassed_model(dtype):
    model, x = Tokens(), np.random.default_rng(0).integers(0, 20, (8, 6)).astype(dtype)
    model(x)
    assert [tensor.dtype for tensor in read_graph(proven(model, x).tflite).inputs] == ["int32"]


def test_code_that_loops_over_a_tensor_is_told():
    model, x = Looping(), samples(4, (5,))
    model(x)
    with pytest.raises(TypeError) as caught:
        to_tflite(model, samples=x)
    assert "TensorFlow cannot write model 'looping' down as a graph. Its code loops" in caught.value.__notes__[-1]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_model_that_drops_the_batch(precision):
    x = keras.Input(batch_shape=(1, 6, 3), name="nodes")
    model = enliven(keras.Model(x, layers.Dense(4)(keras.ops.squeeze(x, 0))))
    proven(model, samples(16, (6, 3)), precision=precision)


class Compared(layers.Layer):
    def call(self, x):
        return keras.ops.matmul(x, keras.ops.transpose(x))


class Centred(layers.Layer):
    def call(self, x):
        return x - 0.5 * keras.ops.mean(x, axis=0, keepdims=True)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("layer", [Compared, Centred])
def test_samples_of_a_batch_that_influence_each_other(layer, batch):
    x = keras.Input((6,), name="x")
    proven(enliven(keras.Model(x, layer()(layers.Dense(8)(x)))), samples(10, (6,)), batch_size=batch)


def test_inputs_without_elements():
    x, none = keras.Input((4,), name="x"), keras.Input((0, 2), name="none")
    model = enliven(keras.Model([x, none], layers.Dense(2)(x) + keras.ops.sum(none, 1)))
    proven(model, [samples(8, (4,)), np.zeros((8, 0, 2), "float32")])


def test_random_numbers_are_told():
    class Noise(layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return x + tf.random.normal(tf.shape(x))

    x = keras.Input((8,), name="x")
    reason = to_tflite(keras.Model(x, Noise()(x)), samples=samples(8, (8,))).report.proof("cpu").reason
    assert "draws random numbers of its own" in reason


def test_a_culprit_that_cannot_be_found_costs_no_file(monkeypatch):
    def dies(*args, **options):
        raise ValueError("no room")

    monkeypatch.setattr(blame, "find_culprit", dies)
    made = to_tflite(enliven(convolving()))
    lost = blame.blamed(
        replace(made.report.proof("cpu"), verdict=Verdict.REJECTED, reason="It is refused."), "cpu", made.tflite, {}
    )
    assert lost.reason == "It is refused. The operator that it begins at could not be looked for (ValueError: no room)"


A, B = np.array([[-7, 3, 5], [2, -4, 9]], "int32"), np.array([[2, -2, 5]], "int32")
TRUE = np.array([True, False, True])
AXES, BOTH = np.array([1], "int32"), np.array([0, 1], "int32")
ONES = np.array([1, 1], "int32")
STRIDED = {"beginMask": 1, "endMask": 2}


@pytest.mark.parametrize(
    ("kind", "inputs", "options"),
    [
        *((kind, (A, B), {}) for kind in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "FLOOR_DIV", "FLOOR_MOD")),
        *((kind, (A, B), {}) for kind in ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")),
        *((kind, (TRUE, TRUE[::-1]), {}) for kind in ("LOGICAL_AND", "LOGICAL_OR")),
        ("LOGICAL_NOT", (TRUE,), {}),
        ("ABS", (A,), {}),
        ("NEG", (A,), {}),
        *((kind, (A, AXES), {"keepDims": True}) for kind in ("SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")),
        ("REDUCE_ANY", (A > 2, AXES), {"keepDims": False}),
        ("REDUCE_ALL", (A > 2, BOTH), {"keepDims": False}),
        ("RESHAPE", (A, np.array([3, -1], "int32")), {}),
        ("SQUEEZE", (B,), {"squeezeDims": [0]}),
        ("EXPAND_DIMS", (A, np.int32(-1)), {}),
        ("CONCATENATION", (A, A), {"axis": -1}),
        ("PACK", (A, A), {"axis": 1, "valuesCount": 2}),
        ("GATHER", (A, np.array([[1, 0]], "int32")), {"axis": 1}),
        ("SLICE", (A, BOTH, np.array([-1, 2], "int32")), {}),
        ("STRIDED_SLICE", (A, BOTH, np.array([1, -1], "int32"), ONES), {}),
        ("STRIDED_SLICE", (A, ONES, ONES, np.array([-1, 2], "int32")), STRIDED),
        ("STRIDED_SLICE", (A, -ONES, BOTH, ONES), {"shrinkAxisMask": 1, "endMask": 2}),
        ("TRANSPOSE", (A, BOTH[::-1]), {}),
        ("TILE", (A, np.array([2, 1], "int32")), {}),
        ("BROADCAST_TO", (B, np.array([2, 3], "int32")), {}),
        ("FILL", (np.array([2, 2], "int32"), np.int32(7)), {}),
        ("RANGE", (np.int32(9), np.int32(1), np.int32(-3)), {}),
        ("SELECT_V2", (TRUE, A, B), {}),
        ("SHAPE", (A,), {"outType": 2}),
        ("CAST", (A,), {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whole_numbers_are_reckoned_as_by_the_kernels(kind, inputs, options):
    file = Made()
    # Sizes and places stand in the file: kernels ask for them before they are called.
    first, others = np.asarray(inputs[0]), [file.constant(np.array(x)) for x in inputs[1:]]
    truth = kind.startswith(("LOGICAL", "REDUCE_A", "LESS", "GREATER")) or kind.endswith("EQUAL")
    dtype = "bool" if truth else "int64" if kind == "CAST" else "int32"
    output = file.new(kind, (file.input(first.shape, first.dtype.name), *others), (1,), dtype, **options)
    operator = output.maker
    found = evaluate(operator, [np.asarray(x) for x in inputs])
    output._table.shape = list(found.shape)
    (wanted,) = run(file.done(output), first)
    np.testing.assert_array_equal(found, wanted)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)


def test_what_is_not_known_is_not_guessed():
    file = Made()
    x = file.constant(A)
    for kind, inputs, dtype, scale in (
        ("FLOOR_DIV", (x, file.constant(np.zeros((1, 3), "int32"))), "int32", None),
        ("ADD", (file.constant(np.ones(3, "float32")),) * 2, "float32", None),
        ("ADD", (file.weights(np.ones(3, "int8"), 0.5),) * 2, "int8", 0.5),
        ("CUMSUM", (x, file.integers(0)), "int32", None),
    ):
        operator = file.new(kind, inputs, (2, 3), dtype, scale).maker
        assert evaluate(operator, [tensor.values for tensor in inputs]) is None
