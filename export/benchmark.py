"""How fast a file is on a phone that is plugged in: LiteRT's own benchmark_model, run through adb."""

from __future__ import annotations

import re
import subprocess
import uuid
from typing import Literal

from keraslayers import _checks
from keraslayers._hints import File
from keraslayers.export.progress import step
from keraslayers.export.prove_file import opened
from keraslayers.export.report.latency import Latency

FOLDER = "/data/local/tmp"
TOOL = f"{FOLDER}/benchmark_model"
ADDRESS = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/nightly/latest/"
    "android_aarch64_benchmark_model"
)
# The flags of an accelerator, and the name of what then takes the operators.
ACCELERATORS = {
    "cpu": (("--use_xnnpack=true",), "TfLiteXNNPackDelegate"),
    "gpu": (("--use_gpu=true",), "TfLiteGpuDelegate"),
}
# Seconds for a question, and for a run with what the phone compiles before it.
ASKED, RUN = 30, 600
NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"
TIMES = re.compile(rf"count=(\d+) first=\S+ curr=\S+ min={NUMBER} max={NUMBER} avg={NUMBER} std={NUMBER}(.*)")
MEDIAN = re.compile(rf"median={NUMBER}")
INIT = re.compile(rf"Inference timings in us: Init: {NUMBER}, First inference: {NUMBER}")
MEMORY = re.compile(rf"overall={NUMBER}")
TAKEN = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \((\w+)\)")


def benchmark(
    file: File, device: str = "adb", *, accelerator: Literal["cpu", "gpu"] = "cpu", threads: int = 1, runs: int = 50
) -> Latency:
    """Runs LiteRT's benchmark_model on a phone that is plugged in, or reached by `adb connect`.

    It times the file; it compares no numbers, so that a file should be PROVEN before. The tool must lie on the phone:

        adb push benchmark_model /data/local/tmp && adb shell chmod +x /data/local/tmp/benchmark_model

    Args:
        file: a path of a .tflite file, or its bytes.
        device: `"adb"`, or `"adb:SERIAL"` where there are several phones.
        accelerator: `"cpu"` for XNNPACK, or `"gpu"` for LiteRT's GPU delegate.
        threads: of the CPU.
        runs: how many calls are timed at least.

    Returns:
        A `Latency`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no TFLite file, or an argument is none of these.
        RuntimeError: if adb or the tool is not installed, there is no phone or more than one, or the tool fails; it
            says what to do.

    Source: tensorflow/lite/tools/benchmark of TensorFlow, its README and its output.
    """
    who = "benchmark"
    flags, taker = ACCELERATORS[_checks.choice(who, "accelerator", accelerator, ACCELERATORS)]
    threads, runs = (_checks.positive_int(who, name, value) for name, value in (("threads", threads), ("runs", runs)))
    kind, _, serial = str(device).partition(":")
    _checks.choice(who, "device", kind, ("adb",))
    blob, name, _ = opened(who, file)
    phone = _Phone(who, serial)
    there = f"{FOLDER}/keraslayers-{uuid.uuid4().hex}.tflite"
    words = [TOOL, f"--graph={there}", f"--num_threads={threads}", f"--num_runs={runs}", *flags]
    with step(f"timing {name} on {phone.name}"):
        # Through its input, as a push would want a file on this side.
        phone.shell(f"cat > {there}", sent=blob)
        try:
            said = phone.shell(f"{' '.join(words)} 2>&1", seconds=RUN)
        finally:
            phone.shell(f"rm -f {there}")
    return _read(who, said, taker, device=phone.name, accelerator=accelerator, threads=threads)


class _Phone:
    """A phone that answers."""

    def __init__(self, who, serial):
        self.who = who
        self.serial = serial or self._only()
        told = self.shell("getprop ro.product.manufacturer; getprop ro.product.model; getprop ro.build.version.release")
        maker, model, release, *_ = (*told.split("\n"), "", "", "")
        self.name = f"{maker} {model}, Android {release}"
        if "yes" not in self.shell(f"[ -x {TOOL} ] && echo yes || echo no"):
            raise RuntimeError(
                f"`{who}`: {self.name} has no {TOOL}. Download {ADDRESS}, then `adb push` it there under that name and "
                f"`adb shell chmod +x {TOOL}`."
            )

    def shell(self, command, sent=b"", seconds=ASKED):
        """What a command prints there."""
        return self._adb("-s", self.serial, "shell", "-T", command, sent=sent, seconds=seconds)

    def _only(self):
        rows = [line.split("\t") for line in self._adb("devices").splitlines()[1:] if "\t" in line]
        ready = [serial for serial, state in rows if state == "device"]
        if len(ready) == 1:
            return ready[0]
        if ready:
            raise RuntimeError(f"`{self.who}`: there are several phones: name one of {', '.join(ready)}: `adb:SERIAL`.")
        if rows:
            found = ", ".join(f"{serial} is {state}" for serial, state in rows)
            raise RuntimeError(f"`{self.who}`: {found}: unlock the phone and allow USB debugging from this computer.")
        raise RuntimeError(
            f"`{self.who}`: adb sees no phone. Plug one in, with USB debugging among its developer options."
        )

    def _adb(self, *words, sent=b"", seconds=ASKED):
        try:
            done = subprocess.run(["adb", *words], input=sent, capture_output=True, timeout=seconds, check=False)
        except FileNotFoundError:
            raise RuntimeError(
                f"`{self.who}`: adb is not installed: `apt install adb`, or Android's platform tools."
            ) from None
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"`{self.who}`: the phone did not answer within {seconds} s.") from None
        said = done.stdout.decode(errors="replace").replace("\r\n", "\n")
        if done.returncode:
            last = " ".join((said + done.stderr.decode(errors="replace")).strip().split("\n")[-3:])
            raise RuntimeError(f"`{self.who}`: adb failed (exit code {done.returncode}): {last}")
        return said


def _read(who, said, taker, **asked):
    """What the tool printed, as numbers; its times are microseconds."""
    times, init, memory = TIMES.findall(said), INIT.search(said), MEMORY.search(said)
    if not times or not init:
        raise RuntimeError(f"`{who}`: benchmark_model timed nothing: {' '.join(said.strip().split(chr(10))[-3:])}")
    runs, least, most, mean, deviation, rest = times[-1]  # those before are of warming up
    median = MEDIAN.search(rest)
    taken = [(int(some), int(of)) for some, of, by in TAKEN.findall(said) if by.startswith(taker)]
    return Latency(
        **asked,
        delegated=sum(some for some, _ in taken) if taken else None,
        operators=sum(of for _, of in taken) if taken else None,
        runs=int(runs),
        median_ms=float(median[1]) / 1000 if median else None,
        mean_ms=float(mean) / 1000,
        std_ms=float(deviation) / 1000,
        min_ms=float(least) / 1000,
        max_ms=float(most) / 1000,
        first_ms=float(init[2]) / 1000,
        init_ms=float(init[1]) / 1000,
        memory_mb=float(memory[1]) if memory else None,
    )
