"""What runs on the other side of ssh, by the Python there and its standard library alone: `python3 -c THIS WHAT`.

`ask` tells what is there. `work` takes a folder as a tar file from its input, runs the worker in it on a leash, and
gives back what that wrote. Both answer behind `MARK`: a shell may greet before.
"""

import ctypes.util
import importlib.util
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile

MARK = b"\0keraslayers\0"
RENDERS = ("/dev/dri/renderD128", "/dev/nvidia0", "/dev/nvhost-gpu")


def about():
    """The computer's name, as a board tells it, and what its processor is."""
    for path in ("/proc/device-tree/model", "/sys/class/dmi/id/product_name"):
        try:
            with open(path) as file:
                return "%s (%s)" % (file.read().strip(" \0\n"), platform.machine())  # noqa: UP031  as old as it may be
        except OSError:
            pass
    return platform.machine()


def ask():
    there = {
        "about": about(),
        "python": list(sys.version_info[:2]),
        "system": platform.system(),
        "missing": [name for name in ("numpy", "ai_edge_litert") if importlib.util.find_spec(name) is None],
        "gpu": any(map(os.path.exists, RENDERS)) and ctypes.util.find_library("vulkan") is not None,
    }
    answer(json.dumps(there).encode())


def work(memory, seconds):
    with tempfile.TemporaryDirectory(prefix="keraslayers_") as folder:
        with tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read())) as sent:
            for member in sent:
                with open(os.path.join(folder, os.path.basename(member.name)), "wb") as file:
                    file.write(sent.extractfile(member).read())
        command = [sys.executable, os.path.join(folder, "leash.py"), str(os.getpid()), memory]
        command += [str(int(seconds) * os.cpu_count()), os.path.join(folder, "worker.py"), folder]
        end = {"about": about()}
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=int(seconds),
                check=False,
            )
            end.update(code=done.returncode, said=done.stderr.decode(errors="replace"))
        except subprocess.TimeoutExpired:
            end.update(code=None, said="")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as given:
            for name in ("answer.json", "outputs.npz"):
                if os.path.exists(os.path.join(folder, name)):
                    given.add(os.path.join(folder, name), name)
            told = json.dumps(end).encode()
            info = tarfile.TarInfo("end.json")
            info.size = len(told)
            given.addfile(info, io.BytesIO(told))
    answer(packed.getvalue())


def answer(blob):
    sys.stdout.buffer.write(MARK + blob)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    {"ask": ask, "work": work}[sys.argv[1]](*sys.argv[2:])
