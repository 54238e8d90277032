"""LiteRT's ARM64 build on the CPU, by emulation: qemu runs the code that phones run, instruction by instruction.

The kernels are those of ARM64, chosen by what a processor can do; the times mean nothing. qemu, a Python for ARM64 and
two wheels lie in a folder of the user's, which `setup` fills.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from keraslayers.export.cache import cache, filled
from keraslayers.export.progress import step
from keraslayers.export.runtimes import cpu, debian
from keraslayers.export.runtimes.child import Place
from keraslayers.export.runtimes.elsewhere import Elsewhere

# The emulator of Debian 12 itself, 7.2, computes some instructions wrong. The newer one needs nothing of the system.
SUITES = ("bookworm", "bookworm-backports")
EMULATOR = "qemu-user/bookworm-backports"
PYTHON = "3.11"
PACKAGES = (
    "libbz2-1.0 libc6 libexpat1 libffi8 libgcc-s1 liblzma5 libpython3.11-minimal libpython3.11-stdlib libssl3 "
    "libstdc++6 python3.11-minimal zlib1g"
)
WHEELS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
SUMS = "SHA256SUMS"
SIZE = "120 MB to fetch, 190 MB on disk"


@dataclass(frozen=True)
class Processor:
    """A processor to emulate.

    Attributes:
        title: for people.
        model: as qemu calls it.
        part: the number that Linux tells programs of it, and
        features: what of its instructions, by which LiteRT chooses its kernels. Both must be what qemu computes.
    """

    title: str
    model: str
    part: str
    features: str


A53 = Processor("Cortex-A53", "cortex-a53", "0xd03", "fp asimd")
A76 = Processor("Cortex-A76", "cortex-a76", "0xd0b", "fp asimd fphp asimdhp asimddp")
# Signed pointers in a way of qemu's own, which takes a third of the time.
A710 = Processor(
    "Cortex-A710", "cortex-a710,pauth-impdef=on", "0xd47", "fp asimd fphp asimdhp asimddp i8mm bf16 sve sve2"
)
PROCESSORS = (A53, A76, A710)


@dataclass(frozen=True)
class Arm64(Elsewhere):
    """A runtime for CPUs on an emulated ARM64 processor.

    Attributes:
        processor: which.
        runtime: whose `load` is called there.
    """

    processor: Processor = A76
    runtime: ModuleType = cpu
    LIKE = "cpu"

    def available(self):
        """Returns "" where this runtime can run, else what to install."""
        if missing := self.runtime.available():
            return missing
        if (folder() / SUMS).exists():
            return ""
        return f"ARM64 code and its emulator are not here: `keraslayers setup arm64` fetches them ({SIZE}, no root)"

    def run(self, blob, graph, inputs):
        """Runs a file on one thread of that processor; how long it takes says nothing."""
        outcome = self.runtime.run(blob, graph, inputs, place=self._place())
        about = f"ARM64 code under emulation ({self.processor.title})"
        return replace(outcome, device=f"{outcome.device}, {about}" if outcome.device else about)

    def _place(self):
        root = folder() / self.processor.title
        emulator = (str(folder() / "qemu-aarch64"), "-cpu", self.processor.model, "-L", str(root))
        # Of the emulated Python alone: that of this machine starts the emulator.
        variables = ("-U", "PYTHONHOME", "-E", f"PYTHONPATH={folder() / 'site'}")
        return Place(program=(*emulator, *variables, f"{root}/usr/bin/python{PYTHON}", "-P"), timed=False)


def folder():
    """Where it lies: the same LiteRT as on this machine."""
    return cache("arm64") / version("ai-edge-litert")


def setup():
    """Fetches the emulator, a Python for ARM64 and LiteRT's wheel for it into the user's cache; returns the folder.

    apt checks the packages against Debian's signatures, pip the wheels against the index; what their sums were stands
    in the file `SHA256SUMS`.

    Raises:
        RuntimeError: if this machine is not one that it can be done on, or something cannot be fetched.
    """
    done = folder()
    if (done / SUMS).exists():
        return done
    if platform.system() != "Linux":
        raise RuntimeError("ARM64 code is emulated by qemu's user mode, which needs Linux.")
    return filled(done, _fill)


def _fill(made):
    with step("fetching qemu and a Python for ARM64 from Debian"):
        names = [EMULATOR, *(f"{name}:arm64" for name in PACKAGES.split())]
        packages = debian.fetch(names, SUITES, made / "fetched")
    with step("unpacking"):
        for package in packages:
            if package.name.startswith("qemu-user"):
                debian.unpack(package, made, "usr/bin/qemu-aarch64")
            else:
                debian.unpack(package, made / "sysroot")
        (made / "usr/bin/qemu-aarch64").rename(made / "qemu-aarch64")
        shutil.rmtree(made / "usr")
    with step("fetching LiteRT and NumPy for ARM64"):
        wheels = _wheels([f"ai-edge-litert=={version('ai-edge-litert')}", "numpy>=2", "ml_dtypes"], made / "fetched")
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(made / "site")
    for processor in PROCESSORS:
        _root(made, processor)
    # Last: a folder without it is none.
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (*packages, *wheels)]
    (made / SUMS).write_text("".join(lines))


def _wheels(requirements, into):
    """Downloads wheels for ARM64; returns their paths."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", PYTHON, "--implementation", "cp", "--abi", f"cp{PYTHON.replace('.', '')}"]
    command += [f"--platform={name}" for name in WHEELS]
    done = subprocess.run([*command, "-d", str(into), *requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "No module named pip" in line or "ERROR" in line]
        raise RuntimeError(f"pip cannot have {', '.join(requirements)} for ARM64: {' '.join(errors) or done.stderr}")
    return sorted(into.glob("*.whl"))


def _root(made, processor):
    """The system as one of its processors sees it: programs, and LiteRT, read what it is in a file of Linux's."""
    root = made / processor.title
    (root / "proc").mkdir(parents=True)
    for entry in (made / "sysroot").iterdir():
        (root / entry.name).symlink_to(Path("..", "sysroot", entry.name))
    core = {
        "processor": "{}",
        "Features": processor.features,
        "CPU implementer": "0x41",
        "CPU architecture": "8",
        "CPU variant": "0x1",
        "CPU part": processor.part,
        "CPU revision": "0",
    }
    lines = "".join(f"{name}\t: {value}\n" for name, value in core.items())
    (root / "proc" / "cpuinfo").write_text("".join(f"{lines}\n".format(i) for i in range(os.cpu_count())))
