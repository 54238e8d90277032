"""The table of what examples of detection, segmentation and the like come to. No benchmark is run."""

import importlib
import inspect
import json
import re
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks import tasks

ROOT = Path(__file__).parent.parent


@pytest.fixture
def examples(monkeypatch):
    """Examples import each other, as where Python runs one."""
    monkeypatch.syspath_prepend(ROOT / "examples")


def test_every_example_has_what_the_table_asks_of_it(examples):
    parts = set(re.findall(r"^- `(\w+)", tasks.__doc__, re.MULTILINE))
    assert {"SCORE", "NETWORK", "load", "fit", "score"} < parts
    for name in tasks.TASKS:
        example = importlib.import_module(name)
        assert not [part for part in parts if not hasattr(example, part)], name
        needed = [p for p in inspect.signature(example.fit).parameters.values() if p.default is p.empty]
        assert len(needed) == 2, name


def test_the_page_shows_what_was_found():
    found = json.loads(tasks.FOUND.read_text()) if tasks.FOUND.exists() else {}
    assert set(found) <= set(tasks.TASKS)
    block = re.search(r"<!-- tasks -->\n(.*?)<!-- /tasks -->", tasks.PAGE.read_text(), re.DOTALL)[1]
    assert block == (tasks.table(found) if found else "")


def test_the_page_of_tasks_says_what_became_of_other_peoples_heads():
    found = json.loads((ROOT / "benchmarks" / "others.json").read_text())
    rows = re.findall(r"^\| `(\w+/\w+)` \| (.*) \|$", (ROOT / "docs" / "tasks.md").read_text(), re.MULTILINE)
    assert {"keras_hub/retinanet", "keras_hub/segformer", "kyolo/yolov8"} < {name for name, _ in rows}
    for name, told in rows:
        floats, integers, stock = (found[name][way]["proofs"] for way in ("float32", "int8", "stock"))
        verdicts = [floats["cpu"], floats["gpu"], floats["gpu-fp16"], integers["cpu"], stock["gpu"]]
        assert told.split(" | ") == [each["verdict"] for each in verdicts], name


def test_one_task_is_measured_and_the_others_stay(tmp_path, monkeypatch, examples):
    page, kept = tmp_path / "README.md", tmp_path / "tasks.json"
    page.write_text("# A page\n\n<!-- tasks -->\n<!-- /tasks -->\n")
    row = dict.fromkeys(tasks.COLUMNS, "1.0")
    kept.write_text(json.dumps({"count": {"on": "a machine", "rows": [row | {"task": "counts"}]}}))
    monkeypatch.setattr(tasks, "PAGE", page)
    monkeypatch.setattr(tasks, "FOUND", kept)
    monkeypatch.setattr(tasks, "TASKS", ("count", "weigh"))
    monkeypatch.setattr(tasks, "measure", lambda example: [row | {"task": example.NETWORK}])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "weigh", types.SimpleNamespace(NETWORK="weighs"))
    tasks.main(["weigh"])
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert [line.split(" | ")[0] for line in lines] == ["| task", "| ---", "| counts", "| weighs"]
    assert "`make bench-tasks` on a machine; " in page.read_text()
    with pytest.raises(SystemExit, match="no tasks called enlarge; there are count, weigh"):
        tasks.main(["enlarge"])


class Brighter:
    """A task that is solved from the beginning."""

    SCORE, NETWORK, MORE = "right, %", "brighter", {"rate": 1e-4}

    @staticmethod
    def load():
        x = np.random.default_rng(0).uniform(size=(8, 8, 8, 3)).astype("float32")
        return (x, 2 * x), (x, 2 * x)

    @staticmethod
    def network():
        image = keras.Input((8, 8, 3), name="image")
        model = keras.Model(image, keras.layers.Conv2D(3, 1)(image))
        model.set_weights([2 * np.eye(3)[None, None], np.zeros(3)])
        return model

    @staticmethod
    def fit(model, learn, rate=1e-3):
        model.compile(keras.optimizers.SGD(rate), "mse")
        model.fit(*learn, verbose=0)

    @staticmethod
    def deployed(model):
        return model

    @staticmethod
    def score(outputs, targets):
        return 100 * np.mean(abs(outputs - targets) < 0.05)


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")  # of the stock converter
def test_what_is_measured_of_a_task(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "FILES", tmp_path)
    monkeypatch.setattr(tasks, "RUNTIMES", ("cpu",))
    monkeypatch.setattr(tasks, "TARGET", "cpu")
    monkeypatch.setattr(tasks, "SECONDS", 0.1)
    rows = {row["file"]: row for row in tasks.measure(Brighter)}
    (kept,) = tmp_path.glob("Brighter-*.weights.h5")  # so that it is not trained again
    again = Brighter.network()
    again.load_weights(kept)
    assert list(rows) == ["float16", "int8", "int8, trained", "int8, stock"]
    for row in rows.values():
        assert (row["of Keras"], row["of the file"], row["cpu"]) == ("100.0", "100.0", "PROVEN")
        assert re.fullmatch(r"\d+\.\d\d", row["ms"])
        assert int(row["bytes"].replace(",", "")) > 500
