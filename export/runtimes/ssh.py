"""Another computer behind ssh, a board say: files run there, on its own processor, and take its own time.

OpenSSH's client does the talking, so that all of its configuration holds: names, keys, ports, hosts in between. What it
takes there is Linux, a Python and `ai-edge-litert`; nothing stays behind.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from keraslayers import _checks
from keraslayers.export.file.graph import Graph
from keraslayers.export.runtimes import cpu, cpu_fp16, gpu, gpu_fp16, remote
from keraslayers.export.runtimes.child import LEASH, WORKER, Outcome
from keraslayers.export.runtimes.elsewhere import Elsewhere

RUNTIMES = {"cpu": cpu, "cpu-fp16": cpu_fp16, "gpu": gpu, "gpu-fp16": gpu_fp16}
OLDEST = (3, 10)
# Seconds for a connection, and for a question.
CONNECT, ASKED = 10, 60
REMEDIES = (
    ("Permission denied", "it takes no key of this user's: `ssh-copy-id {}` brings one there"),
    (
        "Host key verification failed",
        "its key is not known here, or another one: `ssh {}` once, by hand, asks about it",
    ),
    ("Could not resolve hostname", "there is no host of that name"),
    ("Connection refused|timed out|No route|unreachable", "no ssh server answers there"),
)


class UnreachableError(Exception):
    """The other computer was not reached, or cannot do what it is asked for."""


@dataclass(frozen=True)
class Ssh(Elsewhere):
    """A runtime on another computer; see `ssh`."""

    host: str
    name: str
    python: str

    def __str__(self) -> str:
        return f"{self.name} on {self.host}"

    @property
    def LIKE(self) -> str:  # noqa: N802
        """The name of the runtime whose files it takes."""
        return getattr(self.runtime, "LIKE", self.name)

    @property
    def runtime(self) -> Any:
        """The runtime of this machine that it is there."""
        return RUNTIMES[self.name]

    def available(self) -> str:
        """Returns "" where the other computer can run it, else what is missing."""
        try:
            there = json.loads(self._talk("ask", seconds=ASKED))
        except UnreachableError as error:
            return str(error)
        if there["system"] != "Linux":
            return f"{self.host} runs {there['system']}; it must be Linux"
        if tuple(there["python"]) < OLDEST:
            version, least = (".".join(map(str, numbers)) for numbers in (there["python"], OLDEST))
            return f"`{self.python}` of {self.host} is Python {version}; it must be {least} or newer"
        if there["missing"]:
            return (
                f"`{self.python}` of {self.host} has no {' and no '.join(there['missing'])}: "
                f"`{self.python} -m pip install ai-edge-litert` there, or name the `python` of an environment with it"
            )
        if self.LIKE == "gpu" and not there["gpu"]:
            return f"{self.host} has no GPU with a Vulkan driver"
        return ""

    def run(self, blob: bytes, graph: Graph, inputs: Any) -> Outcome:
        """Runs a file there."""
        place = There(self)
        try:
            outcome = self.runtime.run(blob, graph, inputs, place=place)
        except UnreachableError as error:
            return Outcome(reason=str(error), missing=True)
        return replace(outcome, device=", ".join(filter(None, (outcome.device, place.about))))

    def _talk(self, *words, seconds, sent=b""):
        """Runs `remote.py` there: what it answers."""
        script = shlex.join([self.python, "-c", Path(remote.__file__).read_text(), *words])
        command = ["ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT}", "--", self.host, script]
        try:
            done = subprocess.run(command, input=sent, capture_output=True, timeout=seconds, check=False)
        except FileNotFoundError:
            raise UnreachableError("OpenSSH's client is not installed: `apt install openssh-client`") from None
        except subprocess.TimeoutExpired:
            raise UnreachableError(f"{self.host} did not answer within {seconds} s") from None
        _, mark, answer = done.stdout.partition(remote.MARK)
        if done.returncode == 0 and mark:
            return answer
        raise UnreachableError(self._fault(done.returncode, done.stderr.decode(errors="replace")))

    def _fault(self, code, said):
        said = " ".join(said.split("\n")[-3:]).strip()
        if code == 127:
            return f"{self.host} has no `{self.python}`: install Python {'.'.join(map(str, OLDEST))} or newer there"
        if code != 255:
            return f"`{self.python}` of {self.host} failed (exit code {code}): {said}"
        remedy = next((words for sign, words in REMEDIES if re.search(sign, said)), "")
        return f"{self.host} was not reached: {said}" + (f"; {remedy.format(self.host)}" if remedy else "")


class There:
    """The place of children on another computer; as `child.Place`."""

    timed = True

    def __init__(self, where):
        self.where = where
        self.about = ""

    def work(self, folder, environment, memory, seconds):
        # The environment is that of drivers on this machine.
        request = json.loads((folder / "request.json").read_text())
        files = {name: (folder / name).read_bytes() for name in ("model.tflite", "inputs.npz")}
        files |= {"worker.py": WORKER.read_bytes(), "leash.py": LEASH.read_bytes()}
        files["runtime.py"] = Path(request["runtime"]).read_bytes()
        files["request.json"] = json.dumps({**request, "runtime": "runtime.py"}).encode()
        answer = self.where._talk("work", str(memory), str(seconds), seconds=seconds + ASKED, sent=_packed(files))
        with tarfile.open(fileobj=io.BytesIO(answer)) as given:
            found = {member.name: given.extractfile(member).read() for member in given if member.isfile()}
        for name in ("answer.json", "outputs.npz"):
            if name in found:
                (folder / name).write_bytes(found[name])
        end = json.loads(found["end.json"])
        self.about = end["about"]
        if end["code"] is None:
            raise subprocess.TimeoutExpired(str(self.where), seconds)
        return end["code"], end["said"]


def _packed(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, blob in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(blob)
            tar.addfile(info, io.BytesIO(blob))
    return packed.getvalue()


def ssh(host: str, runtime: Literal["cpu", "cpu-fp16", "gpu", "gpu-fp16"] = "cpu", *, python: str = "python3") -> Ssh:
    """A runtime on another Linux computer, a Raspberry Pi say: it runs files there, and gives its real latency.

    `Target("pi", (ssh("pi@raspberrypi"),), "a Raspberry Pi")` is a target of files that are proven on it. It takes a
    key that the other computer knows, as no password is asked for, and there Python 3.10 or newer with
    `ai-edge-litert`. What is missing makes the verdict UNTESTED, and is its reason.

    Args:
        host: as OpenSSH takes it: `"user@host"`, a name of `~/.ssh/config`, or `"ssh://user@host:port"`.
        runtime: `"cpu"`, `"cpu-fp16"`, or where it has a GPU with a Vulkan driver `"gpu"`, `"gpu-fp16"`.
        python: the Python there, a path from the user's folder: `"venv/bin/python"`.

    Returns:
        A runtime, for `Target`, `prove` and `find_culprit`; its `str` is its name in reports.

    Raises:
        ValueError: if there is no such runtime, or host or python are no words.
    """
    who = "ssh"
    _checks.choice(who, "runtime", runtime, RUNTIMES)
    for argument, value in (("host", host), ("python", python)):
        if not isinstance(value, str) or not value or value.startswith("-") or not value.isprintable() or " " in value:
            raise ValueError(f"`{who}`: `{argument}` must be a name without spaces, as 'user@host'; got {value!r}.")
    return Ssh(host, runtime, python)
