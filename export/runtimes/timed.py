"""Files timed in turn, on LiteRT's CPU runtime with XNNPACK on one thread, in one child process."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keraslayers.export.runtimes.child import EACH_BYTE, HERE, MEMORY, TIME_LIMIT, death
from keraslayers.export.scratch import scratch

WORKER = Path(__file__).with_name("timed_worker.py")


@dataclass(frozen=True)
class Given:
    """A file to run.

    Attributes:
        blob: its bytes.
        inputs: arrays of (calls, *shape), in the order of its inputs.
        kind: files of one kind take the same time: the first that XNNPACK takes is timed, and the first that it does
            not. None is a kind of its own.
    """

    blob: bytes
    inputs: tuple[np.ndarray, ...]
    kind: int | None = None


@dataclass(frozen=True)
class Timed:
    """What came of a file.

    Attributes:
        times_ms: milliseconds of each call that was timed, of this file or of another of its kind.
        taken: whether XNNPACK took all operators.
        outputs: what the calls gave, in the order of the file's outputs: arrays of (calls, *shape).
        reason: why it did not run; empty if it did.
    """

    times_ms: np.ndarray
    taken: bool
    outputs: tuple[np.ndarray, ...]
    reason: str = ""


def run(files, *, seconds, rounds):
    """Runs files on all of their inputs, then times calls of them in rounds, each in another order.

    What is timed is what its thread takes of the processor, so that other work on the machine disturbs little. Each
    call that is timed comes behind another of the same file: what it reads is in the caches, as far as they hold it.

    Args:
        files: a `Given` each.
        seconds: how long calls are timed in all.
        rounds: how often at least.

    Returns:
        A list of `Timed`.

    Raises:
        RuntimeError: if the child dies or hangs.
    """
    with scratch() as folder:
        given = {}
        for number, file in enumerate(files):
            (folder / f"{number}.tflite").write_bytes(file.blob)
            given.update({f"{number} {place}": values for place, values in enumerate(file.inputs)})
        np.savez(folder / "inputs.npz", **given)
        told = [
            [len(file.inputs), number if file.kind is None else -1 - file.kind] for number, file in enumerate(files)
        ]
        request = {"files": told, "seconds": seconds, "rounds": rounds}
        (folder / "request.json").write_text(json.dumps(request))
        size = sum(len(file.blob) for file in files) + sum(values.nbytes for values in given.values())
        try:
            code, said = HERE.work(folder, {}, MEMORY + EACH_BYTE * size, TIME_LIMIT, worker=WORKER)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"LiteRT did not finish within {TIME_LIMIT} s.") from None
        if not (folder / "answer.json").exists():
            raise RuntimeError(death("LiteRT", code, said))
        answers = json.loads((folder / "answer.json").read_text())
        with np.load(folder / "outputs.npz", allow_pickle=False) as stored:
            return [
                Timed(
                    np.zeros(0) if answer["reason"] else stored[f"times {answer['timed']}"],
                    answer["taken"],
                    tuple(stored[f"{number} {place}"] for place in range(answer["outputs"])),
                    answer["reason"],
                )
                for number, answer in enumerate(answers)
            ]
