"""The converter's process: what it outlives, and what it leaves behind."""

import gc
import os
import signal
import threading
import time
from pathlib import Path

import keras
import pytest
from keras import layers

from keraslayers.export import to_tflite
from keraslayers.export.convert import converter
from tests.export_models import dense


def process():
    converter.start()
    return converter._process.popen


def resident(pid="self"):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_one_process_for_several_conversions():
    first = process()
    to_tflite(dense()).report.require()
    to_tflite(dense(), precision="dynamic").report.require()
    assert process() is first


def test_a_converter_that_dies_is_an_error_and_the_next_one_works():
    model = dense(name="m")
    os.kill(process().pid, signal.SIGSTOP)
    threading.Timer(2.0, os.kill, (process().pid, signal.SIGSEGV)).start()
    threading.Timer(2.1, os.kill, (process().pid, signal.SIGCONT)).start()
    with pytest.raises(RuntimeError, match=r"refused model 'm': the converter died \(SIGSEGV\)"):
        to_tflite(model)
    to_tflite(model).report.require()


def test_a_converter_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(converter, "TIME_LIMIT", 2)
    os.kill(process().pid, signal.SIGSTOP)
    with pytest.raises(RuntimeError, match="refused model 'm': it did not finish within 2 s"):
        to_tflite(dense(name="m"))
    monkeypatch.undo()
    to_tflite(dense()).report.require()


def test_a_converter_that_died_between_two_exports_is_started_again():
    old = process()
    old.kill()
    old.wait()
    to_tflite(dense()).report.require()
    assert process() is not old


def test_one_that_holds_much_memory_makes_way(monkeypatch):
    old = process()
    monkeypatch.setattr(converter, "MOST_MEMORY", 1)
    to_tflite(dense()).report.require()
    assert old.poll() is not None
    assert converter._process is None


def test_an_interrupt_leaves_no_answer_behind(monkeypatch):
    """The answer to a question that nobody waits for any more is not taken for that to the next."""
    ask = converter._Process.ask

    def interrupted(self, request):
        # Not before: an interrupt while the model is being written down would meet TensorFlow's own code.
        monkeypatch.setattr(converter._Process, "ask", ask)
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        return ask(self, request)

    monkeypatch.setattr(converter._Process, "ask", interrupted)
    wide = keras.Sequential([keras.Input((64,)), layers.Dense(64)], name="wide")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores interrupts
    os.kill(process().pid, signal.SIGSTOP)
    try:
        with pytest.raises(KeyboardInterrupt):
            to_tflite(wide)
    finally:
        signal.signal(signal.SIGINT, before)
    assert to_tflite(dense()).report.require().inputs[0]["shape"] == (1, 4)


def test_many_exports_do_not_grow(monkeypatch):
    """Where the converter ran in this process, each conversion took some megabytes of it for ever.

    Its own process takes them, up to a bound, at which a fresh one comes.
    """
    monkeypatch.setattr("keraslayers.export.pipeline.prove_blob", lambda *args, **kwargs: ())  # they take much longer
    model, own = dense(), []
    for _ in range(16):
        to_tflite(model)
        gc.collect()
        own.append(resident())
    assert own[-1] - own[8] < 10
    monkeypatch.setattr(converter, "MOST_MEMORY", resident(process().pid) / 2 * 2**20)
    to_tflite(model)
    assert converter._process is None
    to_tflite(model)


def test_the_process_ends_with_its_parent():
    import subprocess
    import sys

    code = (
        "from keraslayers.export.convert import converter as c; c.start(); print(c._process.popen.pid, flush=True); {}"
    )
    for end in ("; import time; time.sleep(60)", ""):
        with subprocess.Popen([sys.executable, "-c", code + end], stdout=subprocess.PIPE, text=True) as parent:
            pid = int(parent.stdout.readline())
            if end:
                parent.kill()
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < deadline:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                break
            time.sleep(0.1)
        else:
            assert not Path(f"/proc/{pid}").exists()
