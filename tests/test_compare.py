"""Two files side by side."""

import json

import keras
import numpy as np
import pytest

from keraslayers import export
from keraslayers.__main__ import main
from keraslayers.export import Comparison, compare, to_tflite
from keraslayers.export.file import edit
from tests.export_models import enliven


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(24, 12, 12, 3)).astype("float32")


@pytest.fixture(scope="module")
def files(x, tmp_path_factory):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((12, 12, 3), name="image"),
        keras.layers.Conv2D(6, 3, activation="relu", name="first"),
        keras.layers.Conv2D(8, 3, activation="relu", name="second"),
        keras.layers.Flatten(),
        keras.layers.Dense(5, name="scores"),
    ]
    model = enliven(keras.Sequential(layers, name="net"))
    folder = tmp_path_factory.mktemp("files")
    for precision in ("float32", "int8"):
        to_tflite(model, precision=precision, samples=x).save(folder / f"{precision}.tflite")
    return folder / "float32.tflite", folder / "int8.tflite"


def scaled(path, layer, factor):
    """The same file with the largest kernel of a layer times a number."""
    file = edit.read(path.read_bytes())
    (operator,) = [op for op in file.main.operators if f"/{layer}" in op.output.name and op.name == "CONV_2D"]
    operator.inputs[1].buffer.data = (operator.inputs[1].values * np.float32(factor)).view("uint8").reshape(-1)
    return file.write()


def test_an_integer_file_beside_that_of_floats(files, x):
    found = compare(*files, samples=x)
    assert isinstance(found, Comparison)
    assert found.samples == 24
    assert found.sizes == tuple(path.stat().st_size for path in files)
    (snr,) = found.outputs.values()
    assert 20 < snr < 60
    assert found.agreement > 0.8
    rows = {row.layer: row for row in found.layers}
    for name, weights in (("first", 6 * 27 + 6), ("second", 8 * 54 + 8)):
        row = next(row for layer, row in rows.items() if layer.endswith(name))
        assert row.operators[0] == row.operators[1] == {"CONV_2D": 1}
        assert row.sizes[0] == 4 * weights
        assert row.sizes[1] < row.sizes[0] / 2
        assert 20 < row.snr_db < 60
    assert "operators" in str(found)


def test_a_file_beside_itself_is_equal(files):
    found = compare(files[0], files[0])
    assert set(found.outputs.values()) == {np.inf}
    assert {row.snr_db for row in found.layers if row.snr_db is not None} == {np.inf}


def test_it_tells_the_layer_from_which_on_they_differ(files, x):
    found = compare(files[0], scaled(files[0], "second", 1.05), samples=x)
    by_layer = {row.layer.rpartition("/")[2]: row.snr_db for row in found.layers}
    assert by_layer["first"] == np.inf
    assert 20 < by_layer["second"] < 35  # 5 % of all that differs, and of what does not


def test_files_of_other_networks_are_refused(files, x):
    other = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"`compare`: the files must have the same inputs; the first has `image`"):
        compare(files[0], to_tflite(other).tflite, samples=x)
    with pytest.raises(FileNotFoundError, match="`compare`"):
        compare("none.tflite", files[0])


def test_the_command(files, x, tmp_path, capfd):
    np.save(tmp_path / "x.npy", x)
    words = ["compare", str(files[0]), str(files[1]), "--samples", str(tmp_path / "x.npy")]
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as stopped:
            main([*words, *more])
        assert stopped.value.code == 0
    table, told = capfd.readouterr().out.split("{", 1)
    assert "int8.tflite" in table
    assert json.loads("{" + told)["samples"] == 24
    assert export.compare is compare


def test_node_data_for_model_explorer(files, x, tmp_path, capfd):
    """Of each layer by the tensor that it gives, as Model Explorer finds nodes."""
    found = compare(*files, samples=x)
    path = found.save_node_data(tmp_path / "dB.json")
    (name, data) = json.loads(path.read_text()).popitem()
    graph = edit.read(files[1].read_bytes()).main
    assert name == graph.name.decode()
    given = {tensor.name for operator in graph.operators for tensor in operator.outputs}
    assert set(data["results"]) < given
    told = [row for row in found.layers if row.snr_db is not None]
    assert {row.tensors[1]: {"value": row.snr_db} for row in told} == data["results"]
    assert [stop["stop"] for stop in data["gradient"]] == [0, 0.5, 1]
    same = compare(files[0], files[0], samples=x).save_node_data(path)  # equal, which no number says
    assert {each["value"] for each in json.loads(same.read_text())["main"]["results"].values()} == {200}
    with pytest.raises(ValueError, match=r"`save_node_data`: `path` must end in '\.json'"):
        found.save_node_data(tmp_path / "dB.txt")
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *map(str, files), "--node-data", str(files[1].with_suffix(".json"))])
    assert stopped.value.code == 2
    assert "must be another file than `the report beside int8.tflite`" in " ".join(capfd.readouterr().err.split())
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *map(str, files), "--node-data", str(tmp_path / "again.json")])
    assert stopped.value.code == 0
    assert "wrote" in capfd.readouterr().err
    assert json.loads((tmp_path / "again.json").read_text())["main"]["results"].keys() == data["results"].keys()
