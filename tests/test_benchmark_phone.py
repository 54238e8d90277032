"""Times on a phone: a stand-in for adb answers as phones do; no phone was at hand."""

import json
import re
import sys

import pytest

from keraslayers import __main__ as command_line
from keraslayers import export
from keraslayers.export.report.read import read_report
from tests.export_models import dense, samples

# In the form of the tool's own output, as people publish it.
SAID = """STARTING!
INFO: Loaded model {graph}
VERBOSE: Replacing 2 out of 3 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 partitions for subgraph 0.
{gpu}INFO: Initialized session in 5.5ms.
INFO: count=9 first=9000 curr=7000 min=7000 max=9000 avg=8000 std=400 p5=7000 median=8000 p95=9000

INFO: count=120 first=4100 curr=4000 min=3900 max=1.2e+04 avg=4250.5 std=310{median}

INFO: Inference timings in us: Init: 5500, First inference: 9000, Warmup (avg): 8000, Inference (avg): 4250.5
INFO: Memory footprint delta from the start of the tool (MB): init=6.4 overall=12.6
"""
GPU = "INFO: Replacing 3 out of 3 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions.\n"
ADB = """#!{python}
import json, pathlib, sys
here = pathlib.Path({folder!r})
phone = json.loads((here / "phone.json").read_text())
words = sys.argv[1:]
with (here / "asked").open("a") as log:
    log.write(json.dumps(words) + "\\n")
if words == ["devices"]:
    print("List of devices attached")
    for serial, state in phone["devices"].items():
        print(f"{{serial}}\\t{{state}}")
    sys.exit()
assert words[0] == "-s" and words[2:4] == ["shell", "-T"], words
if words[1] not in phone["devices"]:
    sys.exit(f"adb: device '{{words[1]}}' not found")
command = words[4]
if command.startswith("getprop"):
    print("Maker\\nOne\\n15")
elif command.startswith("[ -x"):
    print("yes" if phone["tool"] else "no")
elif command.startswith("cat > "):
    (here / "pushed").write_bytes(sys.stdin.buffer.read())
elif "benchmark_model" in command:
    print(phone["says"])
    sys.exit(phone["code"])
"""


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """Says what phones there are, and what the tool prints on them; gives what adb was asked."""
    program = tmp_path / "bin" / "adb"
    program.parent.mkdir()
    program.write_text(ADB.format(python=sys.executable, folder=str(tmp_path)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))

    def plug(devices=None, *, tool=True, says=None, code=0):
        says = SAID.format(graph="x", gpu="", median=" p5=3950 median=4200 p95=4800") if says is None else says
        told = {"devices": {"A1": "device"} if devices is None else devices, "tool": tool, "says": says, "code": code}
        (tmp_path / "phone.json").write_text(json.dumps(told))
        return lambda: [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]

    return plug


@pytest.fixture(scope="module")
def made():
    return export.to_tflite(dense(), samples=samples(16, (4,)))


def test_the_phone_gets_the_file_and_its_times_come_back(phone, made, tmp_path):
    asked = phone()
    found = export.benchmark(made.tflite, threads=2, runs=7)
    assert (tmp_path / "pushed").read_bytes() == made.tflite
    assert found == export.Latency(
        device="Maker One, Android 15",
        accelerator="cpu",
        delegated=2,
        operators=3,
        threads=2,
        runs=120,
        median_ms=4.2,
        mean_ms=4.2505,
        std_ms=0.31,
        min_ms=3.9,
        max_ms=12.0,
        first_ms=9.0,
        init_ms=5.5,
        memory_mb=12.6,
    )
    *_, pushed, ran, removed = (words[-1] for words in asked())
    place = re.fullmatch(r"cat > (/data/local/tmp/keraslayers-\w+\.tflite)", pushed)[1]
    assert removed == f"rm -f {place}"
    assert f"--graph={place} --num_threads=2 --num_runs=7 --use_xnnpack=true" in ran


def test_on_the_gpu_what_the_gpu_took_counts(phone, made):
    asked = phone({"A1": "device", "B2": "device"}, says=SAID.format(graph="x", gpu=GPU, median=""))
    found = export.benchmark(made.tflite, "adb:B2", accelerator="gpu")
    assert (found.delegated, found.operators, found.median_ms) == (3, 3, None)
    assert all(words[:2] == ["-s", "B2"] for words in asked())
    assert "--use_gpu=true" in asked()[-2][-1]


@pytest.mark.parametrize(
    ("plugged", "said"),
    [
        ({"devices": {}}, "adb sees no phone. Plug one in"),
        ({"devices": {"A1": "unauthorized"}}, "A1 is unauthorized: unlock the phone"),
        ({"devices": {"A1": "device", "B2": "device"}}, "several phones: name one of A1, B2"),
        ({"tool": False}, r"Maker One, Android 15 has no /data/local/tmp/benchmark_model. Download https://"),
        ({"says": "Failed to load the model", "code": 1}, r"exit code 1\): Failed to load the model"),
        ({"says": "killed"}, "benchmark_model timed nothing: killed"),
    ],
)
def test_what_is_missing_is_said(phone, made, plugged, said):
    asked = phone(**plugged)
    with pytest.raises(RuntimeError, match=f"`benchmark`: .*{said}"):
        export.benchmark(made.tflite)
    words = [row[-1] for row in asked()]
    assert any(word.startswith("cat") for word in words) == words[-1].startswith("rm -f")  # nothing stays there


def test_bad_arguments_and_no_adb(made, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="adb is not installed: `apt install adb`"):
        export.benchmark(made.tflite)
    for options, said in (
        ({"device": "usb"}, "`device`"),
        ({"accelerator": "npu"}, "`accelerator`"),
        ({"threads": 0}, "`threads`"),
        ({"runs": 1.5}, "`runs`"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"`benchmark`: {said}"):
            export.benchmark(made.tflite, **options)


def test_the_report_beside_the_file_takes_it_in(phone, made, tmp_path, capsys):
    phone()
    made.save(tmp_path / "m.tflite")
    for times in (1, 2):
        with pytest.raises(SystemExit) as stopped:
            command_line.main(["benchmark", str(tmp_path / "m.tflite")])
        assert stopped.value.code == 0
        told = read_report("test", tmp_path / "m.json")
        assert len(told.latencies) == times
    line = "Maker One, Android 15: cpu, 2 of 3 operators, 1 thread: 4.20 ms a call (median), 3.90 to 12.00 in 120 runs"
    assert line in " ".join(capsys.readouterr().out.split())
    assert line in " ".join(str(told).split())
    told.to_html(tmp_path / "m.html")
    assert line in (tmp_path / "m.html").read_text()
    assert told.require() is told


def test_without_a_report_nothing_is_written(phone, made, tmp_path, capsys):
    phone()
    (tmp_path / "alone.tflite").write_bytes(made.tflite)
    with pytest.raises(SystemExit):
        command_line.main(["benchmark", str(tmp_path / "alone.tflite"), "--json"])
    assert json.loads(capsys.readouterr().out)["median_ms"] == 4.2
    assert not (tmp_path / "alone.json").exists()
