"""The children: what memory and time they take at most, how they end, and what killed runs leave behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from keraslayers.export import scratch
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import child, cpu
from tests.file_tools import Made
from tests.rewrite_cases.loops import loop

ONE = np.ones((1, 1, 1), "float32")


def greedy(elements):
    """A file of some hundred bytes that computes with so many floats."""
    f = Made()
    x = f.input((1, 1))
    wide = f.new("BROADCAST_TO", (x, f.integers([1, elements])), (1, elements))
    return f.done(f.new("SUM", (wide, f.integers([1])), (1, 1), keepDims=True))


def endless():
    f = Made()
    x = f.input((1, 1))
    return f.done(loop(f, (f.integers(0), x), 2**31 - 1, lambda g, i, x: [g.new("ADD", (x, x), (1, 1))])[1])


def test_a_file_that_takes_gigabytes_is_refused(monkeypatch):
    monkeypatch.setattr(child, "MEMORY", 2**29, raising=False)
    for elements, ends in ((2**20, True), (2**28, False)):
        blob = greedy(elements)
        outcome = cpu.run_reference(blob, read_graph(blob), {"x": ONE})
        assert (outcome.outputs is not None) == ends
        assert outcome.reason == ("" if ends else "it takes more memory than an app may have on a phone")


def test_a_file_may_take_more_the_larger_it_is(monkeypatch):
    monkeypatch.setattr(child, "MEMORY", 2**28, raising=False)
    f = Made()
    x = f.input((1, 2**22))
    weights = f.weights(np.ones((8, 2**22), "float32"))  # 2**27 bytes, which XNNPACK packs once more
    blob = f.done(f.new("FULLY_CONNECTED", (x, weights), (1, 8)))
    assert cpu.run(blob, read_graph(blob), {"x": np.ones((1, 1, 2**22), "float32")}).reason == ""


def ended(pid, seconds=10):
    """Whether a process is no more, or waits only for somebody to ask what became of it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


RUNS = """
import sys
from pathlib import Path
import numpy
from keraslayers.export.convert import converter
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import cpu

converter.start()
blob = Path(sys.argv[1]).read_bytes()
cpu.run_reference(blob, read_graph(blob), {"x": numpy.ones((1, 1, 1), "float32")})
"""


def test_children_at_work_end_with_the_program_that_started_them(tmp_path):
    (tmp_path / "x.tflite").write_bytes(endless())
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", RUNS, str(tmp_path / "x.tflite")], env=environment) as parent:
        threads = Path(f"/proc/{parent.pid}/task")
        while len(pids := " ".join(path.read_text() for path in threads.glob("*/children")).split()) < 2:
            time.sleep(0.05)
        for pid in pids:
            while "numpy" not in Path(f"/proc/{pid}/maps").read_text():
                time.sleep(0.05)
        time.sleep(1)
        converter = next(int(pid) for pid in pids if "converter" in Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(converter, signal.SIGSTOP)  # as one that converts, it reads no input
        assert not any(ended(pid, 0.1) for pid in pids)
        parent.terminate()
    left = [pid for pid in pids if not ended(pid)]
    for pid in left:
        os.kill(int(pid), signal.SIGKILL)
    assert not left


def test_the_time_of_a_script_is_bounded_whoever_lives(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(sys.argv[1:], flush=True)\nwhile True: pass")
    command = child.leashed(script, "a", "b", memory=2**30, seconds=1)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout == "['a', 'b']\n"
    assert done.returncode == -signal.SIGXCPU


def test_a_script_whose_parent_is_another_does_not_begin(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("print('begun')")
    command = [re.sub(rf"^{os.getpid()}$", "1", word) for word in child.leashed(script, memory=2**30, seconds=9)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert done.stdout == ""


HOLDS = "import runpy, sys\nwith runpy.run_path(sys.argv[1])['scratch']() as f: print(f, flush=True); input()"


def holder(folder):
    environment = {**os.environ, "TMPDIR": str(folder)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", HOLDS, scratch.__file__], env=environment, text=True, **pipes)


def test_folders_of_killed_runs_are_swept_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with holder(tmp_path) as killed, holder(tmp_path) as alive:
        left, held = (Path(process.stdout.readline().strip()) for process in (killed, alive))
        (left / "model.tflite").write_bytes(b"x")
        killed.kill()
        killed.wait()
        stranger = tmp_path / "keraslayers.txt"
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        link = tmp_path / "keraslayers_link"
        link.symlink_to(elsewhere)
        stranger.write_text("")
        with scratch.scratch() as young:
            assert left.exists()  # a moment old: its owner might not have locked it yet
            for path in (left, held, stranger, elsewhere):
                os.utime(path, (0, 0))
            os.utime(link, (0, 0), follow_symlinks=False)
            with scratch.scratch():
                assert not left.exists()
                assert all(path.exists() for path in (held, young, stranger, elsewhere, link))
        alive.communicate("\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "keraslayers.txt", "keraslayers_link"]
