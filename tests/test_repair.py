"""`repair`: any tool's file, mended for a target, never made worse."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import prove, repair, to_tflite
from keraslayers.export.file import edit
from keraslayers.export.file.graph import read_graph
from keraslayers.export.file.nodes import Tensor
from tests.export_models import needs_gpu
from tests.file_tools import Made, inputs_of, run


def refused():
    """What the GPU refuses for a tensor of five axes in it."""
    f = Made()
    x = f.input((1, 6, 8))
    wide = f.new("RESHAPE", (x, f.integers((1, 2, 3, 2, 4))), (1, 2, 3, 2, 4), newShape=[1, 2, 3, 2, 4])
    y = f.new("RESHAPE", (wide, f.integers((1, 4, 12))), (1, 4, 12), newShape=[1, 4, 12])
    return f.done(f.new("RELU", (y,), (1, 4, 12)))


@needs_gpu
def test_a_refused_file_is_mended(tmp_path):
    path = tmp_path / "tool.tflite"
    path.write_bytes(refused())
    assert not prove(path).ok
    made = repair(path)
    assert made.report.ok
    assert [proof.runtime for proof in made.report.proofs] == ["gpu", "gpu-fp16", "cpu"]
    assert list(made.report.rewrites) == ["fold_reshapes"]
    assert "rewrites: fold_reshapes 1x (RESHAPE of reshape_1)" in str(made.report).replace("\n", " ")
    assert path.read_bytes() == refused(), "the file given is as it was"
    given = inputs_of(refused())
    assert np.array_equal(run(refused(), *given)[0], run(made.tflite, *given)[0])


def biased(random, spread):
    """A dense layer in int8 whose bias has four axes and a scale for each channel: the file, and what it is to give."""
    f = Made()
    kernel, steps = random.integers(-127, 128, (8, 6)).astype("int8"), random.uniform(0.01, 0.02, 8)
    real = random.normal(size=8)
    biases = f.weights(np.round(real / (0.1 * steps)).astype("int32").reshape(1, 1, 1, 8), 0.1 * steps)
    if spread is not None:
        biases.fill(np.round(spread * real / (0.1 * steps)[:, None]).astype("int32"))
    dense = (f.input((1, 5, 4, 6), "int8", "x", 0.1, 4), f.weights(kernel, steps), biases)
    blob = f.done(f.new("FULLY_CONNECTED", dense, (1, 5, 4, 8), scale=0.3, zero_point=-7, keepNumDims=True))
    return blob, lambda x: np.round(
        (0.1 * steps * ((x.astype("int64") - 4) @ kernel.T.astype("int64")) + real) / 0.3 - 7
    )


@pytest.mark.parametrize("spread", [None, 1.0], ids=["a number a channel", "in steps of every channel"])
def test_scales_along_an_axis_of_one_are_mended(spread):
    """litert-torch's ConvNeXt in int8: the scale behind a dense layer leaves its bias four axes, with a scale each."""
    blob, meant = biased(np.random.default_rng(0), spread)
    (proof,) = prove(blob, ["cpu"]).proofs
    assert proof.verdict == "REJECTED"
    assert "num_scales must be 1" in proof.reason
    made = repair(blob, target="cpu")
    assert made.report.require().proof("cpu").delegated == 1
    assert list(made.report.rewrites) == ["flatten_biases"]
    (given,) = inputs_of(made.tflite)
    assert np.max(np.abs(run(made.tflite, given)[0] - np.clip(meant(given), -128, 127))) <= 1  # ties


def test_numbers_that_are_too_many_are_no_bias():
    """Rows of other numbers: nobody knows which are meant."""
    blob, _ = biased(np.random.default_rng(0), np.arange(1, 9)[:, None])
    made = repair(blob, target="cpu")
    assert made.tflite == blob
    assert made.report.proof("cpu").verdict == "REJECTED"
    bias = edit.read(blob).main.operators[0].inputs[2]
    with pytest.raises(ValueError, match=r"damaged: constant .* of int32 and \(1, 1, 1, 8\), and 64 numbers are there"):
        _ = bias.values


def test_a_bias_of_four_axes_is_no_reason_for_slow_kernels():
    f, random = Made(), np.random.default_rng(0)
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}

    def convolved(x):
        kernel, bias = (f.weights(random.normal(size=size).astype("float32")) for size in ((6, 3, 3, 6), (1, 1, 1, 6)))
        return f.new("CONV_2D", (x, kernel, bias), (1, 5, 4, 6), **options)

    x = f.input((1, 5, 4, 6))
    blob = f.done(convolved(f.new("RELU", (convolved(f.new("RELU", (x,), x.shape)),), x.shape)))
    assert prove(blob, ["cpu"]).proof("cpu").delegated == 2
    proof = repair(blob, target="cpu").report.require().proof("cpu")
    assert proof.delegated == proof.operators
    assert proof.partitions == 1


def test_a_bias_that_a_depthwise_convolution_refuses_is_mended():
    f, random = Made(), np.random.default_rng(0)
    kernel, bias = (
        random.normal(size=(1, 1, 1, 6)).astype("float32"),
        random.normal(size=(1, 1, 1, 6)).astype("float32"),
    )
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "depthMultiplier": 1}
    inputs = (f.input((1, 5, 4, 6)), f.weights(kernel), f.weights(bias))
    blob = f.done(f.new("DEPTHWISE_CONV_2D", inputs, (1, 5, 4, 6), **options))
    assert "NumDimensions(bias) != 1" in prove(blob, ["cpu"]).proof("cpu").reason
    made = repair(blob, target="cpu")
    made.report.require()
    (given,) = inputs_of(made.tflite)
    np.testing.assert_allclose(run(made.tflite, given)[0], given * kernel[0, 0] + bias[0, 0], rtol=1e-5, atol=1e-6)


def test_a_proven_file_comes_back_as_it_was():
    made = repair(refused(), target="cpu")
    assert made.tflite == refused()
    assert made.report.ok
    assert made.report.rewrites == {}


@pytest.fixture
def breaking(monkeypatch):
    """A rewrite that is wrong: it takes a RELU away."""

    def take_away(graph):
        places = [(op.name, op.output.name) for op in graph.operators if op.name == "RELU"]
        for operator in [op for op in graph.operators if op.name == "RELU"]:
            operator.name = "ABS"
        return places

    monkeypatch.setattr("keraslayers.export.rewrites.rewrite.REWRITES", {"wrong": (take_away, lambda *_: True)})


@needs_gpu
def test_what_moved_is_not_kept(breaking):
    made = repair(refused())
    assert made.tflite == refused()
    assert "rewriting it (wrong) moved its numbers: output `y0` is" in made.report.unrepaired
    assert "left as it was: rewriting it (wrong) moved its numbers" in str(made.report).replace("\n", " ")
    assert made.report.rewrites == {}


@pytest.fixture(scope="module")
def trained():
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, activation="relu")(image)
    return keras.Model(image, layers.Dense(5, name="classes")(layers.Flatten()(x)))


def test_a_file_is_compared_with_its_model(trained):
    x = np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype("float32")
    for precision in ("float32", "int8"):
        blob = to_tflite(trained, precision=precision, samples=x).tflite
        proof = prove(blob, "cpu", samples=x, model=trained).proof("cpu")
        assert (proof.verdict, proof.reference) == ("PROVEN", "the Keras model")
    other = keras.models.clone_model(trained)
    other.set_weights([np.flip(weight) for weight in trained.get_weights()])
    report = prove(blob, "cpu", samples=x, model=other)
    assert report.proof("cpu").verdict == "WRONG", "that model has other weights"
    assert repair(blob, target="cpu", samples=x, model=trained).report.ok


def test_a_model_of_other_names_is_matched_by_order(trained):
    file = edit.read(to_tflite(trained).tflite)
    (signature,) = file.signatures
    signature.inputs = {"args_0": signature.inputs["image"]}
    signature.outputs = {"output_0": signature.outputs["classes"]}
    assert prove(file.write(), "cpu", model=trained).proof("cpu").reference == "the Keras model"


def test_a_model_of_something_else_is_refused(trained):
    image = keras.Input((9, 9, 3), name="image")
    larger = keras.Model(image, layers.Dense(5)(layers.Flatten()(image)))
    with pytest.raises(ValueError, match=r"`prove`: `model` must .* inputs are `image` \(1, 8, 8, 3\), the model's"):
        prove(to_tflite(trained).tflite, "cpu", model=larger)
    with pytest.raises(TypeError, match=r"`repair`: `model` must be a `keras.Model`"):
        repair(to_tflite(trained).tflite, model="model.keras")


def test_what_cannot_be_repaired_is_said():
    with pytest.raises(ValueError, match=r"`repair`: `tflite` 'model.tflite' is not a TFLite file"):
        repair(b"no such thing")
    with pytest.raises(FileNotFoundError, match=r"`repair`: `tflite`: there is no file 'no.tflite'"):
        repair("no.tflite")


def test_repair_needs_no_tensorflow(tmp_path):
    (tmp_path / "tool.tflite").write_bytes(refused())
    code = """
import sys
sys.orig_argv[1:3] = ["-m", "keraslayers"]  # as on the command line, where the layers wait
from keraslayers.export import repair
repair(sys.argv[1], target="cpu")
print(sorted({"keras", "tensorflow"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, tmp_path / "tool.tflite"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_reports_tell_of_growth(tmp_path):
    from keraslayers.export.report.report import describe

    blob = refused()
    proofs, places = prove(blob, "cpu").proofs, {"unroll": [("WHILE", "a/b")]}
    report = describe(blob, read_graph(blob), proofs, name="m", rewrites=places, original_size=100)
    assert f"rewriting made the file {len(blob) / 100:.1f} times as large" in str(report)
    report.to_html(tmp_path / "m.html")
    assert f"{len(blob) / 100:.1f} times as large" in (tmp_path / "m.html").read_text()


@needs_gpu
def test_a_batch_left_open_becomes_one(trained, tmp_path):
    """What Keras's own export writes: the file asks for its batch and makes shapes of it, which the GPU refuses."""
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, layers.Dense(3)(layers.Reshape((16, 3))(layers.Conv2D(3, 1)(image))))
    model.export(tmp_path / "stock.tflite", format="litert", verbose=False)
    assert prove(tmp_path / "stock.tflite", "gpu").proof("gpu").verdict == "REJECTED"
    made = repair(tmp_path / "stock.tflite", model=model)
    assert made.report.ok, made.report
    assert list(made.report.rewrites) == ["fix_sizes", "fold_constants"]
    assert not any(tensor.open for tensor in edit.read(made.tflite).tensors)


@needs_gpu
def test_sizes_left_open_within_are_those_of_the_inputs():
    """As onnx2tf writes them: tensors of sizes that only the input's tell, and constants without elements or bytes."""
    f = Made()
    x = f.input((1, 6, 8))
    y = f.new("RELU", (x,), (1, 6, 8))
    wide = f.new("RESHAPE", (y, f.integers((1, 2, 3, 2, 4))), (1, 2, 3, 2, 4), newShape=[1, 2, 3, 2, 4])
    part = f.new("SLICE", (wide, f.integers((0, 0, 0, 0, 0)), f.integers((-1, -1, -1, -1, 2))), (1, 1, 1, 1, 2))
    part._table.shapeSignature = [-1, -1, -1, -1, 2]
    none = Tensor("none", (0,), "int32")
    start, end, step = (f.new("RESHAPE", (f.integers((n,)), none), ()) for n in (2, 8, 3))
    places = f.new("RANGE", (start, end, step), (1,))
    places._table.shapeSignature = [-1]
    rows = f.new("RESHAPE", (part, f.integers((12, 2))), (12, 2), newShape=[12, 2])
    z = f.new("GATHER", (rows, places), (1, 2), axis=0, batchDims=0)
    z._table.shapeSignature = [-1, 2]
    blob = f.done(f.new("RESHAPE", (z, f.integers((1, 4))), (1, 4), newShape=[1, 4]))
    assert prove(blob, "gpu").proof("gpu").verdict == "REJECTED"
    made = repair(blob)
    assert made.report.ok, made.report
    assert {"fix_sizes", "fold_constants", "narrow_slice"} <= set(made.report.rewrites)
    given = inputs_of(blob)
    assert np.array_equal(run(blob, *given)[0], run(made.tflite, *given)[0])


def test_a_file_that_no_built_in_kernel_runs_is_left_alone():
    """An operator of somebody's own: nothing could be compared, and none of the others is to blame."""
    f = Made()
    x = f.input((1, 6, 8))
    y = f.new("RELU", (x,), (1, 6, 8))
    y.maker.name, y.maker.custom = "Landmarks2TransformMatrix", True
    blob = f.done(f.new("ABS", (y,), (1, 6, 8)))
    made = repair(blob, target="cpu")
    assert made.tflite == blob
    assert made.report.rewrites == {}
    assert made.report.unrepaired.startswith(
        "LiteRT's built-in kernels do not run it: Encountered unresolved custom op"
    )
    assert "It begins at" not in made.report.proof("cpu").reason


@needs_gpu
def test_a_video_has_four_axes_in_the_file():
    """The same numbers in the same order: so the file is compared with its model, and blamed, as any other."""
    video = keras.Input((3, 8, 8, 2), name="video")
    model = keras.Model(video, layers.Conv3D(2, 3, activation="relu", name="found")(video))
    x = np.random.default_rng(0).normal(size=(8, 3, 8, 8, 2)).astype("float32")
    made = to_tflite(model, target="gpu-fp32", samples=x)
    assert made.report.ok, made.report
    assert [tensor["shape"] for tensor in made.report.inputs] == [(1, 24, 8, 2)]
    flat = x.reshape(8, 24, 8, 2)
    assert prove(made.tflite, "gpu", samples=flat, model=model).proof("gpu").reference == "the Keras model"
