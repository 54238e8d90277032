"""Verdicts: what is right is PROVEN, what is not is WRONG, REJECTED or UNTESTED, each with its reason."""

import json
import pathlib
import types

import flatbuffers
import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from keras import layers

from keraslayers.export import NotProvenError, Verdict, prove, to_tflite
from keraslayers.export.file.graph import Tensor, read_graph
from keraslayers.export.measures import snr_db
from keraslayers.export.proof import match, proof
from keraslayers.export.proof.proof import prove_blob
from keraslayers.export.runtimes import child, cpu, gpu, gpu_fp16
from tests.export_models import as_converted, cnn, dense, enliven, needs_gpu, run_reference, samples


def verdicts(report):
    return {each.runtime: str(each.verdict) for each in report.proofs}


def image_model(shape, *chain):
    image = keras.Input(shape, name="image")
    x = image
    for layer in chain:
        x = layer(x)
    return enliven(keras.Model(image, x))


@pytest.fixture
def without_passes(monkeypatch):
    """Without the passes, which mend all this."""
    as_converted(monkeypatch)


# --- what the GPU accelerator refuses, gets wrong, or dies of


@needs_gpu
def test_five_axes_are_rejected_by_the_gpu(without_passes):
    transpose = (layers.Reshape((4, 4, 2, 4)), layers.Permute((1, 2, 4, 3)), layers.Reshape((4, 4, 8)))
    report = to_tflite(image_model((4, 4, 8), *transpose, layers.Conv2D(3, 1)), target="gpu-fp32").report
    assert verdicts(report) == {"gpu": "REJECTED", "cpu": "PROVEN"}
    assert "RESHAPE: Tensor dimensions must be less than 5" in report.proof("gpu").reason
    assert "TRANSPOSE" in report.proof("gpu").reason
    refused = report.proof("gpu")
    assert refused.max_error is refused.latency_ms is None
    assert refused.delegated < refused.operators
    assert not report.ok
    with pytest.raises(NotProvenError, match=r"is not proven\. gpu: REJECTED, .*RESHAPE"):
        report.require()


@needs_gpu
def test_a_grouped_convolution_is_wrong_on_the_gpu(without_passes):
    report = to_tflite(image_model((6, 6, 24), layers.Conv2D(48, 3, groups=8)), target="gpu-fp32").report
    assert verdicts(report) == {"gpu": "WRONG", "cpu": "PROVEN"}
    reason = report.proof("gpu").reason
    assert reason.startswith("output `conv2d")
    assert "against the Keras model; float32 must reach 60 dB" in reason
    assert report.proof("gpu").snr_db < 20
    assert report.proof("gpu").latency_ms > 0  # it did run


@needs_gpu
def test_a_runtime_that_dies_is_told_and_survived(without_passes):
    report = to_tflite(image_model((6, 6, 24), layers.Conv2D(64, 3, groups=4)), target="gpu-fp32").report
    assert verdicts(report) == {"gpu": "REJECTED", "cpu": "PROVEN"}
    assert report.proof("gpu").reason == "the runtime died (SIGILL)"


def squeeze_excite_with_dense():
    image = keras.Input((4, 4, 8), name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu6")(image)
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Dense(16, activation="sigmoid")(layers.Dense(4, activation="relu")(gate))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 16))(gate)])
    return enliven(keras.Model(image, layers.Conv2D(4, 1, name="y")(x)))


@needs_gpu
def test_squeeze_excite_with_dense_in_int8_is_wrong_on_the_gpu(without_passes):
    report = to_tflite(
        squeeze_excite_with_dense(), target="gpu-fp32", precision="int8", samples=samples(32, (4, 4, 8))
    ).report
    assert verdicts(report) == {"gpu": "WRONG", "cpu": "PROVEN"}
    assert "from LiteRT's built-in kernels on the same file" in report.proof("gpu").reason
    assert report.proof("gpu").max_steps > 20 > 5 > report.proof("cpu").max_steps


@needs_gpu
def test_a_file_of_open_batch_says_why_the_gpu_refuses(stock):
    report = prove(stock, ("cpu", "gpu"))
    assert verdicts(report) == {"cpu": "PROVEN", "gpu": "REJECTED"}
    assert "only supports static-sized tensors" in report.proof("gpu").reason


# --- runtimes that hang, are missing, or break


def test_a_runtime_that_hangs_is_rejected(monkeypatch):
    tflite = to_tflite(dense()).tflite
    monkeypatch.setattr(child, "TIME_LIMIT", 0.001)
    graph = read_graph(tflite)
    outcome = cpu.run(tflite, graph, {"x": samples(2, (1, 4))})
    assert outcome.died
    assert outcome.outputs is None
    assert outcome.reason == "the runtime did not finish within 0.001 s"
    assert verdicts(prove(tflite, "cpu")) == {"cpu": "REJECTED"}


def test_no_driver_is_untested(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "SWIFTSHADER", [tmp_path / "none.json"])
    monkeypatch.setattr(gpu, "MANIFESTS", [])
    monkeypatch.setattr(gpu, "DEVICES", [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for variable in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        monkeypatch.delenv(variable, raising=False)
    assert gpu.drivers() == []
    report = to_tflite(dense(), target="gpu-fp32").report
    assert verdicts(report) == {"gpu": "UNTESTED", "cpu": "PROVEN"}
    assert report.proof("gpu").reason == gpu.available() == gpu.REMEDY
    assert "chromium" in gpu.REMEDY
    assert not report.ok
    with pytest.raises(NotProvenError, match=r"'head' is not proven\. gpu: UNTESTED, no Vulkan driver found: install"):
        report.require()


def test_a_driver_without_a_device_is_untested(monkeypatch, tmp_path):
    manifest = tmp_path / "broken.json"
    manifest.write_text(
        '{"file_format_version": "1.0.0", "ICD": {"library_path": "./none.so", "api_version": "1.0.5"}}'
    )
    monkeypatch.setenv("VK_ICD_FILENAMES", str(manifest))
    report = prove(to_tflite(dense()).tflite, "gpu")
    assert verdicts(report) == {"gpu": "UNTESTED"}
    assert report.proof("gpu").reason.startswith("the Vulkan driver gives no device")


def test_drivers_of_a_real_gpu_come_first(monkeypatch, tmp_path):
    for variable in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        monkeypatch.delenv(variable, raising=False)
    for name, vulkan in (("intel_icd", "1.3.230"), ("lvp_icd", "1.3.230"), ("lvp_icd.x86_64", "1.4.305")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"ICD": {"api_version": vulkan}}))
    (tmp_path / "lvp_broken.json").write_text("[]")
    swiftshader = tmp_path / "swiftshader.json"
    fetched = tmp_path / "keraslayers" / "lavapipe" / "lvp_icd.json"
    libraries = fetched.parent / "usr" / "lib" / "x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    for path in (swiftshader, fetched):
        path.write_text("{}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    monkeypatch.setattr(gpu, "SWIFTSHADER", [swiftshader])
    monkeypatch.setattr(gpu, "MANIFESTS", [tmp_path])
    monkeypatch.setattr(gpu, "DEVICES", ["/dev/nul*"])
    monkeypatch.setattr(gpu, "_system_loader", lambda: True)
    own, *software = gpu.drivers()
    assert own["VK_ICD_FILENAMES"] == f"{tmp_path}/intel_icd.json:{swiftshader}"  # not Mesa's own software
    # Of Mesa's, 25 and newer.
    mesa = [str(fetched), f"{tmp_path}/lvp_icd.x86_64.json"]
    assert [driver["VK_ICD_FILENAMES"] for driver in software] == [str(swiftshader), *mesa]
    assert software[1]["LD_LIBRARY_PATH"] == f"{libraries}:/mine"
    assert "LD_LIBRARY_PATH" not in own | software[0] | software[2]
    assert software[1]["MESA_SHADER_CACHE_DIR"] == str(tmp_path / "keraslayers" / "shaders-128")
    assert [driver["VK_ICD_FILENAMES"] for driver in gpu_fp16._drivers()][1:] == mesa  # SwiftShader has no such floats
    monkeypatch.setattr(gpu, "DEVICES", [])
    assert gpu.drivers() == software
    monkeypatch.setenv("VK_ICD_FILENAMES", "/theirs.json")
    assert [driver["VK_ICD_FILENAMES"] for driver in gpu.drivers()] == ["/theirs.json"]


def test_a_worker_that_breaks_tells_its_last_words(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("def load(path, inputs, outputs):\n    return {}['nothing']\n")
    tflite = to_tflite(dense()).tflite
    outcome, _ = child.run_in_child(str(broken), tflite, read_graph(tflite), {"x": samples(2, (1, 4))})
    assert outcome.died
    assert outcome.reason == "the runtime died (exit code 1): KeyError: 'nothing'"


def test_the_last_words_of_a_process():
    fatal = "INFO: x\nF0000 00:00:12.3    38 model.cc:218] Check failed: a == b\n*** stack\n"
    assert child.death("the runtime", -6, fatal) == "the runtime died (SIGABRT): Check failed: a == b"
    assert child.death("the runtime", -9, "") == "the runtime died (SIGKILL)"
    assert child.death("the runtime", 3, "") == "the runtime died (exit code 3)"


def test_nothing_is_left_in_the_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    to_tflite(dense(), precision="int8", samples=samples(8, (4,)))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("keraslayers_")] == []


# --- files that compute something else


def tampered(tflite):
    """The file with the signs of its largest constant turned: it loads as before."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tflite, 0))
    buffers = [buffer.data for buffer in model.buffers if buffer.data is not None and len(buffer.data)]
    largest = bytes(max(buffers, key=len))
    assert tflite.count(largest) == 1
    turned = (-np.frombuffer(largest, "float32")).tobytes()
    return tflite.replace(largest, turned)


@needs_gpu
def test_a_tampered_file_is_wrong():
    model, x = cnn(), samples(8)
    artifact = to_tflite(model, samples=x)
    artifact.report.require()
    other = tampered(artifact.tflite)
    assert len(other) == len(artifact.tflite)
    assert not np.allclose(run_reference(other, image=x[:1])["classes"], model(x[:1]))
    expected = {"classes": np.asarray(model(x), "float64")}
    proofs = prove_blob(other, read_graph(other), {"image": x}, ("cpu", "gpu"), expected=expected, precision="float32")
    for each in proofs:
        assert each.verdict is Verdict.WRONG
        assert "against the Keras model; float32 must reach 60 dB" in each.reason
    # Nothing but the Keras model can know: by itself the file is fine.
    assert prove(other, "cpu", x).ok


def test_absurd_samples_are_named_as_the_cause():
    x = samples(24, (4,))
    x[-1] *= 1e5  # one sample takes all the steps there are
    (cpu_proof,) = to_tflite(dense(), precision="int8", samples=x).report.proofs
    assert cpu_proof.verdict is Verdict.WRONG
    assert "of half of the samples it is -" in cpu_proof.reason
    assert "the runtime computes what the file says, so it is quantization that lost the numbers" in cpu_proof.reason


def test_numbers_that_hang_on_single_steps_stay_in_floats():
    """Of vectors of length one step or none: runtimes round to one or the other, and make ones or zeros of them."""
    image = keras.Input((6, 6, 2), name="image")
    x = layers.UnitNormalization()(layers.Conv2D(2, 1, use_bias=False)(image))
    model = enliven(keras.Model(image, layers.Conv2D(4, 1, name="out")(x), name="m"))
    x = samples(16, (6, 6, 2))
    x[1:] *= 0.01
    report = to_tflite(model, precision="int8", samples=x).report.require()
    assert report.float_operators["RSQRT"] == 1


@pytest.mark.parametrize("lost", [False, True])
def test_a_runtime_that_is_wrong_is_wrong_whatever_quantization_lost(lost):
    output = Tensor("y", 0, (1, 5), "int8", step=0.01)
    graph = types.SimpleNamespace(outputs=(output,), operators={}, integer=True, hybrid=False)
    wanted = samples(16, (5,))
    meaning = {"y": np.roll(wanted, 1, axis=0) if lost else wanted + 0.01}
    assert bool(match.fault(meaning, {"y": wanted}, meaning, graph, "int8", plain=False)) == lost
    reason = match.fault({"y": -wanted}, {"y": wanted}, meaning, graph, "int8", plain=False)
    assert ("on the same file" in reason) != lost
    assert (match.LOST in reason) == lost
    assert "off by" in reason


@pytest.mark.parametrize("bad", [-1.0, 0.0])  # whose logarithms are NaN and infinity
def test_nan_is_wrong(bad):
    x = keras.Input((4,), name="x")
    good = np.abs(samples(4, (4,))) + 0.1
    artifact = to_tflite(keras.Model(x, keras.ops.log(x)), samples=good)
    artifact.report.require()
    good[2, 1] = bad
    report = prove(artifact.tflite, "cpu", good)
    (cpu_proof,) = report.proofs
    assert cpu_proof.verdict is Verdict.WRONG
    assert cpu_proof.reason.endswith("holds NaN or infinity")
    assert cpu_proof.max_error is None  # JSON has no NaN
    json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


# --- files from elsewhere


@pytest.fixture(scope="module")
def stock():
    """What TensorFlow's own converter makes of a model: the batch open, no names of ours."""
    model = enliven(
        keras.Sequential([keras.Input((8, 8, 3), name="image"), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)])
    )
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


def test_path_bytes_and_runtimes(stock, tmp_path):
    path = tmp_path / "stock.tflite"
    path.write_bytes(stock)
    for given, name in (
        (path, "stock.tflite"),
        (str(path), "stock.tflite"),
        (stock, "model.tflite"),
        (bytearray(stock), "model.tflite"),
    ):
        report = prove(given, runtimes="cpu").require()
        assert report.name == name
        assert (report.target, report.precision, report.passes, report.parameters) == (None,) * 4
        (each,) = report.proofs
        assert each.reference == "LiteRT's built-in kernels"
        assert each.samples == 8
    assert [each.runtime for each in prove(stock, ["cpu"]).proofs] == ["cpu"]
    assert pathlib.Path(path).read_bytes() == stock


def test_samples_of_ones_own(stock):
    x = samples(5)
    assert prove(stock, "cpu", x).require().proof("cpu").samples == 5
    assert prove(stock, "cpu", {"image": x}).ok


def test_quantized_files_take_real_values_and_integers():
    artifact = to_tflite(dense(), precision="int8", samples=samples(16, (4,)), io="int8")
    assert prove(artifact.tflite, "cpu", samples(5, (4,))).ok
    assert prove(artifact.tflite, "cpu", np.int8([[1, -128, 127, 0]])).ok
    assert prove(artifact.tflite, "cpu").ok


class Functions(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(samples(3, (2,)))

    @tf.function(input_signature=[tf.TensorSpec((1, 3), tf.float32, "v")])
    def zeta(self, v):
        return {"z": v @ self.weight}

    @tf.function(input_signature=[tf.TensorSpec((1, 2), tf.float32, "u")])
    def alpha(self, u):
        return {"a": tf.nn.relu(u)}


def test_several_signatures_and_none(tmp_path):
    module = Functions()
    tf.saved_model.save(module, str(tmp_path), signatures={"zeta": module.zeta, "alpha": module.alpha})
    tflite = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert()
    report = prove(tflite, "cpu").require()  # the first
    assert [entry["name"] for entry in (*report.inputs, *report.outputs)] == ["u", "a"]

    given = {"zeta": {"v": samples(16, (3,))}, "alpha": samples(16, (2,))}
    prove(tflite, "cpu", given).require()
    silent = {"alpha": given["alpha"], "zeta": np.zeros((16, 3), "float32")}
    (proof,) = prove(tflite, "cpu", silent).proofs
    assert (proof.verdict, proof.reason.split(":")[0]) == (Verdict.UNTESTED, "signature `zeta`")
    with pytest.raises(ValueError, match="`prove`: `samples` for input `v`"):
        prove(tflite, "cpu", {"zeta": samples(16, (5,))})
    with pytest.raises(ValueError, match="`prove`: `samples`"):
        prove(tflite, "cpu", {"zeta": samples(16, (3,)), "beta": samples(16, (5,))})

    tflite = tf.lite.TFLiteConverter.from_concrete_functions([module.zeta.get_concrete_function()], module).convert()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tflite, 0))
    model.signatureDefs = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    bare = bytes(builder.Output())
    assert schema.Model.GetRootAsModel(bare, 0).SignatureDefsLength() == 0
    for runtime in ("cpu", *(() if gpu.available() else ("gpu",))):
        report = prove(bare, runtime).require()
        assert report.inputs[0]["shape"] == (1, 3)


# --- the arithmetic


def test_snr():
    one = np.ones(4)
    assert snr_db(one, one) is None
    assert snr_db(one, one + 1e-8) is None  # rounding, not error
    assert snr_db(0 * one, one) < -200  # no signal at all


def test_snr_is_of_what_differs_from_sample_to_sample():
    signal = np.float64([[1, 2], [-1, -2]])
    assert snr_db(signal, 0.9 * signal) == pytest.approx(20)
    assert snr_db(signal, 0 * signal) == pytest.approx(0)
    # The same error says the same of it whatever is added to every sample, as long as that is no hundred times larger.
    for constant in (0, 50, [3, -70]):
        assert snr_db(signal + constant, 0.9 * signal + constant) == pytest.approx(20)
    # An output that no longer depends on the input has lost all, though it may be off by one per cent only.
    assert snr_db(100 + signal, 100 + 0 * signal) == pytest.approx(0)
    # The one sample is judged by itself.
    assert snr_db(np.float64([[1, -1]]), np.float64([[0.9, -0.9]])) == pytest.approx(20)


def test_snr_of_constants_is_over_a_hundredth_of_their_size():
    for constant in (np.ones((4, 3)), np.ones((1, 3)), np.ones((1, 1)), np.float64([[1, 5]] * 3), np.ones(4)):
        assert snr_db(constant, 0.999 * constant) == pytest.approx(20)
        assert snr_db(constant, constant * [[1.0]]) is None


@pytest.mark.parametrize("precision", match.LIMITS)
def test_too_far(precision):
    wanted = np.random.default_rng(0).normal(size=(8, 5))
    least, part = match.LIMITS[precision]
    noise = np.sqrt(np.mean(np.var(wanted, axis=0))) * np.where(np.arange(40).reshape(8, 5) % 2, 1, -1)
    assert match._too_far(wanted, wanted, precision) == ""
    assert match._too_far(wanted, wanted + noise * 10 ** (-(least + 1) / 20), precision) == ""
    assert f"{precision} must reach {least:.0f} dB" in match._too_far(
        wanted, wanted + noise * 10 ** (-(least - 1) / 20), precision
    )
    # One wrong number among many right ones has little power, and is wrong all the same.
    many = np.random.default_rng(0).normal(size=10**6)
    one_off = many.copy()
    one_off[3] += 0.2 * np.ptp(many)
    assert bool(match._too_far(many, one_off, precision)) == (part is not None)


def test_differs_in_floats():
    meaning = np.linspace(0, 1, 11)
    assert not match._differs(meaning, meaning + 0.9e-3, False, None)
    assert match._differs(meaning, meaning + 1.1e-3, False, None)
    assert not match._differs(np.zeros(3), np.full(3, 1e-7), False, None)
    assert not match._differs(np.full(3, 100.0), np.full(3, 100.009), False, None)  # a constant has rounding too


def test_differs_in_integers():
    meaning = np.linspace(0, 1, 101)
    step = 0.01
    assert not match._differs(meaning, meaning + 3 * step, True, step)
    assert not match._differs(np.zeros(5), np.full(5, 3 * step), True, step)  # few steps, whatever the spread
    assert not match._differs(meaning, meaning + 10 * step, True, step)  # carried on through a deep network
    one_off = meaning.copy()
    one_off[0] += 0.6
    assert match._differs(meaning, one_off, True, step)
    assert match._differs(meaning, meaning[::-1], True, step)
    assert match._differs(meaning, meaning + 0.2, True, step)  # each by less than half the spread, but all of them


@pytest.mark.parametrize(("decibels", "wrong"), [(25, True), (27, False)])
def test_differs_between_plain_loops(decibels, wrong):
    """More than three steps are right there only as far below the output as roundings carried on are."""
    meaning = np.random.default_rng(0).normal(size=(16, 50))
    got = meaning + np.sqrt(np.mean(np.var(meaning, axis=0)) * 10 ** (-decibels / 10))
    step = np.max(np.abs(got - meaning)) / 5
    assert match._differs(meaning, got, True, step, plain=True) is wrong
    assert not match._differs(meaning, got, True, step)
    assert not match._differs(meaning, got, True, 2 * step, plain=True)


class Files:
    """Stands for a graph of one input and one output."""

    def __init__(self, shape, **quantization):
        self.inputs = (Tensor("x", 0, shape, "int8" if quantization else "float32", **quantization),)
        self.outputs = (Tensor("y", 1, shape, "int8" if quantization else "float32", **quantization),)


@pytest.mark.parametrize(("batch", "count", "calls"), [(1, 5, 5), (4, 8, 2), (4, 9, 3), (4, 1, 1), (1, 1, 1)])
def test_samples_go_in_call_by_call_and_come_out_one_by_one(batch, count, calls):
    graph, x = Files((batch, 3)), samples(count, (3,))
    inputs, counted = proof.calls_of({"x": x}, graph)
    assert counted == count
    assert inputs["x"].shape == (calls, batch, 3)
    flat = inputs["x"].reshape(-1, 3)
    np.testing.assert_array_equal(flat[:count], x)
    np.testing.assert_array_equal(flat[count:], np.repeat(x[-1:], calls * batch - count, axis=0))
    outputs = proof.values_of({"y": inputs["x"]}, graph, counted)
    np.testing.assert_array_equal(outputs["y"], x)


def test_real_values_become_integers_and_back():
    graph = Files((1, 3), scale=0.5, zero_point=-10)
    x = np.float32([[0, 1.1, -0.9], [1e6, -1e6, 5.0]])
    inputs, count = proof.calls_of({"x": x}, graph)
    np.testing.assert_array_equal(inputs["x"][:, 0], [[-10, -8, -12], [127, -128, 0]])
    assert inputs["x"].dtype == "int8"
    np.testing.assert_array_equal(proof.values_of({"y": inputs["x"]}, graph, count)["y"][0], [0, 1, -1])


def test_agreement():
    wanted = np.float64([[0, 1], [1, 0], [0, 2], [3, 0]])
    assert proof.agreement({"y": wanted}, {"y": wanted[:, ::-1]}) == 0
    assert proof.agreement({"y": wanted}, {"y": wanted[[0, 1, 3, 2]]}) == 0.5
    assert proof.agreement({"y": wanted[:, :1]}, {"y": wanted[:, :1]}) is None
    assert proof.agreement({"y": wanted, "z": wanted}, {"y": wanted, "z": wanted}) is None


def test_a_file_whose_tensors_have_no_names():
    model = schema.ModelT.InitFromPackedBuf(to_tflite(dense()).tflite, 0)
    for tensor in model.subgraphs[0].tensors:
        tensor.name = None
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    report = prove(bytes(builder.Output()), "cpu").require()
    assert report.layer_sizes == {"": sum(report.layer_sizes.values())}
