"""Files are written whole or not at all, where one may write."""

import json
import os
import pathlib
import stat
import subprocess
import sys

import pytest

from keraslayers.export import Artifact, Proof, Report, Verdict
from keraslayers.export.file import files


def artifact(content=b"new", name="m"):
    proofs = (Proof("cpu", Verdict.PROVEN),)
    report = Report(name, len(content), "0" * 64, {}, (), (), (), proofs)
    return Artifact(content, report)


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_both_files_are_there(tmp_path):
    made = artifact(b"\0TFL3\xff")
    for path in (tmp_path / "a.tflite", str(tmp_path / "a.tflite")):
        assert made.save(path) == pathlib.Path(path)
        assert set(listing(tmp_path)) == {"a.tflite", "a.json"}
        assert (tmp_path / "a.tflite").read_bytes() == b"\0TFL3\xff"
        assert json.loads((tmp_path / "a.json").read_text()) == json.loads(made.report.to_json())


def test_a_bare_name_goes_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    artifact().save("a.b.tflite")
    assert set(listing(tmp_path)) == {"a.b.tflite", "a.b.json"}


def test_old_files_are_replaced(tmp_path):
    artifact(b"a longer old one", "old").save(tmp_path / "m.tflite")
    artifact(b"new").save(tmp_path / "m.tflite")
    assert set(listing(tmp_path)) == {"m.tflite", "m.json"}
    assert (tmp_path / "m.tflite").read_bytes() == b"new"
    assert json.loads((tmp_path / "m.json").read_text())["name"] == "m"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_rights_follow_the_umask(tmp_path, mask):
    old = os.umask(mask)
    try:
        artifact().save(tmp_path / "m.tflite")
        assert os.umask(mask) == mask  # as it was found
    finally:
        os.umask(old)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


SAVE = "`Artifact.save`: `path`"


def refused(folder, path, error, message):
    before = listing(folder) if folder.is_dir() else None
    with pytest.raises(error) as caught:
        artifact().save(path)
    assert str(caught.value) == message
    assert before is None or listing(folder) == before


@pytest.mark.parametrize("name", ["m", "m.keras", "m.TFLITE", "m.tflite.gz", ".tflite"])
def test_another_ending(tmp_path, name):
    path = tmp_path / name
    refused(tmp_path, path, ValueError, f"{SAVE} must end in '.tflite'; got {str(path)!r}.")


def test_no_folder(tmp_path):
    path = tmp_path / "none" / "m.tflite"
    message = f"{SAVE}: there is no folder {str(path.parent)!r} to write 'm.tflite' in; make it first."
    refused(tmp_path, path, FileNotFoundError, message)
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "m.tflite"
    message = f"{SAVE}: there is no folder {str(path.parent)!r} to write 'm.tflite' in; make it first."
    refused(tmp_path, path, FileNotFoundError, message)


def test_a_folder_in_the_place(tmp_path):
    path = tmp_path / "m.tflite"
    path.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        artifact().save(path)
    assert str(caught.value) == f"{SAVE} must be a file; {str(path)!r} is a folder."
    assert os.listdir(tmp_path) == ["m.tflite"]


def test_a_folder_in_the_place_of_the_report(tmp_path):
    (tmp_path / "m.json").mkdir()
    with pytest.raises(IsADirectoryError):
        artifact().save(tmp_path / "m.tflite")
    assert os.listdir(tmp_path) == ["m.json"]


def test_no_right_to_write(tmp_path, monkeypatch):
    # Root may write everywhere: the system's answer is played.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refused(tmp_path, tmp_path / "m.tflite", PermissionError, f"{SAVE}: no right to write in {str(tmp_path)!r}.")


def fail_at(monkeypatch, name, turn):
    """Lets a function of `os` fail at its `turn`th call, as on a full disk."""
    real, calls = getattr(os, name), []

    def fails(*args, **kwargs):
        calls.append(args)
        if len(calls) == turn:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, fails)


@pytest.mark.parametrize(("name", "turn"), [("fsync", 1), ("fsync", 2), ("chmod", 2), ("replace", 1)])
@pytest.mark.parametrize("old", [True, False])
def test_a_failure_on_the_way_leaves_all_as_it_was(tmp_path, monkeypatch, name, turn, old):
    if old:
        artifact(b"old", "old").save(tmp_path / "m.tflite")
    before = listing(tmp_path)
    with monkeypatch.context() as patch:
        fail_at(patch, name, turn)
        with pytest.raises(OSError, match="No space left"):
            artifact().save(tmp_path / "m.tflite")
    assert listing(tmp_path) == before
    artifact().save(tmp_path / "m.tflite")  # and it can be tried again


def test_a_failure_between_the_two_leaves_whole_files(tmp_path, monkeypatch):
    # No system call replaces two files at once. The report's sha256 tells that the other one is not its own.
    artifact(b"old", "old").save(tmp_path / "m.tflite")
    fail_at(monkeypatch, "replace", 2)
    with pytest.raises(OSError, match="No space left"):
        artifact().save(tmp_path / "m.tflite")
    assert set(listing(tmp_path)) == {"m.tflite", "m.json"}
    assert (tmp_path / "m.tflite").read_bytes() == b"old"
    assert json.loads((tmp_path / "m.json").read_text())["name"] == "m"


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(number):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write({tmp_path / "a": b"1"})
    assert listing(tmp_path) == {}


def test_no_descriptor_stays_open(tmp_path):
    before = os.listdir("/proc/self/fd")
    artifact().save(tmp_path / "m.tflite")
    assert len(os.listdir("/proc/self/fd")) == len(before)


KILLED = """
import os, signal, sys, time
from pathlib import Path
from keraslayers.export import Artifact, Proof, Report, Verdict

path = Path(sys.argv[1])
report = Report("m", 1, "0" * 64, {}, (), (), (), (Proof("cpu", Verdict.PROVEN),))
made = [Artifact(bytes([letter]) * 300_000, report) for letter in (65, 66)]
made[0].save(path)
seen, left, turn = set(), 0, 0
while turn < 300 and (turn < 30 or len(seen) < 2 or not left):
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(told, b"!")
        while True:
            for artifact in made[:: 1 if turn % 2 else -1]:
                artifact.save(path)
    os.read(ready, 1)
    os.close(ready), os.close(told)
    time.sleep(0.0007 * (turn % 60))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    whole = path.read_bytes()
    assert len(whole) == 300_000 and len(set(whole)) == 1, "half a file"
    assert path.with_suffix(".json").read_text().endswith("}\\n"), "half a report"
    seen.add(whole[0])
    left = len([name for name in os.listdir(path.parent) if name.endswith(".part")])
    turn += 1
print(len(seen), left)
"""


def test_killed_at_any_moment_there_is_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "m.tflite"
    done = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen, left = map(int, done.stdout.split())
    assert seen == 2
    assert left > 0  # else none was killed while it wrote
    # A minute later, the next one clears up; what others write there, or live writers do, stays.
    parts = [entry for entry in tmp_path.iterdir() if entry.suffix == ".part"]
    alive = tmp_path / f".m.tflite.{os.getpid()}.abcd.part"
    for other in (alive, tmp_path / ".m.tflite.part", tmp_path / ".n.tflite.1.a.part"):
        other.write_bytes(b"")
        parts.append(other)
    artifact().save(path)
    assert all(part.exists() for part in parts)
    for part in parts:
        os.utime(part, (0, 0))
    artifact().save(path)
    kept = {alive.name, ".m.tflite.part", ".n.tflite.1.a.part", "m.tflite", "m.json"}
    assert set(os.listdir(tmp_path)) == kept


def test_errors_of_the_system_name_the_file_that_was_to_be_written(tmp_path, monkeypatch):
    fail_at(monkeypatch, "fsync", 1)
    with pytest.raises(OSError, match="No space left on device") as caught:
        artifact().save(tmp_path / "m.tflite")
    assert caught.value.filename == str(tmp_path / "m.json")
    with pytest.raises(OSError, match=r"'/proc/m\.json'"):
        artifact().save("/proc/m.tflite")
