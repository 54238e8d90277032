"""Runs a .tflite file on one runtime in a child process, and tells what came of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keraslayers.export.scratch import scratch

WORKER = Path(__file__).with_name("worker.py")
LEASH = Path(__file__).with_name("leash.py")
# A file that takes longer than this on one runtime is called hung, in seconds.
TIME_LIMIT = 900
# For so long calls are timed, in seconds.
TIMED = 0.25
# More memory than a phone gives to an app, in bytes; and what a byte of file and inputs may take beyond it.
MEMORY, EACH_BYTE = 2**32, 16


@dataclass(frozen=True)
class Outcome:
    """What came of running a file on a runtime.

    Attributes:
        outputs: by output name an array of (calls, *shape), as the file holds it, or a list of arrays where the shape
            depends on the input; None if it did not run.
        reason: why it did not run, in the runtime's own words where it has any; empty if it ran.
        missing: whether it did not run because the runtime is not on this machine.
        died: whether the runtime took its process with it, or hung.
        operators: how many operators the file has, as the runtime counts them.
        delegated: how many of them the runtime's accelerator took (XNNPACK, the GPU).
        left: how often each operator stands among those that it did not take.
        left_at: of each of these its number in the file, its name and that of the tensor it computes.
        partitions: in how many pieces it took them.
        latency_ms: median time of one call on this host, in milliseconds.
        device: what computed, in the runtime's words.
        shapes: of each call those of the file's tensors, where they were asked for.
        arena_bytes: the memory that the runtime was given to compute in, where that is for the program to choose.
        ranges: by the numbers of the file's tensors their lowest and highest number, where they were asked for.
        arrays: what else a runtime of the quantizer's tells, by name; see `convert/observe_worker.py`.
    """

    outputs: dict[str, np.ndarray] | None = None
    reason: str = ""
    missing: bool = False
    died: bool = False
    operators: int | None = None
    delegated: int | None = None
    left: dict[str, int] | None = None
    left_at: list[Any] = field(default_factory=list)
    partitions: int | None = None
    latency_ms: float | None = None
    device: str = ""
    shapes: list[Any] | None = None
    arena_bytes: int | None = None
    ranges: dict[int, Any] | None = None
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where children run: on this machine.

    Attributes:
        program: the command that runs a Python script; by default this Python.
        timed: whether the time that a call takes there means anything.
    """

    program: tuple = ()
    timed: bool = True

    def work(self, folder, environment, memory, seconds, worker=None):
        """Runs a worker on a folder: (its exit code, its error stream). `TimeoutExpired` if it takes longer."""
        command = leashed(*self.program, worker or WORKER, str(folder), memory=memory, seconds=seconds * os.cpu_count())
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
        return done.returncode, done.stderr.decode(errors="replace")


HERE = Place()


def run_in_child(
    runtime, blob, graph, inputs, *, timed=True, environment=None, options=None, place=HERE, patience=None
):
    """Runs `blob` in a fresh process.

    Args:
        runtime: path of the runtime's file, whose `load` loads it there.
        blob: bytes of the file.
        graph: what `read_graph` says of it.
        inputs: by input name an array of (calls, *shape), as the file wants it.
        timed: whether to measure how long a call takes.
        environment: variables to set in the child.
        options: passed to `load`.
        place: where.
        patience: seconds in which all calls must be done; by default what takes long runs some of them.

    Returns:
        (Outcome, the child's error stream as text).
    """
    with scratch() as folder:
        (folder / "model.tflite").write_bytes(blob)
        request = {
            "runtime": runtime,
            "timed": TIMED if timed and place.timed else None,
            "inputs": [[tensor.name, tensor.index] for tensor in graph.inputs],
            "outputs": [[t.name, t.index, t.shape, t.dtype] for t in graph.outputs],
            "options": options or {},
            "all": patience is not None,
        }
        (folder / "request.json").write_text(json.dumps(request))
        np.savez(folder / "inputs.npz", *(inputs[tensor.name] for tensor in graph.inputs))
        memory = MEMORY + EACH_BYTE * (len(blob) + sum(values.nbytes for values in inputs.values()))
        try:
            code, said = place.work(folder, environment or {}, memory, patience or TIME_LIMIT)
        except subprocess.TimeoutExpired:
            return Outcome(reason=f"the runtime did not finish within {patience or TIME_LIMIT} s", died=True), ""
        answer = folder / "answer.json"
        if not answer.exists():
            return Outcome(reason=death("the runtime", code, said), died=True), said
        answer = json.loads(answer.read_text())
        if "error" in answer:
            return Outcome(reason=answer["error"]), said
        ragged = answer.pop("ragged")
        with np.load(folder / "outputs.npz", allow_pickle=False) as stored:
            outputs = {t.name: _calls(stored[f"arr_{i}"], ragged[i]) for i, t in enumerate(graph.outputs)}
            arrays = {name: stored[name] for name in stored.files if not name.startswith("arr_")}
        return Outcome(outputs, arrays=arrays, **answer), said


def _calls(values, shapes):
    """An output call by call: an array, or a list of arrays where their shapes differ."""
    if shapes is None:
        return values
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), shapes, strict=True)]


def leashed(script, *arguments, memory, seconds):
    """The command that runs a script of ours: no longer than its parent lives, within bounds; see `leash.py`.

    The parent is the thread that starts it, which has to wait for its end.
    """
    # -P: the scripts' own folder stays out of the module path. They import neither keraslayers nor Keras.
    bounds = [os.getpid(), memory, seconds]
    return [sys.executable, "-P", str(LEASH), *map(str, bounds), str(script), *arguments]


def death(who, code, said):
    """How a process ended, in words: its exit code, and the last that it wrote to its error stream."""
    how = f"exit code {code}"
    if code < 0:
        how = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
    # Fatal log lines look like `F0000 00:00:12.3  38 model.cc:218] Check failed: ...`.
    last = re.findall(r"^F\d{4} .*?\] (.*)$", said, re.MULTILINE)
    if not last and code > 0:
        last = said.split("\n")[-2:-1]  # how a Python traceback ends
    return f"{who} died ({how})" + (f": {last[-1]}" if last else "")
