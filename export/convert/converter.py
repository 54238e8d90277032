"""The TFLite converter in a process of its own, which stays from one conversion to the next.

The converter keeps about 20 MB of each conversion, aborts on some models, and hangs on others. In a child the memory
goes with the process, and its death is an error like any other. It starts while the model is still being written
down, so that nobody waits for its imports.
"""

import atexit
import contextlib
import json
import os
import queue
import resource
import subprocess
import tempfile
import threading
from pathlib import Path

from keraslayers import _keras
from keraslayers.export.runtimes.child import death, leashed

WORKER = Path(__file__).with_name("converter_worker.py")
# A conversion that takes longer than this is called hung, in seconds.
TIME_LIMIT = 3600
# A process that holds more memory than this after a conversion makes way for a fresh one, in bytes.
MOST_MEMORY = 2**31
# No conversion takes more than the machine has, in bytes: it dies before others do.
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

_lock = threading.Lock()
_process = None


def _forked():
    """A fork has none of the threads that may hold the lock."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)


class ConverterError(RuntimeError):
    """The converter refused a model, or did not live through it."""


class ConverterDeathError(ConverterError):
    """It did not live through it."""


def start():
    """Starts the process if there is none, and does not wait for it."""
    with _lock:
        _started()


def ask(folder, do, **request):
    """Has something done with a SavedModel.

    Args:
        folder: where the SavedModel is; `samples.npz` beside it holds what ranges are measured on. What is made comes
            to lie there, too.
        do: name of one of the functions in `converter_worker.WAYS`.
        request: its arguments.

    Returns:
        What that function returns.

    Raises:
        ConverterError: in the converter's own words, or how its process ended.
    """
    with _lock:
        try:
            answer = _started().ask({"do": do, "folder": str(folder), **request})
        except BaseException:  # an interrupt, say: what comes later would be the answer to another question
            _stop()
            raise
        if answer["memory"] > MOST_MEMORY:
            _stop()
    if "error" in answer:
        raise ConverterError(answer["error"])
    return answer["result"]


def _started():
    global _process
    if _process is not None and not _process.alive():
        _stop()
    if _process is None:
        _process = _Process()
    return _process


@atexit.register
def _stop():
    global _process
    if _process is not None:
        _process.end()
    _process = None


class _Process:
    def __init__(self):
        self.parent = os.getpid()
        self.said = tempfile.TemporaryFile()  # noqa: SIM115  `end` closes it
        started = queue.SimpleQueue()
        # It ends with the thread that starts it: that has to be one that stays.
        threading.Thread(target=self._kept, args=(started,), daemon=True).start()
        self.popen = started.get()
        if isinstance(self.popen, OSError):
            raise self.popen

    def _kept(self, started):
        try:
            popen = subprocess.Popen(
                leashed(WORKER, _keras.OPTIMIZERS, memory=MEMORY, seconds=resource.RLIM_INFINITY),
                # Conversion wants no GPU, and must not take the memory of one that trains.
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.said,
                # An interrupt at the keyboard is for the program that converts.
                start_new_session=True,
            )
        except OSError as error:
            started.put(error)
            return
        started.put(popen)
        popen.wait()

    def alive(self):
        """Whether it can be asked; a fork of this program has no right to."""
        return self.parent == os.getpid() and self.popen.poll() is None

    def ask(self, request):
        """Returns the answer.

        Raises:
            ConverterError: if there is none.
        """
        hung = threading.Event()
        clock = threading.Timer(TIME_LIMIT, lambda: (hung.set(), self.popen.kill()))
        clock.start()
        try:
            self.popen.stdin.write(json.dumps(request).encode() + b"\n")
            self.popen.stdin.flush()
            line = self.popen.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            clock.cancel()
        if line:
            return json.loads(line)
        code = self.popen.wait()
        self.said.seek(0)
        how = death("the converter", code, self.said.read().decode(errors="replace"))
        if hung.is_set():
            raise ConverterError(f"it did not finish within {TIME_LIMIT} s")
        raise ConverterDeathError(how)

    def end(self):
        """Lets go of it, and stops it if it is this program's own."""
        if self.alive():
            self.popen.kill()
            self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.said):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
