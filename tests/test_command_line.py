"""The command line: what it prints, what it writes, how it exits."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keraslayers import export, models
from keraslayers.__main__ import main
from keraslayers.models import detection, segmentation
from tests.export_models import enliven

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained-looking model in a `.keras` file, samples for it, and a proven `.tflite` file."""
    folder = tmp_path_factory.mktemp("command")
    keras.utils.set_random_seed(0)
    model = enliven(models.LeNet5(modern=True))
    model.save(folder / "lenet.keras")
    samples = np.random.default_rng(0).random((16, 32, 32, 1), "float32")
    samples *= np.linspace(0.1, 1, 16, dtype="float32").reshape(16, 1, 1, 1)  # from dark to bright
    np.save(folder / "x.npy", samples)
    np.savez(folder / "x.npz", image=samples)
    export.to_tflite(model, samples=samples).save(folder / "lenet.tflite")
    return folder


def run(capfd, *arguments):
    """Exit code, stdout, stderr."""
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in arguments])
    written = capfd.readouterr()
    return stopped.value.code, written.out, written.err


def refused(capfd, *arguments):
    """The one line in which bad use is refused."""
    code, out, err = run(capfd, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_models_lists_every_network_with_its_counts(capfd):
    code, out, _ = run(capfd, "models")
    assert code == 0
    for name in models.names():
        spec = models.spec(name)
        assert name in out
        for reference in spec.references:
            assert f"{reference.trainable_parameters:,}" in out
            assert reference.multiply_adds is None or f"{reference.multiply_adds:,}" in out
    # At 80 columns every option stands whole.
    assert max(map(len, out.splitlines())) <= 80
    options = {line[2:].split("  ")[0] for line in out.splitlines()}
    assert {"padding=symmetric", "input_shape=(227,227,3)", "width_per_group=4", "vocabulary=20000"} <= options


def test_export_writes_a_proven_file_and_its_report(folder, capfd, tmp_path):
    code, out, err = run(
        capfd, "export", folder / "lenet.keras", "--target", "gpu", "--precision", "int8", "--samples",
        folder / "x.npy", "--io", "uint8", "-o", tmp_path / "a.tflite", "--html", tmp_path / "a.html",
    )  # fmt: skip
    assert code == 0, err
    assert out.count("PROVEN") == 3
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["ok"]
    assert report["target"] == "gpu"
    assert report["inputs"][0] | {"index": 0} == {
        "name": "image", "index": 0, "shape": [1, 32, 32, 1], "dtype": "uint8",
        "scale": pytest.approx(1 / 255, rel=0.01), "zero_point": 0, "step": pytest.approx(1 / 255, rel=0.01),
    }  # fmt: skip
    assert "PROVEN" in (tmp_path / "a.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.json", "a.tflite"]


def test_export_names_the_file_after_the_model_and_takes_samples_by_name(folder, capfd, tmp_path):
    model = tmp_path / "net.keras"
    model.write_bytes((folder / "lenet.keras").read_bytes())
    code, _, err = run(capfd, "export", model, "--samples", folder / "x.npz", "--batch-size", 2)
    assert code == 0, err
    assert json.loads((tmp_path / "net.json").read_text())["inputs"][0]["shape"] == [2, 32, 32, 1]


def test_export_leaves_layers_in_floats(folder, capfd, tmp_path):
    options = ["--precision", "int8", "--samples", folder / "x.npy", "--skip", "Dense", "--skip", "c1"]
    code, _, err = run(capfd, "export", folder / "lenet.keras", *options, "-o", tmp_path / "a.tflite")
    assert code == 0, err
    assert json.loads((tmp_path / "a.json").read_text())["float_layers"] == ["c1", "c5", "f6", "predictions"]


def test_export_takes_pixels_writes_labels_and_ranks_layers(folder, capfd, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(f"digit {i}" for i in range(10)) + "\n")
    grey = (255 * np.load(folder / "x.npy")).round().astype("uint8")
    np.save(tmp_path / "pixels.npy", np.repeat(grey, 3, axis=-1))  # the tasks take three channels
    options = ["--precision", "int8", "--samples", tmp_path / "pixels.npy", "--rescale", "1/255,0", "--layer-errors"]
    model = tmp_path / "color.keras"
    enliven(models.LeNet5(modern=True, input_shape=(32, 32, 3))).save(model)
    code, out, err = run(
        capfd, "export", model, *options, "--labels", tmp_path / "names.txt", "-o", tmp_path / "a.tflite"
    )
    assert code == 0, err
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["preprocessing"]
    assert report["layer_errors"]
    assert "int8 costs most in" in out
    assert b"digit 7" in (tmp_path / "a.tflite").read_bytes()


def test_export_takes_detectors_and_segmenters(capfd, tmp_path):
    """What stands behind a backbone is loaded in a process that imported none of it."""
    (tmp_path / "names.txt").write_text("cat\ndog\nbird\n")
    np.save(tmp_path / "pixels.npy", np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), "uint8"))
    backbone = models.MobileNet(input_shape=(32, 32, 3), alpha=0.25, include_top=False)
    detector = detection.detector(detection.FCOS(backbone, 3, strides=(16,), filters=8, depth=1), boxes="cycxhw")
    enliven(detector).save(tmp_path / "detector.keras")
    options = ["--samples", "pixels.npy", "--rescale", "1/127.5,-1", "--labels", "names.txt", "--boxes", "cycxhw"]
    command = [sys.executable, "-m", "keraslayers", "export", "detector.keras", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "detector.tflite").read_bytes()
    assert b"DETECTOR_METADATA" in written
    assert b"bird" in written

    segmenter = enliven(segmentation.LRASPP(backbone, classes=2))
    segmentation.end_in(segmenter, "class_map").save(tmp_path / "segmenter.keras")
    np.save(tmp_path / "images.npy", np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32"))
    code, _, err = run(capfd, "export", tmp_path / "segmenter.keras", "--samples", tmp_path / "images.npy")
    assert code == 0, err


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Images of several sizes in folders of their own, and a trained-looking model for them."""
    where = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for kind in ("cats", "dogs"):
        (where / kind).mkdir()
        for i in range(9):
            pixels = random.integers(0, 255, (30 + i, 50, 3)) * (i + 1) // 9
            keras.utils.save_img(where / kind / f"{i}.png", pixels, scale=False)
    image = keras.Input((24, 24, 3), name="image")
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(image)
    keras.utils.set_random_seed(0)
    model = enliven(keras.Model(image, keras.layers.Dense(3, name="scores")(keras.layers.Flatten()(x))))
    model.save(where.parent / "photos.keras")
    return where, where.parent / "photos.keras"


def test_export_takes_a_folder_of_images_and_finds_what_stays_in_floats(photos, capfd, tmp_path):
    where, model = photos
    options = ["--precision", "auto", "--max-drop", 0.2, "--samples", where, "--rescale", "1/255,0", "--json"]
    code, out, err = run(capfd, "export", model, *options, "-o", tmp_path / "a.tflite")
    assert code == 0, err
    report = json.loads(out)
    assert report == json.loads((tmp_path / "a.json").read_text())
    assert report["precision"] == "int8"
    assert report["proofs"][0]["samples"] == 18
    assert report["trials"][-1]["score"] >= 0.8


def test_images_need_to_be_told_what_training_did_to_them(photos, folder, capfd, tmp_path):
    where, model = photos
    assert "--rescale 1/255,0" in refused(capfd, "export", model, "--samples", where, "-o", tmp_path / "a.tflite")
    (tmp_path / "none").mkdir()
    options = ["--samples", tmp_path / "none", "--rescale", "1,0", "-o", tmp_path / "a.tflite"]
    assert "No images found" in refused(capfd, "export", model, *options)
    message = refused(capfd, "export", model, "--precision", "auto", "-o", tmp_path / "a.tflite")
    assert "`precision` auto needs `samples`" in message


def test_it_says_its_version(capfd):
    from importlib.metadata import version

    assert run(capfd, "--version")[:2] == (0, f"keraslayers {version('keraslayers')}\n")


def test_reports_and_networks_are_json_where_it_is_wanted(folder, capfd):
    code, out, _ = run(capfd, "check", folder / "lenet.tflite", "--runtime", "cpu", "--json")
    assert (code, json.loads(out)["proofs"][0]["verdict"]) == (0, "PROVEN")
    code, out, _ = run(capfd, "report", folder / "lenet.tflite", "--json")
    assert json.loads(out) == json.loads((folder / "lenet.json").read_text())
    listed = json.loads(run(capfd, "models", "--json")[1])
    assert [each["name"] for each in listed] == models.names()
    assert (
        listed[0]["references"][0]["trainable_parameters"]
        == models.spec(listed[0]["name"]).references[0].trainable_parameters
    )


def test_a_page_asks_for_what_renders_it_before_the_work(folder, capfd, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    message = refused(capfd, "check", folder / "lenet.tflite", "--html", tmp_path / "a.html")
    assert "pip install 'keraslayers[report]'" in message


def test_check_proves_any_file(folder, capfd, tmp_path):
    code, out, _ = run(capfd, "check", folder / "lenet.tflite", "--html", tmp_path / "page.html")
    assert code == 0
    assert out.count("PROVEN") == 3
    assert "lenet.tflite" in (tmp_path / "page.html").read_text()


def test_check_runs_the_runtimes_asked_for_on_the_samples_given(folder, capfd):
    code, out, _ = run(capfd, "check", folder / "lenet.tflite", "--runtime", "cpu", "--samples", folder / "x.npy")
    assert code == 0
    assert "gpu" not in out


def test_what_is_not_proven_exits_with_1(capfd, tmp_path):
    image = keras.Input((4, 4, 8), name="image")
    x = keras.layers.Reshape((4, 4, 2, 4))(image)
    x = keras.layers.Permute((1, 2, 4, 3))(x)
    model = keras.Model(image, keras.layers.Reshape((4, 4, 8))(x))
    export.to_tflite(model).save(tmp_path / "rank5.tflite")
    code, out, _ = run(capfd, "check", tmp_path / "rank5.tflite")
    assert code == 1
    assert "REJECTED" in out
    assert "Tensor dimensions must be less than 5" in " ".join(out.split())


def test_what_is_exported_but_not_proven_exits_with_1(capfd, tmp_path):
    """Of two columns, one 1e4 times as large, integers of 8 bits keep one; and the file is written, not proven."""
    image = keras.Input((4, 4, 2), name="image")
    keras.Model(image, keras.layers.Rescaling([1e4, 1.0])(image)[..., 1:]).save(tmp_path / "lost.keras")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(16, 4, 4, 2)).astype("float32") * [1.0, 1e-4])
    options = ["--target", "micro", "--precision", "int8", "--samples", tmp_path / "x.npy"]
    code, out, err = run(capfd, "export", tmp_path / "lost.keras", *options)
    assert "WRONG" in out, err
    assert code == 1
    assert (tmp_path / "lost.tflite").exists()


def test_what_is_repaired_but_not_proven_exits_with_1(folder, capfd, tmp_path, monkeypatch):
    """Where no runtime of the target is on the machine, nothing is proven."""
    monkeypatch.setattr("keraslayers.export.runtimes.cpu.available", lambda: "not here")
    code, out, err = run(capfd, "repair", folder / "lenet.tflite", "--target", "cpu", "-o", tmp_path / "a.tflite")
    assert "UNTESTED" in out, err
    assert code == 1


def test_what_cannot_be_made_exits_with_1_and_bad_use_with_2(folder, capfd, monkeypatch):
    for error, wanted in ((RuntimeError, 1), (ValueError, 2), (TypeError, 2), (OSError, 2), (ImportError, 2)):

        def fail(*args, error=error, **kwargs):
            raise error("no file of it")

        monkeypatch.setattr(export, "prove", fail)
        code, out, err = run(capfd, "check", folder / "lenet.tflite")
        assert (code, out, err) == (wanted, "", "error: no file of it\n")


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + bytes(range(256)) * 4, b"PK\x03\x04 a zip"])
def test_check_refuses_what_is_no_tflite_file(content, capfd, tmp_path):
    (tmp_path / "x.tflite").write_bytes(content)
    assert "TFLite file" in refused(capfd, "check", tmp_path / "x.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["x.tflite"]


def test_check_refuses_a_missing_file_and_an_unknown_runtime(folder, capfd, tmp_path):
    assert "there is no file" in refused(capfd, "check", tmp_path / "x.tflite")
    assert "Did you mean 'gpu'" in refused(capfd, "check", folder / "lenet.tflite", "--runtime", "gpus")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "gpuu"], "Did you mean 'gpu'"),
        (["--precision", "int16"], "Did you mean 'int16x8'"),
        (["--precision", "int8"], "needs `samples`"),
        (["--io", "int8"], "needs precision='int8'"),
        (["-o", "missing/a.tflite"], "there is no folder 'missing'"),
        (["-o", "a.lite"], "must end in '.tflite'"),
        (["--samples", "x.txt"], "must be a .npy or .npz file"),
        (["--samples", "x.npy"], "there is no file 'x.npy'"),
        (["--labels", "x.txt"], "there is no file 'x.txt'"),
        (["--labels", "ten.txt"], "`labels` of images need `rescale`, what training did"),
        (["--labels", "two.txt", "--rescale", "1,0"], "one a class: 10 of `model` 'lenet5'; got 2"),
        (["--prefer", "size"], "`prefer` is for precision='auto'"),
        (["--boxes", "cycxhw"], "`boxes` goes with `labels`"),
        (["--rescale", "1/0,0"], "must be SCALE,OFFSET such as 1/255,0; got '1/0,0'"),
        (["--rescale", "2"], "must be SCALE,OFFSET"),
        (["--layer-errors"], "`layer_errors` is for precision='int8' or 'float16'"),
    ],
)
def test_export_refuses_bad_use_in_one_line(options, words, folder, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "net.keras"
    model.write_bytes((folder / "lenet.keras").read_bytes())
    for name, count in (("ten.txt", 10), ("two.txt", 2)):
        Path(name).write_text("\n".join(f"class {i}" for i in range(count)))
    assert words in refused(capfd, "export", model, *options)
    assert {path.name for path in tmp_path.iterdir()} == {"net.keras", "ten.txt", "two.txt"}


def test_export_refuses_pickled_samples(folder, capfd, tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], object), allow_pickle=True)
    line = refused(
        capfd, "export", folder / "lenet.keras", "--samples", tmp_path / "x.npy", "-o", tmp_path / "a.tflite"
    )
    assert "holds no plain arrays" in line


def test_export_does_not_run_a_lambda_from_a_file(capfd, tmp_path):
    image = keras.Input((4,))
    keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(image)).save(tmp_path / "net.keras")
    assert "holds a Lambda, which is code" in refused(capfd, "export", tmp_path / "net.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["net.keras"]


def test_export_says_what_to_do_about_a_class_it_does_not_know(capfd, tmp_path):
    class Unknown(keras.layers.Layer):
        def call(self, x):
            return x * 2

    image = keras.Input((4,))
    keras.Model(image, Unknown()(image)).save(tmp_path / "net.keras")
    assert "Its class is not known here" in refused(capfd, "export", tmp_path / "net.keras")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("net.h5", b"", "must be a `.keras` file"),
        ("net.keras", None, "there is no file"),
        ("net.keras", b"not a zip", "is not a `.keras` file, or it is damaged"),
        ("net.keras", b"PK\x05\x06" + bytes(18), "cannot be loaded"),
    ],
)
def test_export_refuses_what_is_no_model(name, content, words, capfd, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert words in refused(capfd, "export", tmp_path / name)
    assert not list(tmp_path.glob("*.tflite"))


def test_analyze_counts_a_network_by_its_name(capfd, tmp_path):
    code, out, err = run(capfd, "analyze", "lenet5", "--plot", tmp_path / "a.svg")
    assert code == 0
    assert "multiply-adds 416,520; FLOPs" in out
    assert "16x16" in out
    assert (tmp_path / "a.svg").stat().st_size > 1000
    assert "wrote" in err


def test_analyze_counts_files(folder, capfd):
    for name in ("lenet.keras", "lenet.tflite"):
        code, out, err = run(capfd, "analyze", folder / name, "--json")
        assert code == 0, err
        assert json.loads(out)["total"]["multiply_adds"] == 416_520


def test_analyze_takes_sizes_that_a_model_leaves_open(capfd):
    code, out, _ = run(capfd, "analyze", "text_cnn", "--input-shape", "64", "--json")
    assert code == 0
    assert json.loads(out)["inputs"] == [[1, 64]]
    assert "`input_shape` must be given" in refused(capfd, "analyze", "text_cnn")
    assert "must be sizes such as 224,224,3; got 'big'" in refused(capfd, "analyze", "lenet5", "--input-shape", "big")
    assert "must be one that the model" in refused(capfd, "analyze", "lenet5", "--input-shape", "64,64,1")


def test_analyze_refuses_bad_use_in_one_line(folder, capfd, tmp_path):
    message = refused(capfd, "analyze", "resnet5")
    assert "Did you mean 'resnet50'" in message
    assert message.endswith("? Or a file, whose name ends in .keras or .tflite.\n")
    assert "there is no file" in refused(capfd, "analyze", tmp_path / "x.keras")
    image = keras.Input((4,))
    keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(image)).save(tmp_path / "code.keras")
    assert "load it yourself and call analyze" in refused(capfd, "analyze", tmp_path / "code.keras")
    assert "there is no file" in refused(capfd, "analyze", tmp_path / "x.tflite")
    assert "has one of its own" in refused(capfd, "analyze", folder / "lenet.tflite", "--input-shape", "32,32,1")
    assert "a .keras or a .tflite file" in refused(capfd, "analyze", folder / "x.npy")


def test_debug_shows_the_traceback(capfd, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        main(["check", str(tmp_path / "x.tflite"), "--debug"])


def test_a_command_that_does_not_exist_exits_with_2(capfd):
    code, _, err = run(capfd, "exprt")
    assert code == 2
    assert "Did you mean 'export'" in err


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_check_imports_neither_keras_nor_tensorflow(folder):
    code = """
import sys
sys.argv = ["keraslayers", "check", sys.argv[1], "--runtime", "cpu"]
try:
    from keraslayers.__main__ import main
    main()
finally:
    print(sorted({"keras", "tensorflow", "keraslayers.export.proof.proof"} & set(sys.modules)))
"""
    done = python("-c", code, folder / "lenet.tflite")
    assert "PROVEN" in done.stdout
    assert done.stdout.splitlines()[-1] == "['keraslayers.export.proof.proof']"


def test_analyze_of_a_file_imports_neither_keras_nor_tensorflow(folder):
    code = """
import sys
sys.argv = ["keraslayers", "analyze", sys.argv[1]]
try:
    from keraslayers.__main__ import main
    main()
finally:
    print(sorted({"keras", "tensorflow", "keraslayers.analysis.result"} & set(sys.modules)))
"""
    done = python("-c", code, folder / "lenet.tflite")
    assert "multiply-adds 416,520" in done.stdout
    assert done.stdout.splitlines()[-1] == "['keraslayers.analysis.result']"


def test_a_layer_of_this_library_loads_in_the_command(tmp_path):
    from keraslayers import ChannelShuffle

    image = keras.Input((4, 4, 8), name="image")
    keras.Model(image, ChannelShuffle(2)(keras.layers.Conv2D(8, 1)(image))).save(tmp_path / "net.keras")
    done = python("-m", "keraslayers", "export", tmp_path / "net.keras")
    assert done.returncode == 0, done.stderr
    assert "PROVEN" in done.stdout
    # Nothing of what TensorFlow writes about itself.
    assert "oneDNN" not in done.stderr
    assert "Saved artifact" not in done.stdout


def test_repair_writes_another_file(folder, tmp_path, capfd):
    source = tmp_path / "tool.tflite"
    source.write_bytes((folder / "lenet.tflite").read_bytes())
    samples, model = folder / "x.npz", folder / "lenet.keras"
    options = ["--target", "cpu", "--samples", samples, "--model", model, "--html", tmp_path / "tool.html"]
    code, out, err = run(capfd, "repair", source, *options)
    assert code == 0
    assert "PROVEN" in out
    assert "against the Keras model" in " ".join(out.split())
    made = tmp_path / "tool.repaired.tflite"
    assert str(made) in err.replace("\n", "")
    assert made.read_bytes() == source.read_bytes(), "there was nothing to repair"
    assert json.loads(made.with_suffix(".json").read_text())["ok"]
    assert (tmp_path / "tool.html").exists()


def test_repair_never_writes_over_the_file(folder, capfd):
    before = (folder / "lenet.tflite").read_bytes()
    message = refused(capfd, "repair", folder / "lenet.tflite", "-o", folder / "lenet.tflite")
    assert "`output` must be another file than `FILE`" in message
    assert (folder / "lenet.tflite").read_bytes() == before


def test_check_compares_with_the_model(folder, capfd):
    options = ["--runtime", "cpu", "--samples", folder / "x.npy", "--model", folder / "lenet.keras"]
    code, out, _ = run(capfd, "check", folder / "lenet.tflite", *options)
    assert code == 0
    assert "against the Keras model" in " ".join(out.split())
