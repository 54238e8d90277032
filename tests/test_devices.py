"""What pages find on the devices that open them: answers, reports with these in, and a server for a local network."""

import http.client
import json
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pytest

from keraslayers import _serve
from keraslayers.__main__ import main
from keraslayers.export import Verdict, to_tflite
from keraslayers.export.file.graph import read_graph
from keraslayers.export.report import answers
from keraslayers.export.report.read import read_report
from keraslayers.export.runtimes import chromium
from tests.export_models import dense, needs_browser, samples
from tests.test_page import READY

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile "
    "Safari/537.36"
)


def run(*words):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    return stopped.value.code


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A proven file with its report, and what it was proven on."""
    x = samples(32, (4,))
    artifact = to_tflite(dense(), precision="int8", samples=x)
    path = artifact.save(tmp_path_factory.mktemp("devices") / "dense.tflite")
    np.save(path.with_suffix(".npy"), x)
    return path


def answer(path, **changes):
    """An answer about a file, as a phone might give it; `changes` are of its first runtime where it has the key."""
    found = {
        "reason": "",
        "snr_db": 40.5,
        "max_error": 0.01,
        "agreement": 1.0,
        "samples": 16,
        "first_ms": 30,
        "latency_ms": 2.5,
    }
    told = {
        "what": "keraslayers answer",
        "format": 1,
        "file": "dense",
        "sha256": json.loads(path.with_suffix(".json").read_text())["sha256"],
        "device": "Pixel 8",
        "browser": "Chrome 141",
        "user_agent": ANDROID,
        "gpu": "arm valhall",
        "half_floats": True,
        "litert_js": "2.5.3",
        "reference": "the Keras model",
        "runtimes": [
            {"runtime": "browser", "verdict": "PROVEN", **found},
            {"runtime": "browser-gpu", "verdict": "WRONG", **found},
        ],
    }
    for key, value in changes.items():
        (told if key in told else told["runtimes"][0])[key] = value
    return told


def copied(made, folder):
    for path in (made, made.with_suffix(".json")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / made.name


def test_answers_become_runtimes_of_the_report(made, tmp_path, capsys):
    path, saved = copied(made, tmp_path), tmp_path / "a.json"
    saved.write_text(json.dumps(answer(path)))
    assert run("report", path, "--add", saved, "--html", tmp_path / "r.html") == 1  # the GPU is wrong
    shown = capsys.readouterr().out
    assert "browser on Pixel" in shown
    assert "over 16 to 32 samples" in shown
    report = read_report("test", path.with_suffix(".json"))
    assert [proof.runtime for proof in report.proofs] == ["cpu", "browser on Pixel 8", "browser-gpu on Pixel 8"]
    on_cpu, on_gpu = report.proofs[1:]
    assert (on_cpu.verdict, on_cpu.snr_db, on_cpu.latency_ms, on_cpu.arithmetic) == (Verdict.PROVEN, 40.5, 2.5, "int8")
    assert (on_gpu.verdict, on_gpu.arithmetic) == (Verdict.WRONG, "float32")
    assert "arm valhall; it has 16-bit floats, too, LiteRT.js 2.5.3, Chrome 141, Mozilla/5.0" in on_gpu.device
    assert "arm valhall" in (tmp_path / "r.html").read_text()
    # The same device again takes its own place; another one of that name gets a number.
    saved.write_text(json.dumps(answer(path, snr_db=41)))
    other = tmp_path / "b.json"
    other.write_text(json.dumps(answer(path, user_agent="another")))
    run("report", path, "--add", saved, "--add", other)
    report = read_report("test", path.with_suffix(".json"))
    assert len(report.proofs) == 5
    assert report.proof("browser on Pixel 8").snr_db == 41
    assert report.proof("browser on Pixel 8 (2)").snr_db == 40.5


def test_a_report_is_the_same_when_it_is_read_again(made, tmp_path, capsys):
    image = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    made = to_tflite(dense(), samples=image, target="gpu", precision="int8", layer_errors=True)
    path = made.save(tmp_path / "x.tflite")
    text = path.with_suffix(".json").read_text()
    read = read_report("test", path.with_suffix(".json"))
    assert read.to_json() == text
    assert str(read) == str(made.report)
    assert read.layer_errors
    assert read.largest
    for wrong, words in (
        ({"size": "1"}, "'size' must be int"),
        ({"more": 1}, "'more' is not known"),
        ({"proofs": 3}, "not iter"),
    ):
        path.with_suffix(".json").write_text(json.dumps({**json.loads(text), **wrong}))
        with pytest.raises(ValueError, match=words):
            read_report("test", path.with_suffix(".json"))
    (tmp_path / "x.json").unlink()
    assert run("report", path) == 2
    assert "is no report of it. `keraslayers check` proves it" in " ".join(capsys.readouterr().err.split())


def test_an_answer_begins_a_report_where_there_is_none(made, tmp_path):
    path, saved = copied(made, tmp_path), tmp_path / "a.json"
    told = answer(path)
    told["runtimes"][1] |= {"verdict": "UNTESTED", "samples": 0, "snr_db": None, "max_error": None}
    saved.write_text(json.dumps(told))
    path.with_suffix(".json").unlink()
    assert run("report", path, "--add", saved) == 0  # what this browser lacks is no fault of the file
    assert [p.runtime for p in read_report("test", path.with_suffix(".json")).proofs] == ["browser on Pixel 8"]
    path.with_suffix(".json").write_text("{}")
    assert run("report", path, "--add", saved) == 2
    assert path.with_suffix(".json").read_text() == "{}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sha256": "0" * 64}, "is an answer about another file, 'dense', of sha256 000000000000...: make the page"),
        ({"sha256": 5}, "'sha256' must be str"),
        ({"sha256": "x" * 64}, "'sha256' is none"),
        ({"format": 2}, "no answer of a page of this version"),
        ({"what": "poem"}, "no answer of a page of this version"),
        ({"extra": 1}, "'extra' is not known"),
        ({"device": "x" * 2001}, "longer than 2000 letters"),
        ({"half_floats": 1}, "'half_floats' must be bool"),
        ({"reference": "hearsay"}, "'reference' must be one of"),
        ({"runtimes": []}, "'runtimes' must be of"),
        ({"runtimes": [3]}, "no attribute 'items'"),
        ({"runtimes": {"a": 1}}, "no attribute 'items'"),
        ({"runtime": "cpu"}, "'runtimes' must be of browser and browser-gpu, each once"),
        ({"runtime": "browser-gpu"}, "'runtimes' must be of browser and browser-gpu, each once"),
        ({"verdict": "FINE"}, "'verdict' must be one of"),
        ({"snr_db": float("nan")}, "too large, or none"),
        ({"snr_db": 10**400}, "too large, or none"),
        ({"latency_ms": -1}, "out of its range"),
        ({"samples": 65}, "out of its range"),
        ({"samples": True}, "'samples' must be int"),
        ({"samples": 0}, "PROVEN on no samples"),
        ({"first_ms": -1}, "out of its range"),
        ({"max_error": None}, "PROVEN on no samples"),
        ({"agreement": 1.5}, "a part of the samples"),
    ],
)
def test_answers_of_strangers_are_checked(made, changes, words):
    with pytest.raises(ValueError, match=words):
        answers.read(json.dumps(answer(made, **changes)).encode(), made.read_bytes())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no JSON"),
        (b"[" * 60_000, "holds no JSON"),
        (b"[1]", "no object of JSON"),
        (b" " * 70_000, "larger than 65,536 bytes"),
    ],
)
def test_what_is_no_answer_is_refused(made, tmp_path, content, words, capsys):
    (tmp_path / "a.json").write_bytes(content)
    assert run("report", made, "--add", tmp_path / "a.json") == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_names_of_devices_are_no_commands_to_a_terminal(made):
    found = answers.read(json.dumps(answer(made, device="\x1b[31mred" * 9, reason="a\nb")).encode(), made.read_bytes())
    assert found.device.startswith("\\x1b[31mred")
    assert len(found.device) == answers.MOST_OF_NAME
    assert answers.proofs_of(found, read_graph(made.read_bytes()))[0].reason == "a\\nb"


# --- the server


@pytest.fixture
def server():
    """A server on this machine, and what came in."""
    came = []

    def accept(body):
        if body == b"bad":
            raise ValueError("is bad")
        return body

    with _serve.Server(b"<p>page", accept, most=100, host="127.0.0.1") as one:
        thread = threading.Thread(target=lambda: came.extend(one.serve(1)))
        thread.start()
        yield one, came
        one.last = 0
        thread.join()


def test_an_address_to_listen_at_is_a_number(made, capsys):
    assert run("serve", made, "--address", "localhost") == 2
    assert "`address` must be one of IPv4 such as 192.168.1.2; got 'localhost'" in capsys.readouterr().err


def test_the_server_stops_by_itself():
    with _serve.Server(b"", bytes, most=1, host="127.0.0.1") as one:
        assert list(one.serve(0.001)) == []


def ask(server, method, path, body=None, headers={}):  # noqa: B006
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", server.server_port, context=context, timeout=10)
    connection.request(method, path, body=body, headers=headers)
    response = connection.getresponse()
    found = response.status, response.read(), dict(response.getheaders())
    connection.close()
    return found


def test_the_server_hands_out_its_page_takes_answers_and_nothing_else(server):
    server, came = server
    path = urlsplit(server.address).path
    status, content, headers = ask(server, "GET", path)
    assert (status, content) == (200, b"<p>page")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Python" not in headers["Server"]
    for other in ("/", path[:-1], path[:-2] + "x/", path + "..", "/etc/passwd", path.upper() + "answer"):
        assert ask(server, "GET", other)[0] == 404
        assert ask(server, "POST", other, b"x")[0] == 404
    assert ask(server, "GET", path + "answer")[0] == 404
    assert ask(server, "PUT", path)[0] == 501
    assert ask(server, "POST", path + "answer", b"fine")[0] == 204
    assert ask(server, "POST", path + "answer", b"bad")[:2] == (400, b"it is bad")
    assert ask(server, "POST", path + "answer", b"x" * 101)[0] == 413
    for length in ("", "-1", "1e9", "9" * 400):
        assert ask(server, "POST", path + "answer", b"", {"Content-Length": length})[0] == 413
    # What is no TLS, and who is silent, stop nobody.
    with (
        socket.create_connection(("127.0.0.1", server.server_port)) as plain,
        socket.create_connection(("127.0.0.1", server.server_port)),
    ):
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert ask(server, "GET", path)[0] == 200
    deadline = time.monotonic() + 5
    while not came and time.monotonic() < deadline:
        time.sleep(0.05)
    assert came == [b"fine"]


def test_the_certificate_is_of_the_address_and_short_lived(server):
    from cryptography import x509

    pem = ssl.get_server_certificate(("127.0.0.1", server[0].server_port))
    certificate = x509.load_pem_x509_certificate(pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= 3
    # A client that trusts this very certificate accepts it.
    context = ssl.create_default_context(cadata=pem)
    connection = http.client.HTTPSConnection("127.0.0.1", server[0].server_port, context=context, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().status == 404
    connection.close()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "segno", None)
    with pytest.raises(ImportError, match=r"pip install 'keraslayers\[serve\]'"):
        _serve.qr_code("https://x/")


@needs_browser
def test_a_page_that_is_served_sends_its_answer(made, tmp_path, monkeypatch, capfd):
    """The whole way: the command, a browser that opens the address as a phone does, and the report."""
    path, addresses, seen = copied(made, tmp_path), [], {}
    real = _serve.Server.serve

    def visited(server, minutes):
        addresses.append(server.address)
        thread = threading.Thread(target=visit, args=(server.address,))
        thread.start()
        for each in real(server, 1):
            thread.join()
            yield each
            return

    def visit(address):
        flags = ("--ignore-certificate-errors", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        with chromium.Chromium(*chromium.SOFTWARE_GPU, *flags) as tab:
            tab.call("Fetch.disable")  # what is asked for goes out
            tab.call("Emulation.setUserAgentOverride", userAgent=ANDROID)
            tab.open(address)
            tab.evaluate(READY)
            seen["sent"] = tab.evaluate("document.querySelector('#sent').textContent")
            seen["secure"] = tab.evaluate("isSecureContext")

    monkeypatch.setattr(_serve.Server, "serve", visited)
    words = ["serve", path, "--samples", made.with_suffix(".npy"), "--address", "127.0.0.1"]
    assert run(*words) == 0
    shown = capfd.readouterr()
    assert addresses[0] in shown.out
    assert "Pixel 8" in shown.out
    assert seen == {"sent": "The answer arrived.", "secure": True}
    report = read_report("test", path.with_suffix(".json"))
    assert {proof.runtime: str(proof.verdict) for proof in report.proofs} == {
        "cpu": "PROVEN",
        "browser on Pixel 8": "PROVEN",
        "browser-gpu on Pixel 8": "PROVEN",
    }
    assert "Chrome 141" in report.proof("browser on Pixel 8").device
