"""Another computer behind ssh: this one, behind an sshd of the test's own on the loopback."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keraslayers.__main__ import main
from keraslayers.export import TARGETS, Target, Verdict, find_culprit, prove, ssh, to_tflite
from tests.export_models import dense

FILES = Path(__file__).parent / "files"
FLOATS = FILES / "litert_torch_grouped.tflite"
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
CLIENT = shutil.which("ssh")
PYTHON = sys.executable


def client(folder, port, key, known="known"):
    """A program `ssh` that knows the test's host by names of its own, and nothing of this user's configuration."""
    lines = ["Host board", "HostName 127.0.0.1", f"Port {port}", f"User {getpass.getuser()}"]
    lines += [f"IdentityFile {key}", "IdentitiesOnly yes", f"UserKnownHostsFile {folder / known}"]
    (folder / "config").write_text("\n".join(lines) + "\n")
    (folder / "ssh").write_text(f'#!/bin/sh\nexec {CLIENT} -F {folder / "config"} "$@"\n')
    (folder / "ssh").chmod(0o755)
    return str(folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """(A folder with keys, a port): an sshd that takes the key `mine`."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "mine.pub", folder / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": port,
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    kind, value, *_ = (folder / "host.pub").read_text().split()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {kind} {value}\n")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # which it wants of root
    with subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.PIPE) as daemon:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except ConnectionRefusedError:
                assert daemon.poll() is None, daemon.stderr.read().decode()
                time.sleep(0.05)
        yield folder, port
        daemon.terminate()


@pytest.fixture
def board(server, monkeypatch):
    """ssh finds the test's host under the name `board`."""
    folder, port = server
    monkeypatch.setenv("PATH", f"{client(folder, port, folder / 'mine')}:{os.environ['PATH']}")
    return ssh("board", python=PYTHON)


def test_a_file_is_proven_there_and_timed(board):
    report = prove(FLOATS, [board, "cpu"]).require()
    there, here = report.proofs
    assert there.runtime == str(board) == "cpu on board"
    assert there.device.startswith("XNNPACK, 1 thread, ")
    assert os.uname().machine in there.device
    assert there.latency_ms > 0
    assert (there.delegated, there.operators, there.max_error) == (here.delegated, here.operators, here.max_error)


def test_the_command_line_runs_a_file_there(board, capfd):
    with pytest.raises(SystemExit) as end:
        main(["check", str(FLOATS), "--on", "board", "--python", PYTHON])
    said = capfd.readouterr().out
    assert end.value.code == 0, said
    assert re.search(r"cpu on board +float32 +PROVEN", said)
    assert "gpu on board" not in said or Path("/dev/dri").exists()


def test_a_target_has_its_files_proven_there(board):
    target = Target("pi", (board,), "a board of one's own")
    assert target.passes("int8") == TARGETS["cpu"].passes("int8")
    made = to_tflite(dense(), target=target)
    assert made.report.require().proof(board).latency_ms > 0
    assert find_culprit(made.tflite, board) is None


def test_16_bit_floats_there(board):
    (proof,) = prove(FLOATS, ssh("board", "cpu-fp16", python=PYTHON)).require().proofs
    assert 30 < proof.snr_db < 70


def test_a_file_that_it_dies_of_is_rejected(board, monkeypatch, tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text("import os\nos.abort()\n")
    monkeypatch.setattr("keraslayers.export.runtimes.ssh.WORKER", worker)
    (proof,) = prove(FLOATS, board).proofs
    assert proof.verdict is Verdict.REJECTED
    assert "the runtime died (SIGABRT)" in proof.reason
    worker.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr("keraslayers.export.runtimes.child.TIME_LIMIT", 1)
    (proof,) = prove(FLOATS, board).proofs
    assert proof.reason.startswith("the runtime did not finish within 1 s")


def untested(runtime):
    (proof,) = prove(FLOATS, runtime).proofs
    assert proof.verdict is Verdict.UNTESTED
    return proof.reason


def test_hosts_that_are_not_reached_are_told_apart(server, board, monkeypatch):
    folder, port = server
    assert untested(ssh("no.such.host.invalid", python=PYTHON)).endswith("there is no host of that name")
    client(folder, port, folder / "other")
    assert "it takes no key of this user's: `ssh-copy-id board`" in untested(board)
    client(folder, port, folder / "mine", known="none")
    assert "its key is not known here, or another one: `ssh board` once" in untested(board)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client(folder, port, folder / "mine")
    assert untested(board).endswith("no ssh server answers there")
    monkeypatch.setenv("PATH", "")
    assert "openssh-client" in untested(board)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sys.version_info = (3, 8, 0)", "is Python 3.8; it must be 3.10 or newer"),
        (
            "import importlib.util as u; find = u.find_spec; "
            "u.find_spec = lambda name: None if name == 'ai_edge_litert' else find(name)",
            "has no ai_edge_litert: `.*python -m pip install ai-edge-litert` there",
        ),
        ("import platform; platform.system = lambda: 'Darwin'", "board runs Darwin; it must be Linux"),
        ("sys.exit('no such thing')", r"failed \(exit code 1\): no such thing"),
    ],
)
def test_what_is_missing_there_is_said(board, tmp_path, change, message):
    # Called as `python -c SCRIPT WORDS`, it runs the script after the change.
    lines = f"import sys\n{change}\nscript, sys.argv = sys.argv[2], ['', *sys.argv[3:]]\n"
    python = tmp_path / "python"
    python.write_text(f"#!{PYTHON}\n{lines}exec(script, {{'__name__': '__main__'}})\n")
    python.chmod(0o755)
    assert re.search(message, untested(ssh("board", python=str(python))))


def test_no_python_and_no_gpu_there(board):
    assert untested(ssh("board", python="no/python")).startswith("board has no `no/python`")
    if not Path("/dev/dri").exists():
        assert untested(ssh("board", "gpu", python=PYTHON)) == "board has no GPU with a Vulkan driver"


def test_one_that_is_lost_on_the_way_proves_nothing(board, monkeypatch):
    monkeypatch.setattr(type(board), "available", lambda self: "")
    monkeypatch.setenv("PATH", "")
    assert "openssh-client" in untested(board)


@pytest.mark.parametrize("host", ["", "-oProxyCommand=x", "a b", "a\nb", None])
def test_hosts_that_are_no_names(host):
    with pytest.raises(ValueError, match="`ssh`: `host` must be a name without spaces"):
        ssh(host)
    with pytest.raises(ValueError, match=r"`ssh`: `runtime` must be one of 'cpu', .*; got 'micro'"):
        ssh("board", "micro")
