"""Damaged files, some hundreds from a fixed seed: an error in words or a report, and this process lives."""

import contextlib
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.__main__ import main
from keraslayers.export import Report, prove, to_tflite
from keraslayers.export.file.analyze_file import analyze_file
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import child
from tests.export_models import enliven, needs_gpu, samples

EACH = 150  # damaged files of either kind

# Starts the worker in copies of itself: a fresh process would import LiteRT for every file.
SERVER = """
import contextlib, importlib.util, json, os, sys
import numpy
from ai_edge_litert import compiled_model, interpreter

spec = importlib.util.spec_from_file_location("worker", sys.argv[1])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
for line in sys.stdin:
    folder, environment, limit = json.loads(line)
    pid = os.fork()
    if pid == 0:
        import signal
        signal.alarm(limit)
        os.environ.update(environment)
        said = os.open(os.path.join(folder, "said"), os.O_CREAT | os.O_WRONLY)
        os.dup2(said, 1), os.dup2(said, 2)
        code = 1
        try:
            worker.main(folder)
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture
def quick_children(monkeypatch):
    """Runs the worker in forks of one process, with what else it is given."""
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVER, str(child.WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(command, *, env, timeout, **_):
        folder = command[-1]
        added = {name: value for name, value in env.items() if os.environ.get(name) != value}
        server.stdin.write(json.dumps([folder, added, 10]) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        with open(os.path.join(folder, "said"), "rb") as said:
            return subprocess.CompletedProcess(command, code, stderr=said.read())

    with monkeypatch.context() as patch:
        patch.setattr(child.subprocess, "run", run)
        yield
    server.stdin.close()
    server.stdout.close()
    server.wait()


@pytest.fixture(scope="module")
def damaged():
    """Half of them cut somewhere, or with bits or bytes turned where the tables are; all can be made again."""
    image = keras.Input((8, 8, 2), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    x = layers.MaxPooling2D()(layers.DepthwiseConv2D(3, padding="same")(x))
    model = enliven(keras.Model(image, layers.Dense(3, name="classes")(layers.Flatten()(x)), name="net"))
    random = np.random.default_rng(0)
    files = []
    for precision in ("float32", "int8"):
        whole = to_tflite(model, precision=precision, samples=samples(8, (8, 8, 2))).tflite
        for turn in range(EACH):
            other = bytearray(whole)
            if turn % 5 == 0:
                other = other[: random.integers(16, len(other))]
            for place in random.integers(8, len(other), random.integers(1, 6)):
                other[place] = random.integers(256) if turn % 2 else other[place] ^ (1 << int(random.integers(8)))
            files.append(bytes(other))
    return files


@pytest.fixture(scope="module")
def readable(damaged):
    found = []
    for blob in damaged:
        with contextlib.suppress(ValueError):
            read_graph(blob)
            found.append(blob)
    assert len(found) > EACH // 2
    assert len(damaged) - len(found) > EACH // 4
    return found


def is_told(blob, runtime):
    """Whether the file came to a report."""
    report = None
    with contextlib.suppress(ValueError):
        report = prove(blob, runtime)
    if report is None:
        return False
    assert isinstance(report, Report)
    assert report.ok or report.proofs[0].reason
    json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    return True


def test_every_one_on_the_cpu(quick_children, damaged):
    assert sum(is_told(blob, "cpu") for blob in damaged) > EACH // 3


@needs_gpu
def test_some_on_the_gpu(quick_children, readable):
    assert sum(is_told(blob, "gpu") for blob in readable[:: len(readable) // 20]) > 10


def test_every_one_is_counted_or_refused(damaged):
    refused = []
    for blob in damaged:
        try:
            analyze_file(blob)
        except ValueError as error:
            refused.append(str(error))
    assert EACH // 4 < len(refused) < len(damaged)
    assert all(words.startswith("`analyze_file`: 'model.tflite' is ") for words in refused)


@pytest.mark.parametrize("command", [["check", "--runtime", "cpu"], ["analyze"]])
def test_some_on_the_command_line(quick_children, readable, damaged, tmp_path, capsys, command):
    path = tmp_path / "x.tflite"
    codes = set()
    for blob in [*readable[::12], *damaged[::20]]:
        path.write_bytes(blob)
        with pytest.raises(SystemExit) as ended:
            sys.exit(main([command[0], str(path), *command[1:]]))
        codes.add(ended.value.code)
        assert "Traceback" not in "".join(capsys.readouterr())
    assert codes <= {0, None, 1, 2}
