"""What pages found on the devices that opened them: read with care, as strangers write it, and put into reports."""

import hashlib
from dataclasses import dataclass, replace

from keraslayers._printable import printable
from keraslayers.export.proof.evidence import MOST_SAMPLES
from keraslayers.export.proof.proof import Proof, Verdict, arithmetic_of
from keraslayers.export.report.read import parsed, parsed_bytes, record

# Of `answer.js`.
WHAT, FORMAT = "keraslayers answer", 1
# Of an answer, of each text in it, and of the names that tables show.
MOST_BYTES, MOST_LETTERS, MOST_OF_NAME = 2**16, 2000, 40
LARGEST = 1e30
RUNTIMES = ("browser", "browser-gpu")
REFERENCES = ("the Keras model", "LiteRT's built-in kernels", "")


@dataclass(frozen=True)
class Found:
    """What a file did on one runtime of a device; as in `Proof`, `first_ms` is the milliseconds of the first call."""

    runtime: str
    verdict: str
    reason: str
    snr_db: float | None
    max_error: float | None
    agreement: float | None
    samples: int
    first_ms: float | None
    latency_ms: float | None


@dataclass(frozen=True)
class Answer:
    """What a page found on the device that it was opened on.

    Attributes:
        what, format: `WHAT` and `FORMAT`.
        file: what the page called the file.
        sha256: of the file.
        device, browser: what they are called, as far as the browser tells.
        user_agent: all that it says of itself.
        gpu: its name; empty where pages get none.
        half_floats: whether the GPU has 16-bit floats for pages that ask for these; the proof asks for 32.
        litert_js: version of LiteRT.js.
        reference: what the numbers were compared with.
        runtimes: a `Found` each.
    """

    what: str
    format: int
    file: str
    sha256: str
    device: str
    browser: str
    user_agent: str
    gpu: str
    half_floats: bool
    litert_js: str
    reference: str
    runtimes: tuple[Found, ...]


def load(who, path, blob):
    """The answer in a file; for what is raised see `read`."""
    try:
        return checked(parsed(who, path, MOST_BYTES), blob)
    except ValueError as error:
        words = str(error)
        raise ValueError(words if words.startswith(f"`{who}`") else f"`{who}`: {str(path)!r} {words}") from None


def read(content, blob):
    """The answer in bytes of JSON.

    Args:
        content: what a page wrote.
        blob: the file that it must be of.

    Raises:
        ValueError: which says what it is instead.
    """
    return checked(parsed_bytes(content, MOST_BYTES), blob)


def checked(told, blob):
    """The answer that an object of JSON is; raises a ValueError that says why it is none, or of another file."""
    if told.get("what") != WHAT or told.get("format") != FORMAT:
        raise ValueError(f"is no answer of a page of this version (what: {WHAT!r}, format: {FORMAT})")
    try:
        answer = record(Answer, {**told, "runtimes": [record(Found, each) for each in told["runtimes"]]})
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"is no answer of a page: {error}") from None
    if fault := _fault(answer):
        raise ValueError(f"is no answer of a page: {fault}")
    if answer.sha256 != hashlib.sha256(blob).hexdigest():
        raise ValueError(
            f"is an answer about another file, {printable(answer.file)!r}, of sha256 {answer.sha256[:12]}...: make the "
            "page of this file by `keraslayers page`, and open that"
        )
    return replace(
        answer, device=printable(answer.device)[:MOST_OF_NAME], browser=printable(answer.browser)[:MOST_OF_NAME]
    )


def _fault(answer):
    names = [each.runtime for each in answer.runtimes]
    texts = [value for each in (answer, *answer.runtimes) for value in vars(each).values() if isinstance(value, str)]
    numbers = [value for each in answer.runtimes for value in vars(each).values() if isinstance(value, float | int)]
    if max(map(len, texts)) > MOST_LETTERS:
        return f"a text is longer than {MOST_LETTERS} letters"
    if not names or len(set(names)) < len(names) or not set(names) <= set(RUNTIMES):
        return f"'runtimes' must be of {' and '.join(RUNTIMES)}, each once"
    if not all(abs(number) <= LARGEST for number in numbers):
        return "a number is too large, or none"
    if answer.reference not in REFERENCES:
        return f"'reference' must be one of {REFERENCES}"
    if len(answer.sha256) != 64 or set(answer.sha256) - set("0123456789abcdef"):
        return "'sha256' is none"
    for each in answer.runtimes:
        if each.verdict not in list(Verdict):
            return f"'verdict' must be one of {', '.join(Verdict)}"
        positive = [each.max_error, each.first_ms, each.latency_ms, each.agreement, each.samples]
        if min(value for value in positive if value is not None) < 0 or each.samples > MOST_SAMPLES:
            return "a number is out of its range"
        if each.agreement is not None and each.agreement > 1:
            return "'agreement' is a part of the samples"
        if each.verdict == Verdict.PROVEN and (not each.samples or each.max_error is None):
            return "it is PROVEN on no samples"
    return ""


def proofs_of(answer, graph):
    """A `Proof` for each runtime of an answer; where one was tested, the others that were not are left out.

    Args:
        answer: an `Answer`.
        graph: what `read_graph` says of the file.
    """
    tested = [each for each in answer.runtimes if each.verdict != Verdict.UNTESTED] or answer.runtimes
    where = f"LiteRT.js {answer.litert_js}, {answer.browser}, {answer.user_agent}"
    halves = "; it has 16-bit floats, too" if answer.half_floats else ""
    by = {"browser": "WebAssembly, 1 thread", "browser-gpu": f"{answer.gpu or 'WebGPU'}{halves}"}
    return tuple(
        Proof(
            f"{each.runtime} on {answer.device}",
            Verdict(each.verdict),
            printable(each.reason),
            arithmetic=arithmetic_of(each.runtime, graph),
            delegated=graph.total if each.runtime == "browser-gpu" and each.samples else None,
            operators=graph.total,
            partitions=1 if each.runtime == "browser-gpu" and each.samples else None,
            max_error=each.max_error,
            snr_db=each.snr_db,
            agreement=each.agreement,
            latency_ms=each.latency_ms,
            device=printable(f"{by[each.runtime]}, {where}"),
            reference=answer.reference,
            samples=each.samples,
        )
        for each in tested
    )


def added(report, answers, graph):
    """A report with answers of devices as runtimes of their own; what the same device said before is replaced."""
    proofs = {proof.runtime: proof for proof in report.proofs}
    for answer in answers:
        for proof in proofs_of(answer, graph):
            name, number = proof.runtime, 1
            while name in proofs and proofs[name].device != proof.device:  # another device of that name
                number += 1
                name = f"{proof.runtime} ({number})"
            proofs[name] = replace(proof, runtime=name)
    return replace(report, proofs=tuple(proofs.values()))
