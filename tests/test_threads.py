"""Exports in threads and forks: what is of the whole process comes back as it was, and nobody waits for ever."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import keras

from keraslayers._quiet import quiet
from keraslayers.export import to_tflite
from keraslayers.export.convert.spelled import SPELLINGS
from keraslayers.export.source.in_float32 import float32_policy
from tests.export_models import dense


def streams():
    return [(os.fstat(number).st_dev, os.fstat(number).st_ino) for number in (1, 2)]


def backend():
    modules = {name: import_module(f"keras.src.backend.tensorflow.{name}") for name in SPELLINGS}
    return {(name, key): getattr(modules[name], key) for name, keys in SPELLINGS.items() for key in keys}


def test_quiet_blocks_of_threads_that_overlap_leave_the_streams():
    before = streams()
    began, ended = threading.Event(), threading.Event()
    seen = []

    def other():
        with quiet():
            began.set()
            ended.wait(10)  # the first block ends within this one
            seen.append(streams())

    thread = threading.Thread(target=other)
    with quiet():
        seen.append(streams())
        thread.start()
        began.wait(10)
    ended.set()
    thread.join()
    assert streams() == before
    assert all(found != before for found in seen)


def test_quiet_blocks_within_each_other(capfd):
    with quiet():
        with quiet():
            os.write(1, b"no")
        os.write(2, b"no")
    os.write(1, b"yes")
    assert capfd.readouterr() == ("yes", "")


def test_exports_in_threads_leave_the_process_as_it_was():
    before, spelt = streams(), backend()
    models = [dense(name=f"m{i}") for i in range(3)]
    with ThreadPoolExecutor(len(models)) as pool:
        for made in pool.map(lambda model: to_tflite(model, precision="float32"), models):
            made.report.require()
    assert streams() == before
    assert backend() == spelt


def test_the_policy_of_an_export_is_that_of_its_thread_alone():
    keras.config.dtype_policy()  # which this thread has from now on
    inside, looked = threading.Event(), threading.Event()
    seen = {}

    def other():
        keras.config.set_dtype_policy("mixed_float16")
        inside.wait(10)
        seen["within"] = keras.config.dtype_policy().name
        looked.set()

    thread = threading.Thread(target=other)
    thread.start()
    with float32_policy():
        inside.set()
        looked.wait(10)
        seen["own"] = keras.config.dtype_policy().name
    thread.join()
    assert seen == {"within": "mixed_float16", "own": "float32"}


FORKS = """
import os, signal, sys
import keras
from keraslayers.export import to_tflite
from keraslayers.export.source.fork import check_fork

model = None
if sys.argv[1] == "built":
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, keras.layers.Conv2D(32, 3)(keras.layers.Conv2D(32, 3)(image)))
child = os.fork()
if child == 0:
    signal.alarm(30)
    try:
        to_tflite(model) if model else check_fork("f")
        print("fine", flush=True)
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def forked(when):
    done = subprocess.run([sys.executable, "-c", FORKS, when], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_fork_of_a_process_that_computes_is_told_so():
    words, code = forked("built")
    assert words.startswith("`to_tflite`: this process was forked from one that computes with TensorFlow")
    assert code == "0"


def test_a_fork_before_anything_was_computed_may_export():
    assert forked("import") == ["fine", "0"]
