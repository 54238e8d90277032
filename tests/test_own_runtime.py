"""A runtime is one file: the one in docs/adding.md, and others made of it."""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from keraslayers.export import TARGETS, Target, Verdict, find_culprit, prove, to_tflite
from keraslayers.export.runtimes import RUNTIMES, cpu
from tests.export_models import dense, samples

PAGE = Path(__file__).parent.parent / "docs" / "adding.md"
(SHOWN,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "def load" in block)
NUMBERS = "interpreter.get_tensor(index) for"
OWN = Target("own", ("own",), "a device of one's own")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Writes a runtime's file and enters it as `own`."""

    def install(source):
        path = tmp_path / "own.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location("own", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(RUNTIMES, "own", module)

    return install


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_runtime_is_one_file(install, precision):
    install(SHOWN)
    made = to_tflite(dense(), target=OWN, precision=precision, samples=samples(16, (4,)))
    (proof,) = made.report.require().proofs
    assert (proof.runtime, proof.device) == ("own", "2 threads")
    assert proof.latency_ms > 0
    assert prove(made.tflite, "own").ok
    assert OWN.limits == ("own: no more than two threads",)


def test_one_that_computes_something_else_is_wrong(install):
    assert NUMBERS in SHOWN
    install(SHOWN.replace(NUMBERS, f"2 * {NUMBERS}"))
    for precision, reference in (("float32", "the Keras model"), ("int8", "LiteRT's built-in kernels")):
        made = to_tflite(dense(), target=OWN, precision=precision, samples=samples(16, (4,)))
        (proof,) = made.report.proofs
        assert proof.verdict is Verdict.WRONG
        assert reference in proof.reason
    assert find_culprit(to_tflite(dense()).tflite, "own").operator == "FULLY_CONNECTED"


def test_one_that_refuses_dies_or_is_not_there(install):
    start = "    interpreter = Interpreter("
    assert start in SHOWN
    for line, reason in (
        ("    raise ValueError('not this one')\n", "not this one"),
        ("    import os; os.abort()\n", "the runtime died (SIGABRT)"),
    ):
        install(SHOWN.replace(start, line + start))
        (proof,) = to_tflite(dense(), target=OWN).report.proofs
        assert (proof.verdict, proof.reason) == (Verdict.REJECTED, reason)
    install(SHOWN.replace('return ""', 'return "install it"'))
    (proof,) = to_tflite(dense(), target=OWN).report.proofs
    assert (proof.verdict, proof.reason) == (Verdict.UNTESTED, "install it")


def test_the_child_has_nothing_of_this_library(install):
    """Which would import Keras, for seconds."""
    names = "{name.partition('.')[0] for name in __import__('sys').modules} & {'keras', 'keraslayers', 'tensorflow'}"
    install(SHOWN.replace('f"{threads} threads"', f"str(sorted({names}))"))
    (proof,) = to_tflite(dense(), target=OWN).report.proofs
    assert proof.device == "[]"


class Elsewhere:
    """A runtime without a name: LiteRT's, in another place."""

    LIKE, LIMITS, PLAIN, FLOATS = "cpu", ("no more than one",), False, 32

    def __init__(self, run):
        self.run = run

    def __str__(self):
        return "cpu elsewhere"

    def available(self):
        return ""


def test_one_that_has_no_name_is_given_as_it_is():
    here = Elsewhere(cpu.run)
    target = Target("mine", (here, "cpu"), "a board of one's own")
    assert target.limits[0] == "cpu elsewhere: no more than one"
    for precision in ("float32", "int8"):
        assert target.passes(precision) == TARGETS["cpu"].passes(precision)
        assert target.rewrites(precision) == TARGETS["cpu"].rewrites(precision)
    made = to_tflite(dense(), target=target)
    assert [proof.runtime for proof in made.report.require().proofs] == ["cpu elsewhere", "cpu"]
    assert made.report.proof(here).operators == made.report.proof("cpu").operators
    assert prove(made.tflite, here).ok
    assert find_culprit(made.tflite, here) is None
    with pytest.raises(ValueError, match=r"`prove`: `runtimes` must be one of 'cpu', .*; got 3\."):
        prove(made.tflite, 3)
    with pytest.raises(ValueError, match="`to_tflite`: `target 'mine': runtimes` must be one of"):
        to_tflite(dense(), target=Target("mine", (3,), "nothing"))


FILES = Path(__file__).parent / "files"


def test_all_that_are_there_are_in_one_table_with_what_the_others_want(monkeypatch, tmp_path):
    for name in {*RUNTIMES} - {"cpu", "cpu-fp16"}:
        monkeypatch.delitem(RUNTIMES, name)
    monkeypatch.setitem(RUNTIMES, "own", SimpleNamespace(available=lambda: "install it"))
    report = prove(FILES / "litert_torch_grouped.tflite", "all").require()
    assert [(proof.runtime, proof.arithmetic) for proof in report.proofs] == [
        ("cpu", "float32"),
        ("cpu-fp16", "float16"),
    ]
    assert report.absent == {"own": "install it"}
    report.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<strong>own</strong> (install it)" in page
    for text in (str(report), page):
        assert "float16" in text
    assert "not on this machine: own (install it)" in str(report)
    integers = prove(FILES / "litert_torch_mixer_int8.tflite", ["cpu", "cpu-fp16"])
    assert [proof.arithmetic for proof in integers.proofs] == ["int8", "int8"]
