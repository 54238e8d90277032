"""ARM64 code under emulation: that it is, that its numbers are those of the same file here, and how it is fetched."""

import importlib.metadata
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from keraslayers.export import Verdict, prove
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof.proof import calls_of
from keraslayers.export.runtimes import RUNTIMES, SETUPS, arm64, cpu
from keraslayers.export.runtimes.arm64 import A53, PROCESSORS, Arm64
from keraslayers.export.source.samples import make_up

FILES = Path(__file__).parent / "files"
# The file of the runtime `cpu`, and what it runs on.
SPY = f"""{Path(cpu.__file__).read_text()}

of_cpu = load


def load(*arguments, **options):
    import pathlib, platform

    call, figures = of_cpu(*arguments, **options)
    parts = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if "part" in line]
    return call, {{**figures, "device": f"{{platform.machine()}} {{parts[0].split()[-1]}}"}}
"""


@pytest.fixture
def nothing(monkeypatch, tmp_path):
    """A machine on which nothing was fetched yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "keraslayers"


def test_a_file_in_floats_is_proven_on_arm64_code(tmp_path):
    path = tmp_path / "spy.py"
    path.write_text(SPY)
    spec = importlib.util.spec_from_file_location("spy", path)
    spy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(spy)
    file = FILES / "litert_torch_grouped.tflite"
    (proof,) = prove(file, Arm64(A53, spy)).require().proofs
    assert proof.device == "aarch64 0xd03, ARM64 code under emulation (Cortex-A53)"
    assert proof.latency_ms is None
    assert (proof.delegated, proof.operators) == (10, 10)


def test_integers_are_those_of_this_machine_to_the_bit():
    blob = (FILES / "litert_torch_mixer_int8.tflite").read_bytes()
    graph = read_graph(blob)
    inputs, _ = calls_of(make_up(graph.inputs), graph)
    here, there = (RUNTIMES[name].run(blob, graph, inputs) for name in ("cpu", "arm64"))
    assert there.reason == ""
    assert (there.delegated, there.partitions) == (here.delegated, here.partitions)
    for key, values in here.outputs.items():
        np.testing.assert_array_equal(there.outputs[key], values)


def test_16_bit_floats_on_arm64_code():
    (proof,) = prove(FILES / "litert_torch_involution.tflite", "arm64-fp16").require().proofs
    assert proof.device == "XNNPACK in 16-bit floats, 1 thread, ARM64 code under emulation (Cortex-A76)"
    assert 30 < proof.snr_db < 70  # in 32 bits more than 100


def test_it_keeps_the_sums_of_what_it_fetched():
    sums = dict(reversed(line.split("  ")) for line in (arm64.folder() / arm64.SUMS).read_text().splitlines())
    assert all(len(bytes.fromhex(value)) == 32 for value in sums.values())
    for start in (
        "qemu-user_",
        "python3.11-minimal_",
        f"ai_edge_litert-{importlib.metadata.version('ai-edge-litert')}-",
    ):
        assert any(name.startswith(start) for name in sums), start
    assert len(sums) == len(arm64.PACKAGES.split()) + 4


def test_without_it_the_verdict_is_untested_with_the_one_command(nothing):
    (proof,) = prove(FILES / "litert_torch_grouped.tflite", "arm64").proofs
    assert proof.verdict is Verdict.UNTESTED
    assert "`keraslayers setup arm64`" in proof.reason
    # Of another LiteRT than this machine's it would prove another program.
    (nothing / "arm64" / "0.1").mkdir(parents=True)
    (nothing / "arm64" / "0.1" / arm64.SUMS).touch()
    assert RUNTIMES["arm64"].available()


APT = """#!/bin/sh
case "$*" in
*indextargets*) echo bookworm main mirror ;;
*update*) echo "W: nothing" >&2; echo "E: The repository is not signed." >&2; exit 100 ;;
esac
"""


@pytest.mark.parametrize(
    ("apt", "system", "release", "message"),
    [
        (None, "Linux", {}, "need apt-get, dpkg, dpkg-deb, tar: this is no Debian"),
        (
            APT,
            "Linux",
            {"ID": "ubuntu", "VERSION_CODENAME": "bookworm"},
            "this is It 1. A container of Debian 12 or 13",
        ),
        (APT, "Linux", {"ID": "debian", "VERSION_CODENAME": "trixie"}, "an apt that has a mirror of it; this is It 1"),
        (APT, "Linux", {"ID": "debian", "VERSION_CODENAME": "bookworm"}, "failed: E: The repository is not signed."),
        (APT, "Darwin", {}, "which needs Linux"),
    ],
)
def test_what_cannot_be_fetched_is_said_and_leaves_nothing(
    nothing, monkeypatch, tmp_path, apt, system, release, message
):
    programs = tmp_path / "bin"
    programs.mkdir()
    if apt:
        (programs / "apt-get").write_text(apt)
        (programs / "apt-get").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    else:
        monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"PRETTY_NAME": "It 1", **release})
    monkeypatch.setattr("platform.system", lambda: system)
    with pytest.raises(RuntimeError, match=message):
        SETUPS["arm64"].setup()
    assert not [path for path in nothing.rglob("*") if path.name != "arm64"]
    assert RUNTIMES["arm64"].available()


def test_wheels_that_cannot_be_had_are_said(tmp_path):
    with pytest.raises(RuntimeError, match="pip cannot have no such thing for ARM64: ERROR: Invalid requirement"):
        arm64._wheels(["no such thing"], tmp_path)


def test_what_is_there_is_not_fetched_again(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert arm64.setup() == arm64.folder()
    assert {path.name for path in arm64.folder().iterdir()} >= {processor.title for processor in PROCESSORS}
