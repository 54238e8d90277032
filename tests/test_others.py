"""A dozen of the models of `make bench-models`, of every kind that once failed, and how its table is made."""

import json

import pytest

from benchmarks import others
from benchmarks.others import __main__ as command
from benchmarks.others import table
from keraslayers.export import to_tflite
from tests.export_models import needs_gpu

# Kinds that need no package; what is hard in each model is what the file holds.
EXAMPLES = {
    "examples_generative/cyclegan_generator": "mirrored borders",
    "examples_recurrent/masked_lstm": "a loop",
    "examples_recurrent/recurrent_dropout": "the state of a seed",
    "examples_recurrent/streaming_gru": "a state that comes in and goes out",
    "examples_sequences/spectrum": "a Fourier transform",
    "examples_sequences/wavenet": "dilated convolutions as space to batch",
    "examples_structured/dlrm": "a product of a tensor with itself",
    "examples_structured/gnn_node_classification": "sums by segment, of a subclassed model",
    "examples_text/mini_gpt": "tables read at indices of two axes",
    "examples_transformers/cait": "products with a constant, of a subclassed model",
    "examples_transformers/swin": "windows of six axes",
    "examples_vision/espcn": "pixels out of channels by six axes",
}
IN_INT8 = (
    "examples_recurrent/masked_lstm",
    "examples_sequences/wavenet",
    "examples_text/mini_gpt",
    "examples_transformers/swin",
    "examples_vision/espcn",
)


def _made(key):
    kind, name = key.split("/")
    return others.builders(kind)[name]()


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("key", EXAMPLES)
def test_proven_on_gpu_and_cpu(key):
    model, x = _made(key)
    to_tflite(model, target="gpu-fp32", samples=x).report.require()


@pytest.mark.sweep
@pytest.mark.parametrize("key", IN_INT8)
def test_proven_in_int8(key):
    model, x = _made(key)
    to_tflite(model, precision="int8", samples=x).report.require()


def test_the_table_tells_each_verdict_and_why_ours_is_not_proven(tmp_path):
    pages = tmp_path / "page.md", tmp_path / "front.md"
    for page in pages:
        page.write_text("A page.\n<!-- others -->\n<!-- /others -->\nMore.\n")
    proven, wrong = {"verdict": "PROVEN", "reason": ""}, {"verdict": "WRONG", "reason": "it is off"}
    float32 = {"proofs": {"cpu": proven, "gpu": wrong}, "parameters": 1234}
    keys = ["k3im/one", "kimm/two"]
    results = {"kimm/two": {"float32": float32, "stock": command.nothing("stock", "it crashed")}}
    table.write(keys, results, pages)
    page, front = (page.read_text() for page in pages)
    untold = " | ".join(["not run"] * 7)
    assert f"| `k3im/one` |  | {untold} |" in page
    assert "| `kimm/two` | 1,234 | no file | no file | not run | not run | PROVEN | WRONG | not run |" in page
    assert "`kimm/two`, ours, gpu: WRONG: it is off." in page
    assert "it crashed" not in page  # of the stock tools' files the verdict is enough
    for text in (page, front):
        assert "| of 2 models | PROVEN | WRONG | REJECTED | UNTESTED | no file |" in text
        assert "| ours, gpu | 0 | 1 | 0 | 0 |" in text
        assert text.startswith("A page.\n")
        assert text.endswith("\nMore.\n")


def test_a_process_that_ends_costs_one_way_of_one_model(monkeypatch):
    script = """
import json, os, sys
key, _, way = sys.argv[2].partition("=")
print("other words")
if way != "int8":
    print(chr(30) + json.dumps([key, way, {"proofs": {}}]), flush=True)
os.kill(os.getpid(), 9)
"""
    monkeypatch.setattr(command, "COMMAND", ("-c", script))
    left = [("kimm/two", "stock"), ("kimm/two", "int8"), ("kyolo/three", "stock")]
    found = {(key, way): result for key, way, result in command.in_other_processes(left)}
    assert list(found) == left
    assert found["kimm/two", "stock"] == {"proofs": {}}
    assert found["kimm/two", "int8"]["proofs"]["cpu"]["reason"] == "the process was ended by SIGKILL"


def test_results_are_of_models_that_stand_in_the_table():
    kinds = [kind for kind in others.KINDS if kind.startswith("examples_")]
    examples = {f"{kind}/{name}" for kind in kinds for name in others.builders(kind)}
    kept = set(json.loads(command.RESULTS.read_text()))
    assert {key.partition("/")[0] for key in kept} <= set(others.KINDS)
    assert {key for key in kept if key.startswith("examples_")} <= examples
