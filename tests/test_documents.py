"""What people read runs: every Python block of every document, and every example, with small settings."""

import ast
import inspect
import math
import re
import runpy
import shlex
import sys
import zipfile
from pathlib import Path

import keras
import nbclient
import nbformat
import numpy as np
import pytest

import keraslayers
from keraslayers import __main__ as command_line
from keraslayers.export import to_tflite
from keraslayers.export.proof.match import LIMITS
from tests.export_models import enliven, needs_gpu

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# Commands in documents that change the machine, which no test may.
NOT_RUN = {"pip install '.[demo]'"}
# An example without a row here fails the test below.
EXAMPLES = {
    "scenes.py": (["--out", "scenes.png"], ["scenes.png"]),
    "own_project.py": (["--epochs", "1", "--out", "digits.tflite"], ["digits.json", "digits.keras", "digits.tflite"]),
    "check_any_file.py": ([], []),
    "fine_tune.py": (["--epochs", "1", "--out", "even.tflite"], ["even.json", "even.tflite"]),
    "deformable.py": (["--epochs", "1", "--out", "points.png"], ["points.png"]),
    "prune_and_cluster.py": (["--epochs", "1", "--out", "small.tflite"], ["small.json", "small.tflite"]),
    "several_machines.py": (["--epochs", "1", "--out", "s.tflite"], ["s.json", "s.tflite"]),
    "quantization_aware_training.py": (["--epochs", "1", "--out", "q.tflite"], ["q.json", "q.tflite"]),
    "detect.py": (
        ["--epochs", "1", "--scenes", "16", "--target", "cpu", "--out", "d.tflite"],
        ["d.html", "d.json", "d.png", "d.tflite", "d_float16.json", "d_float16.tflite"],
    ),
    "enlarge.py": (
        ["--epochs", "1", "--crops", "16", "--tile", "16", "--side", "48", "--target", "cpu", "--out", "e.tflite"],
        ["e.html", "e.json", "e.png", "e.tflite"],
    ),
    "keypoints.py": (
        ["--epochs", "1", "--images", "16", "--target", "cpu", "--out", "k.tflite"],
        ["k.html", "k.json", "k.png", "k.tflite"],
    ),
    "segment.py": (
        ["--epochs", "1", "--scenes", "16", "--side", "32", "--target", "gpu-fp32", "--out", "s.tflite"],
        ["s.html", "s.json", "s.png", "s.tflite", "s_float16.json", "s_float16.tflite"],
    ),
    "keraslayers.ipynb": ([], ["digits.html", "digits.json", "digits.tflite"]),
    "raspberry_pi.py": (["m.tflite", "a.ppm", "b.npy", "--threads", "1"], ["a.ppm", "b.npy", "m.json", "m.tflite"]),
}


# A page may use the stock converter, which warns of what it does by itself.
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_blocks_of_a_document_run_from_top_to_bottom(document, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "document"}
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    assert {language for language, _ in blocks} <= {"python", "bash", "text"}
    for language, block in blocks:
        if language == "python":
            exec(compile(block, document.name, "exec"), names)
        elif language == "bash":
            for line in block.splitlines():
                run_line(line)
    if document.name == "quantization.md":
        # What the page says of its last block.
        assert re.search(r"^WRONG .*\nIt begins at (?s:.*)\Z", capsys.readouterr().out, re.MULTILINE)


def run_line(line):
    if line in NOT_RUN:
        return
    program, *arguments = shlex.split(line)
    assert program == "keraslayers", line
    with pytest.raises(SystemExit) as stopped:
        command_line.main(arguments)
    assert stopped.value.code == 0, line


def test_the_readme_leads_to_every_example():
    readme = (ROOT / "README.md").read_text()
    for name in EXAMPLES:
        assert f"(examples/{name})" in readme, name


def test_every_example_has_a_row():
    assert {path.name for path in (ROOT / "examples").glob("*.*") if path.is_file()} == set(EXAMPLES)


# An example may use the stock converter, which warns of what it does by itself.
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs", r"ignore:\s*Warning. tf.lite.Interpreter")
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.endswith(".py")])
def test_example(name, tmp_path, monkeypatch, capsys):
    arguments, written = EXAMPLES[name]
    monkeypatch.chdir(tmp_path)
    if name == "raspberry_pi.py":
        a_classifier_and_pictures()
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    monkeypatch.syspath_prepend(ROOT / "examples")  # as `python examples/x.py` does
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    printed = capsys.readouterr().out
    if name == "check_any_file.py":
        # What the README tells of this file.
        assert re.search(r"cpu\W+int8\W+PROVEN", printed)
        assert re.search(r"gpu\W+float32\W+WRONG", printed)
    if name == "raspberry_pi.py":
        # The first picture is all red, the second all blue.
        assert re.search(r"^a.ppm: red \d\.\d+, (green|blue) .*\nb.npy: blue .*\n\d+\.\d\d ms a call, 1 thr", printed)


@needs_gpu
def test_the_notebook(tmp_path, monkeypatch):
    """Its cells run from top to bottom in a kernel of their own, as Jupyter and Colab run them."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    book = nbformat.read(ROOT / "examples" / "keraslayers.ipynb", nbformat.NO_CONVERT)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    nbclient.NotebookClient(book, resources={"metadata": {"path": tmp_path}}).execute()
    assert sorted(path.name for path in tmp_path.iterdir()) == EXAMPLES["keraslayers.ipynb"][1]
    shown = "".join(output.data["text/plain"] for cell in cells for output in cell.outputs if "data" in output)
    for runtime in ("gpu", "gpu-fp16", "cpu"):
        assert re.search(rf"^{runtime} .*PROVEN", shown, re.MULTILINE), shown


def a_classifier_and_pictures():
    """An int8 file that tells colors apart, with its labels, and two pictures of other sizes than its own."""
    image = keras.Input((8, 8, 3), name="image")
    scores = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(image))
    pixels = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3)).astype("uint8")
    scale = keras.layers.Rescaling(1 / 64)
    made = to_tflite(keras.Model(image, scores), precision="int8", samples=pixels, io="uint8", preprocessing=scale)
    made.save("m.tflite", labels=["red", "green", "blue"])
    Path("a.ppm").write_bytes(b"P6\n# a comment\n20 11\n255\n" + b"\xff\x00\x00" * 20 * 11)
    np.save("b.npy", np.full((3, 5, 3), (0, 0, 255), "uint8"))


def test_the_raspberry_pi_example_needs_litert_and_numpy_alone():
    imported = set()
    for node in ast.walk(ast.parse((ROOT / "examples" / "raspberry_pi.py").read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"ai_edge_litert", "numpy"}


@needs_gpu
@pytest.mark.parametrize("name", ["android", "ios"])
def test_the_python_block_of_an_app(name, tmp_path, monkeypatch):
    """What runs here of the apps' pages: the export."""
    monkeypatch.chdir(tmp_path)
    image = keras.Input((8, 8, 3), name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    model = enliven(keras.Model(image, keras.layers.Dense(3, "softmax")(pooled)))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("uint8")
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "examples" / name / "README.md").read_text(), re.M | re.S)
    exec(block, {"keras": keras, "keraslayers": keraslayers, "model": model, "pixels": pixels})
    assert zipfile.ZipFile("model.tflite").read("labels.txt") == b"cat\ndog\nfish"


def test_links_of_the_documents_lead_somewhere():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            if document.parent == ROOT:  # of the site's, strict mode checks them
                assert (ROOT / target).exists(), f"{document.name}: {target}"


def test_the_make_targets_that_documents_name_are_there():
    rules = re.findall(r"^([\w -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    for document in DOCUMENTS:
        for name in re.findall(r"(?:^    |`)make ([\w-]+)", document.read_text(), re.MULTILINE):
            assert name in targets or name.startswith("bench-"), f"{document.name}: make {name}"


def test_the_page_tells_the_limits_of_proof():
    text = " ".join((ROOT / "docs" / "proof.md").read_text().split())
    for precision, (decibels, _) in LIMITS.items():
        found = re.search(rf"{precision} (?:file must reach a signal |and \w+ )?(\d+) dB", text)
        assert float(found[1]) == decibels, precision


PUBLIC = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in (keraslayers, keraslayers.export, keraslayers.models)
    for name in package.__all__
    if callable(getattr(package, name))
}


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if "```" in (thing.__doc__ or "")])
def test_the_code_of_a_docstring_runs(name):
    names = {"keras": keras, "keraslayers": keraslayers, "math": math, "np": np, "__name__": "docstring"}
    for block in re.findall(r"^```python\n(.*?)^```", inspect.getdoc(PUBLIC[name]), re.MULTILINE | re.DOTALL):
        exec(compile(block, name, "exec"), names)


@pytest.mark.parametrize("name", PUBLIC)
def test_code_of_docstrings_is_marked_as_such(name):
    """Indented code would be a block on the site that no test runs."""
    text = re.sub(r"^```.*?^```", "", inspect.getdoc(PUBLIC[name]) or "", flags=re.MULTILINE | re.DOTALL)
    for block in re.findall(r"^\n((?: {4}.*\n)+)", text, re.MULTILINE):
        assert not re.search(r"^ {4}\w[\w, ]* = \w+[.(]|^ {4}(def|class|import) |\w\.compile\(", block, re.MULTILINE), (
            block
        )
