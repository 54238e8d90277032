"""Which operator a runtime fails on, and which layer of the Keras model it came from."""

import types

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import Culprit, find_culprit, to_tflite
from keraslayers.export.file import edit
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof import blame
from keraslayers.export.proof.blame import beginning
from keraslayers.export.proof.remedies import Seen, remedy
from keraslayers.export.rewrites.unroll_loops import MOST_STEPS
from keraslayers.export.runtimes import cpu
from keraslayers.export.runtimes.child import Outcome
from keraslayers.export.source.layer_names import namer
from tests.export_models import as_converted, cnn, dense, enliven, needs_gpu, run_reference, samples
from tests.file_tools import Made

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def stock(monkeypatch):
    """Without passes, so that there is something to find."""
    as_converted(monkeypatch)


def grouped():
    image = keras.Input((6, 6, 8), name="image")
    x = layers.Conv2D(9, 1, name="stem")(image)
    x = layers.Conv2D(9, 3, groups=3, name="grouped")(x)
    return enliven(keras.Model(image, layers.Conv2D(4, 1, name="head")(x), name="groups"))


def squeeze_excite():
    image = keras.Input((6, 6, 16), name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="stem")(image)
    gate = layers.GlobalAveragePooling2D(name="mean")(x)
    gate = layers.Dense(16, activation="sigmoid", name="excite")(layers.Dense(8, activation="relu")(gate))
    x = layers.Multiply(name="scale")([x, layers.Reshape((1, 1, 16), name="shape")(gate)])
    return enliven(keras.Model(image, layers.Conv2D(8, 3, name="head")(x), name="se"))


@needs_gpu
@pytest.mark.parametrize(
    ("make", "precision", "layer", "operator", "remedy"),
    [
        (grouped, "float32", "grouped", "CONV_2D", "channels per group that are a multiple of 4"),
        (squeeze_excite, "int8", "scale", "MUL", "keraslayers.SqueezeExcite"),
    ],
)
def test_the_first_operator_that_fails_is_found(stock, make, precision, layer, operator, remedy):
    model = make()
    x = samples(16, model.input_shape[1:])
    made = to_tflite(model, precision=precision, samples=x)
    culprit = find_culprit(made.tflite, "gpu", samples=x, model=model)
    assert isinstance(culprit, Culprit)
    assert (culprit.layer, culprit.operator) == (layer, operator)
    assert remedy in str(culprit)
    assert f"layer `{layer}` ({operator})" in str(culprit)


@needs_gpu
def test_a_report_names_the_layer_that_a_runtime_fails_on(stock):
    model = grouped()
    report = to_tflite(model, target="gpu-fp32", samples=samples(16, model.input_shape[1:])).report
    assert "It begins at layer `grouped` (CONV_2D): write channels per group" in report.proof("gpu").reason
    assert report.proof("cpu").reason == ""


def test_what_quantization_lost_is_not_the_runtimes_fault(monkeypatch):
    monkeypatch.setattr(blame, "find_culprit", None)
    image = keras.Input((4, 4, 2), name="image")
    model = keras.Model(image, layers.Rescaling([1e4, 1.0])(image))
    x = samples(16, (4, 4, 2)) / [1e4, 1.0]
    x[:, :, :, 1] *= 1e-4
    model = keras.Model(image, model(image)[..., 1:])
    report = to_tflite(model, target="micro", precision="int8", samples=x.astype("float32")).report
    assert report.proof("micro").verdict == "WRONG"


def lstm(length=5):
    steps = keras.Input((length, 4), name="steps")
    return enliven(keras.Model(steps, layers.Dense(2)(layers.LSTM(4, name="memory")(steps)), name="rnn"))


@needs_gpu
def test_a_loop_is_named():
    length = MOST_STEPS + 1  # a shorter one is laid out step by step
    reason = to_tflite(lstm(length), target="gpu-fp32", samples=samples(4, (length, 4))).report.proof("gpu").reason
    assert "layer `memory`" in reason
    assert "WHILE" in reason


def test_what_no_kernel_defines_is_to_blame(monkeypatch):
    monkeypatch.setattr("keraslayers.export.runtimes.cpu.run_reference", lambda *args: Outcome(reason="no kernel"))
    assert find_culprit(to_tflite(dense()).tflite, "cpu").operator == "FULLY_CONNECTED"


def test_a_beginning_gives_what_the_file_gives_of_it():
    """An output that no operator reads is compared, too; what only the rest reads stands beside it."""
    f = Made()
    x = f.input((1, 4))
    first, between = f.new("RELU", (x,), (1, 4)), f.new("TANH", (x,), (1, 4))
    last = f.new("LOGISTIC", (between,), (1, 4))
    file = edit.read(f.done(first, last))
    names = [[tensor.name for tensor in edit.read(beginning(file, count)).main.outputs] for count in (1, 2, 3)]
    assert names == [[first.name], [first.name, between.name], [first.name, last.name]]


def test_a_wrong_output_that_no_operator_reads_is_found(monkeypatch):
    """A runtime whose RELU is another function."""
    f = Made()
    x = f.input((1, 4))
    first, between = f.new("RELU", (x,), (1, 4)), f.new("TANH", (x,), (1, 4))
    blob = f.done(first, f.new("LOGISTIC", (between,), (1, 4)))

    def broken(part, graph, inputs):
        file = edit.read(part)
        for operator in file.main.operators:
            operator.name = operator.name.replace("RELU", "NEG")
        return cpu.run_reference(file.write(), graph, inputs)

    monkeypatch.setattr(cpu, "run", broken)
    assert find_culprit(blob, "cpu").operator == "RELU"


def seen(name, shapes, outputs=((1, 4),), **fields):
    fields = {"options": None, "inputs": tuple(range(len(shapes))), "dtypes": ("float32",) * len(shapes)} | fields
    return Seen(name, shapes=shapes, outputs=outputs, made_by=fields.pop("made_by", (None,) * len(shapes)), **fields)


def options(**values):
    return types.SimpleNamespace(**values)


IMAGE, VECTOR = (1, 6, 6, 8), (1, 1, 1, 8)
PLAIN = options(strideW=1, strideH=1)
KERNEL = {"constants": {1: None}, "options": PLAIN}
SLICED = (IMAGE, (4,), (4,), (4,))
INDEX = {"shrinkAxisMask": 0, "newAxisMask": 0}


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        (seen("CONV_2D", (IMAGE, (9, 3, 3, 2)), **KERNEL), "multiple of 4"),
        (seen("CONV_2D", (IMAGE, (9, 3, 3, 8)), **KERNEL), ""),  # one group
        (seen("CONV_2D", (IMAGE, (9, 1, 1, 8)), **KERNEL | {"options": options(strideW=2, strideH=2)}), "MaxPooling2D"),
        (seen("CONV_2D", (IMAGE, (9, 3, 3, 8)), options=PLAIN), "constant"),
        (seen("MUL", (IMAGE, VECTOR), made_by=(None, seen("RESHAPE", ((1, 8), (4,))))), "SqueezeExcite"),
        (seen("MUL", (IMAGE, VECTOR), made_by=(None, seen("LOGISTIC", (VECTOR,)))), ""),
        (seen("MUL", (IMAGE, (1, 8))), "SqueezeExcite"),
        (seen("MUL", ((1, 8), (1, 8))), ""),
        (seen("MUL", (IMAGE, IMAGE)), ""),
        (seen("RESHAPE", (IMAGE, (5,)), ((1, 6, 6, 2, 4),)), "ChannelShuffle"),
        (seen("RESHAPE", (IMAGE, (4,)), ((1, 36, 2, 4),)), ""),
        (seen("SQUARED_DIFFERENCE", ((1, 6, 6, 2, 4), (1, 1, 1, 2, 1))), "four axes"),
        (seen("SQUARED_DIFFERENCE", (IMAGE, IMAGE)), ""),
        (seen("STRIDED_SLICE", (IMAGE,), options=options(**INDEX | {"shrinkAxisMask": 2})), "i : i + 1"),
        (seen("STRIDED_SLICE", (IMAGE,), options=options(**INDEX | {"newAxisMask": 2})), "Reshape"),
        (seen("STRIDED_SLICE", SLICED, options=options(**INDEX), constants={3: np.array([1, -1])}), "flip"),
        (seen("STRIDED_SLICE", SLICED, options=options(**INDEX), constants={3: np.array([1, 2])}), ""),
        (seen("GATHER", ((9, 4), (3,)), dtypes=("float32", "int64")), "int32"),
        (seen("GATHER", ((9, 4), (1, 3)), dtypes=("float32", "int32"), options=options(batchDims=0)), "one axis"),
        (seen("GATHER", ((9, 4), (3,)), dtypes=("float32", "int32"), options=options(batchDims=0)), ""),
        (seen("BATCH_MATMUL", ((1, 3, 4), (1, 3, 4)), inputs=(7, 7)), "different"),
        (seen("BATCH_MATMUL", ((1, 3, 4), (1, 4, 3))), ""),
        (seen("CONCATENATION", (IMAGE, IMAGE), made_by=(seen("SPLIT", (IMAGE,)), None)), "slices"),
        (seen("CONCATENATION", (IMAGE,) * 49), "few"),
        (seen("CONCATENATION", (IMAGE, IMAGE)), ""),
        (seen("AVERAGE_POOL_2D", (IMAGE,), options=options(padding=0)), "padding='valid'"),
        (seen("AVERAGE_POOL_2D", (IMAGE,), options=options(padding=1)), ""),
        (seen("ADD", (IMAGE, VECTOR), dtypes=("int8", "int8")), "single pixel"),
        (seen("ADD", (IMAGE, VECTOR)), ""),
        (seen("WHILE", (VECTOR,)), "unroll=True"),
        (seen("LOG_SOFTMAX", (VECTOR,)), "logarithm"),
        (seen("TOPK_V2", (VECTOR,)), "app"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)  # fmt: skip
def test_a_remedy_holds_for_what_it_is_for(operator, words):
    found = remedy("gpu", operator)
    assert words in found
    assert bool(found) == bool(words)
    assert remedy("cpu", operator) == ""  # they are the GPU's faults


def test_the_layer_that_the_converter_has_no_kernel_for_is_named():
    volume = keras.Input((4, 4, 4, 2), name="volume")
    with pytest.raises(RuntimeError, match=r"no kernel for layer `my_pool` \(MaxPool3D\): write MaxPooling2D"):
        to_tflite(keras.Model(volume, layers.MaxPooling3D(2, name="my_pool")(volume)))
    words = layers.TextVectorization(max_tokens=9, output_sequence_length=3, name="words")
    words.adapt(["hello world"])
    text = keras.Input((1,), dtype="string", name="text")
    with pytest.raises(ValueError, match=r"takes text in input `text`.* Leave `words` out of the model"):
        to_tflite(keras.Model(text, words(text)))


def test_a_right_file_has_no_culprit():
    made = to_tflite(dense())
    assert find_culprit(made.tflite, "cpu") is None


def test_beginnings_run_and_end_in_what_the_rest_reads():
    model = cnn()
    x = samples(1)
    blob = to_tflite(model).tflite
    file = edit.read(blob)
    total = len(file.main.operators)
    for count in range(1, total + 1):
        part = read_graph(beginning(file, count))
        assert part.total == count
        assert part.outputs
    whole = beginning(file, total)
    (got,) = run_by_tensor(whole, x)
    (wanted,) = run_reference(blob, image=x).values()
    np.testing.assert_array_equal(got, wanted)


def test_a_beginning_has_the_weights_of_16_bits_that_it_reads_and_no_others():
    model, x = cnn(), samples(1)
    blob = to_tflite(model, precision="float16").tflite
    file = edit.read(blob)
    steps = [op for op in file.main.operators if op.name != "DEQUANTIZE"]
    assert len(steps) < len(file.main.operators)
    for count, last in enumerate(steps, start=1):
        blob = beginning(file, count)
        part = edit.read(blob)
        widened = [op.output for op in part.main.operators if op.name == "DEQUANTIZE"]
        read = {tensor.name for op in part.main.operators for tensor in op.inputs if tensor is not None}
        assert len(part.main.operators) == count + len(widened)
        assert {tensor.name for tensor in widened} <= read
        assert last.output.name in {tensor.name for tensor in part.main.outputs}
        assert all(np.isfinite(values).all() for values in run_by_tensor(blob, x))  # nothing is missing


def run_by_tensor(blob, x):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=blob, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("net_1/stem_act_1/Relu;net_1/stem_1/convolution", "stem_act"),
        ("net_1/outer_1/stem_1/convolution1", "stem"),
        ("StatefulPartitionedCall:0", "stem_act"),
        ("StatefulPartitionedCall:01", "stem_act"),
        ("StatefulPartitionedCall:1", None),
        ("tfl.quantize", None),
    ],
)
def test_layer_of_a_tensor(tensor, layer):
    names = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, name="stem"), keras.layers.ReLU(name="stem_act")]
    )
    assert namer(names)(tensor) == layer


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: find_culprit(b"", "gqu"),
            ValueError,
            r"`find_culprit`: `runtime` must be one of .*Did you mean 'gpu'",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
