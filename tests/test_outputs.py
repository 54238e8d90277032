"""What is written never replaces what nobody named, and what is shown is not obeyed."""

import dataclasses
import hashlib
import io
import json
import os
import re
import types

import keras
import numpy as np
import pytest
from rich.console import Console

from keraslayers import export
from keraslayers.__main__ import main
from keraslayers._printable import printable
from keraslayers.export import Artifact, Proof, Report, Verdict, prove_file
from keraslayers.export.file import files
from keraslayers.export.file.graph import read_graph
from keraslayers.export.progress import step
from keraslayers.export.proof.blame import Culprit
from tests.file_tools import Made
from tests.test_command_line import refused, run
from tests.test_files import listing

RED = "a\x1b[31mred\x9b1m\x07\u202e[/bold]\ncpu: PROVEN"


def artifact(content=b"new", name="m", reason=""):
    proofs = (Proof("cpu", Verdict.REJECTED if reason else Verdict.PROVEN, reason),)
    about = (name, len(content), hashlib.sha256(content).hexdigest(), {}, (), (), ())
    return Artifact(content, Report(*about, proofs))


def relu(name="x"):
    f = Made()
    return f.done(f.new("RELU", (f.input((1, 2), name=name),), (1, 2)))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a file to repair; `repair` does nothing, which the command is not told."""
    (tmp_path / "net.tflite").write_bytes(relu())
    monkeypatch.setattr(export, "repair", lambda *args, **kwargs: artifact())
    monkeypatch.setattr(export, "prove", lambda *args, **kwargs: artifact().report)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path, kind):
    path = tmp_path / "m.html"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    before = os.lstat(path).st_ino
    for name in ("m.html", "m.tflite"):
        path = path.rename(tmp_path / name)
        with pytest.raises(ValueError, match=r"must be a file; .* is none: a device, a pipe or a socket"):
            artifact().report.to_html(path) if name == "m.html" else artifact().save(path)
        with pytest.raises(OSError, match="no file that can be replaced"):
            files.write({path: b"x"})
        assert os.lstat(path).st_ino == before
    assert os.listdir(tmp_path) == ["m.tflite"]


def test_the_report_replaces_no_pipe(tmp_path):
    os.mkfifo(tmp_path / "m.json")
    with pytest.raises(OSError, match="no file that can be replaced"):
        artifact().save(tmp_path / "m.tflite")
    assert os.listdir(tmp_path) == ["m.json"]


def test_a_link_leads_to_what_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.tflite").write_bytes(b"old")
    (tmp_path / "m.tflite").symlink_to(tmp_path / "far" / "real.tflite")
    artifact(b"new").save(tmp_path / "m.tflite")
    assert (tmp_path / "m.tflite").is_symlink()
    assert listing(tmp_path / "far") == {"real.tflite": b"new"}


@pytest.mark.parametrize("name", ["m.tflite", "m.json", "m.keras", "m"])
def test_a_page_is_a_page(tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"`path` must end in '\.html' or '\.htm'"):
        artifact().report.to_html(tmp_path / name)
    assert listing(tmp_path) == {name: b"mine"}


@pytest.mark.parametrize("content", [b"{}", b"mine", b"[1]", b'{"ok": true}', b"[" * 99_999])
def test_a_file_beside_that_is_no_report_stays(tmp_path, content):
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(FileExistsError, match=r"m\.json', beside 'm\.tflite', is no report"):
        artifact().save(tmp_path / "m.tflite")
    assert listing(tmp_path) == {"m.json": content}
    artifact().save(tmp_path / "m.tflite", force=True)
    assert json.loads((tmp_path / "m.json").read_text())["ok"]
    artifact(b"newer").save(tmp_path / "m.tflite")  # a report may go
    assert (tmp_path / "m.tflite").read_bytes() == b"newer"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "net.tflite"], "`output` must be another file than `FILE`"),
        (["-o", "link.tflite"], "`output` must be another file than `FILE`"),
        (["-o", "hard.tflite"], "`output` must be another file than `FILE`"),
        (["-o", "./sub/../net.tflite"], "`output` must be another file than `FILE`"),
        (["-o", "x.tflite", "--samples", "x.json"], "`the report beside it` must be another file than `samples`"),
        (["-o", "mine.tflite"], "'mine.json', beside 'mine.tflite', is no report"),
        (["-o", "null.tflite"], "is none: a device"),
        (["--html", "net.tflite"], "`html` must be another file than `FILE`"),
        (["--html", "page.html"], "`html` must be another file than `FILE`"),
        (["-o", "y.tflite", "--html", "y.tflite"], "`html` must be another file than `output`"),
        (["-o", "y.tflite", "--html", "sub/../y.json"], "`html` must be another file than `the report beside it`"),
        (["--html", "null.html"], "is none: a device"),
        ([], "'net.repaired.tflite' is there, and no report beside it tells of it"),
    ],
)
def test_the_command_replaces_nothing_that_it_reads_or_wrote(place, capfd, options, words):
    (place / "sub").mkdir()
    (place / "link.tflite").symlink_to("net.tflite")
    (place / "page.html").symlink_to("net.tflite")
    (place / "hard.tflite").hardlink_to(place / "net.tflite")
    for name in ("null.tflite", "null.html"):
        (place / name).symlink_to("/dev/null")
    (place / "mine.json").write_text("{}")
    if not options:
        (place / "net.repaired.tflite").write_bytes(b"mine")
    before = sorted(os.listdir(place))
    assert words in refused(capfd, "repair", "net.tflite", *options)
    assert sorted(os.listdir(place)) == before
    assert (place / "net.tflite").read_bytes() == relu()
    if options[:1] == ["--html"]:
        assert words in refused(capfd, "check", "net.tflite", *options)


def test_force_replaces_what_is_there(place, capfd):
    (place / "net.repaired.tflite").write_bytes(b"mine")
    (place / "net.repaired.json").write_bytes(b"mine")
    assert run(capfd, "repair", "net.tflite", "--force")[0] == 0
    assert run(capfd, "repair", "net.tflite")[0] == 0, "that is ours now"
    assert (place / "net.repaired.tflite").read_bytes() == b"new"


class OddError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("k"), "KeyError: 'k' (--debug shows where)"),
        (AttributeError("no x"), "AttributeError: no x"),
        (MemoryError(), "MemoryError (--debug shows where)"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (ZeroDivisionError("by 0"), "ZeroDivisionError: by 0"),
        (OddError("a\nb"), "OddError: a b"),
    ],
)
def test_no_error_shows_a_traceback(place, capfd, monkeypatch, error, words):
    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr(export, "prove", fails)
    code, out, err = run(capfd, "check", "net.tflite")
    assert code == 1
    assert out == ""
    assert err.startswith(f"error: {words}")
    assert err.count("\n") == 1
    with pytest.raises(type(error)):
        main(["check", "net.tflite", "--debug"])


def obeyed(text):
    """What of a text a terminal obeys, lines' ends aside."""
    return re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_signs_that_a_terminal_obeys_are_shown():
    assert printable(RED) == r"a\x1b[31mred\x9b1m\x07\u202e[/bold]\ncpu: PROVEN"
    assert printable("ä 猫 √ \\x1b") == "ä 猫 √ \\x1b"
    assert printable("\ud800").encode() == rb"\ud800"


def test_names_out_of_files_are_shown_not_obeyed(tmp_path, capfd):
    (tmp_path / "x.tflite").write_bytes(relu(RED))
    code, out, err = run(capfd, "check", tmp_path / "x.tflite", "--runtime", "cpu")
    assert code == 0, err
    assert not obeyed(out + err)
    assert r"input a\x1b[31mred" in out
    assert "\ncpu: PROVEN" not in out
    code, out, err = run(capfd, "analyze", tmp_path / "x.tflite")
    assert not obeyed(out + err)
    code, out, err = run(capfd, "analyze", tmp_path / "x.tflite", "--json")
    assert not obeyed(out + err)
    report = artifact(name=RED, reason=f"input {RED} is refused").report
    assert not obeyed(str(report))
    with pytest.raises(export.NotProvenError) as caught:
        report.require()
    assert not obeyed(str(caught.value))


def test_names_in_errors_and_paths_are_shown_not_obeyed(place, capfd, monkeypatch):
    def fails(*args, **kwargs):
        raise ValueError(f"input `{RED}` is refused")

    monkeypatch.setattr(export, "prove", fails)
    _, _, err = run(capfd, "check", "net.tflite")
    assert not obeyed(err)
    monkeypatch.undo()
    monkeypatch.setattr(export, "repair", lambda *args, **kwargs: artifact())
    _, _, err = run(capfd, "repair", place / "net.tflite", "-o", place / "[red]\x1b.tflite")
    assert not obeyed(err)
    assert r"[red]\x1b.tflite" in err.replace("\n", "")


def test_names_in_exceptions_are_shown_not_obeyed():
    blob = relu(RED)
    graph = read_graph(blob)
    many = dataclasses.replace(graph.inputs[0], shape=(2**25,))
    for tell in (
        lambda: export.prove(blob, "cpu", np.ones((2, 3), "float32")),
        lambda: export.prove(blob, "cpu", model=keras.Sequential([keras.Input((3,)), keras.layers.ReLU()])),
        lambda: prove_file._check_borders("prove", "m", types.SimpleNamespace(inputs=[many], outputs=[many])),
    ):
        with pytest.raises(ValueError, match=r"a\\x1b\[31mred") as caught:
            tell()
        assert not obeyed(str(caught.value))
    assert not obeyed(str(Culprit("RELU", RED, RED, "")))


def test_the_spinner_takes_a_name_as_it_is(monkeypatch):
    page = io.StringIO()
    console = Console(file=page, force_terminal=True, color_system=None, width=80)
    monkeypatch.setattr("keraslayers.export.progress._console", console)
    with step("running [/bold]\x07"):
        pass
    assert r"running [/bold]\x07" in page.getvalue()
