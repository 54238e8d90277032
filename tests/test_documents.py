"""What people read runs: every Python block of every document, and every example, with small settings."""

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(path for path in ROOT.glob("*.md"))
# An example without a row here fails the test below.
EXAMPLES = {
    "own_project.py": (["--epochs", "1", "--out", "digits.tflite"], ["digits.json", "digits.keras", "digits.tflite"]),
    "check_any_file.py": ([], []),
    "deformable.py": (["--epochs", "1", "--out", "points.png"], ["points.png"]),
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_python_blocks_of_a_document_run_from_top_to_bottom(document, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(block, document.name, "exec"), names)


def test_every_example_has_a_row():
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


# An example may use the stock converter, which warns of what it does by itself.
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs", r"ignore:\s*Warning. tf.lite.Interpreter")
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, tmp_path, monkeypatch, capsys):
    arguments, written = EXAMPLES[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    printed = capsys.readouterr().out
    if name == "check_any_file.py":
        # What the README tells of this file.
        assert re.search(r"cpu\W+PROVEN", printed)
        assert re.search(r"gpu\W+WRONG", printed)


def test_links_of_the_documents_lead_somewhere():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (ROOT / target).exists(), f"{document.name}: {target}"
