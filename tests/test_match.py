"""The rules of a proof as pages have them, in JavaScript, beside Python's, on the same numbers: the same verdicts."""

import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest

from keraslayers.export.measures import snr_db
from keraslayers.export.proof import match
from keraslayers.export.proof.evidence import limits, rules
from keraslayers.export.report import app_page
from keraslayers.export.runtimes import browser, chromium
from tests.export_models import needs_browser

HARNESS = """<!doctype html><script type="importmap">{"imports": %s}</script><script type="module">
import { judge } from "app/proof.js";
const floats = (text) => new Float64Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
window.verdicts = (cases) => cases.map(({ asked, outputs }) => judge(outputs.map((each) => ({
  ...each, raw: floats(each.raw), expected: each.expected && floats(each.expected),
  meaning: each.meaning && floats(each.meaning),
})), asked));
</script>"""
R = np.random.default_rng(7)


def case(wanted, got, precision="float32", meaning=None, expected=True, rounded=None, most_steps=None, **tensor):
    """What both are asked: of one output, or of several in lists."""
    rounded = precision in ("int8", "int16x8", "dynamic", "int4") if rounded is None else rounded
    several = isinstance(wanted, list)
    wanted, got = ([np.asarray(v, "float64") for v in (each if several else [each])] for each in (wanted, got))
    tensor = {"counted": False, "joined": False, "step": None, **tensor}
    return SimpleNamespace(
        wanted=wanted,
        got=got,
        precision=precision,
        meaning=meaning,
        expected=expected,
        rounded=rounded,
        tensor=tensor,
        most_steps=most_steps,
    )


def features(samples=16, *shape, scale=1.0):
    return R.normal(size=(samples, *(shape or (6, 6, 5)))) * scale


def noisy(values, decibels):
    noise = R.normal(size=values.shape)
    own = values - values.mean(0)
    return values + noise * np.sqrt(np.sum(own**2) / np.sum(noise**2) / 10 ** (decibels / 10))


def changed(values, place, change):
    values = values.copy()
    values[place] = change(values[place])
    return values


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def several():
    x, probabilities = features(), softmax(features(32, 10, scale=3))
    ids = R.integers(0, 4, (16, 6, 6)).astype("float64")
    boxes = np.concatenate([320 + 90 * features(16, 20, 4), softmax(features(16, 20, 2))], -1)
    channel, one = (..., 2), (slice(None), 3, 3, 2)
    for precision in match.LIMITS:
        least = match.LIMITS[precision][0]
        for decibels in (least - 8, least - 1, least + 3, least + 15, 130):
            yield case(x, noisy(x, decibels), precision)
            yield case(probabilities, noisy(probabilities, decibels), precision)
        right = noisy(x, least + 25)
        yield case(x, changed(right, channel, np.zeros_like), precision)
        yield case(x, changed(right, channel, lambda v: 1.05 * v), precision)
        yield case(x, changed(right, channel, lambda v: 1.2 * v), precision)
        yield case(x, changed(right, channel, lambda v: 2 * v), precision)
        yield case(x, changed(right, channel, lambda v: v[::-1]), precision)
        yield case(x, changed(right, slice(0, 2), np.zeros_like), precision)
        yield case(x, changed(right, (0, 0, 0, 0), lambda v: v + 0.3), precision)
        yield case(x, changed(right, (0, 0, 0, 0), lambda v: np.nan), precision)
        yield case(x, changed(right, one, np.zeros_like), precision)
        yield case(probabilities, changed(noisy(probabilities, least + 25), (..., 4), lambda v: 0 * v), precision)
        yield case(
            boxes, changed(boxes + 2 * features(16, 20, 6), (..., slice(4, 6)), np.zeros_like), precision, joined=True
        )
        yield case(boxes, changed(boxes, (..., 5), np.zeros_like), precision)
        yield case([x, probabilities], [noisy(x, 140), changed(probabilities, (..., 1), lambda v: 3 * v)], precision)
        yield case(x[:1], noisy(x[:1], least + 5), precision)
        yield case(x[:1], changed(x[:1], channel, np.zeros_like), precision)
        for off in (0, 3, 30, 90, 250):
            flat = ids.copy().reshape(-1)
            flat[:off] = (flat[:off] + 1) % 4
            yield case(ids, flat.reshape(ids.shape), precision, counted=True)
        yield case(ids, np.where(ids == 3, 2, ids), precision, counted=True)
    for off in (15, 25):  # of a model that trained with rounding
        yield case(
            x, x + 0.01 * off * R.choice([-1, 1], x.shape), "int8", step=0.01, most_steps=match.MAX_TRAINED_STEPS
        )
    flat = features(64, 40)
    yield case(flat, changed(noisy(flat, 40), slice(0, 6), lambda v: v[::-1]), "int4")  # some samples are lost
    huge = changed(flat, 0, lambda v: 60 * v)
    yield case(huge, changed(noisy(huge, 45), slice(1, None), np.zeros_like), "int4")  # all but one are
    large = changed(features(16, 8), 0, lambda v: 1e4 * v)
    yield case(large, changed(large, slice(1, None), np.zeros_like))
    yield case(features(16, 8, scale=1e-9), np.zeros((16, 8)))
    yield case(np.zeros((16, 8)), np.zeros((16, 8)))
    yield case(np.zeros((16, 8)), np.full((16, 8), 1e-4))
    yield case(np.ones((16, 8)), np.ones((16, 8)))
    for step in (0.02, 0.3):  # beside LiteRT's built-in kernels
        meaning = np.round(x / step) * step
        for got in (meaning, meaning + step * R.integers(-3, 4, x.shape), meaning + step * R.integers(-9, 10, x.shape)):
            yield case(x, got, "int8", meaning=meaning, step=step)
            yield case(meaning, got, None, meaning=meaning, expected=False, rounded=True, step=step)
        yield case(x, changed(meaning, channel, lambda v: -v), "int8", meaning=meaning, step=step)
        lost = changed(meaning, channel, np.zeros_like)
        yield case(x, changed(lost, channel, lambda v: v + 5), "int8", meaning=lost, step=step)
    for got in (
        x,
        noisy(x, 100),
        noisy(x, 50),
        changed(x, channel, np.zeros_like),
        changed(x, channel, lambda v: 1.03 * v),
    ):
        yield case(x, got, None, meaning=x, expected=False, rounded=False)
    yield case(ids, np.where(ids == 3, 2, ids), None, meaning=ids, expected=False, rounded=False, counted=True)
    yield case(
        x[:1].repeat(16, 0), x[:1].repeat(16, 0), None, meaning=x[:1].repeat(16, 0), expected=False, rounded=False
    )


CASES = list(several())


def in_python(case):
    """(verdict, its reason, decibels), as `proof._compare` has it."""
    graph = SimpleNamespace(
        integer=case.rounded,
        hybrid=False,
        operators={},
        outputs=[SimpleNamespace(name=f"y{i}", **case.tensor) for i in range(len(case.got))],
    )
    wanted, got = ({f"y{i}": values for i, values in enumerate(each)} for each in (case.wanted, case.got))
    meaning = None if case.meaning is None else {"y0": np.asarray(case.meaning, "float64")}
    with np.errstate(all="ignore"):
        reason = match.fault(got, wanted, meaning, graph, case.precision, plain=False)
        if not reason and case.most_steps:
            off = np.sqrt(np.mean(np.square(got["y0"] - wanted["y0"]))) / case.tensor["step"]
            reason = f"it is {off:.1f} steps of its outputs (rms)" if off > case.most_steps else ""
        nothing = "" if reason or case.expected else match.nothing_said(got, meaning, graph)
        ratios = [ratio for key in got if (ratio := snr_db(wanted[key], got[key])) is not None and np.isfinite(ratio)]
    return "WRONG" if reason else "UNTESTED" if nothing else "PROVEN", reason or nothing, min(ratios, default=None)


def for_page(case):
    packed = lambda values: base64.b64encode(np.asarray(values, "<f8").tobytes()).decode()  # noqa: E731
    outputs = [
        {"name": f"y{i}", "shape": wanted.shape, "scale": None, "zero_point": None, "raw": packed(got), **case.tensor}
        | {
            "expected": packed(wanted) if case.expected else None,
            "meaning": None if case.meaning is None else packed(case.meaning),
        }
        for i, (wanted, got) in enumerate(zip(case.wanted, case.got, strict=True))
    ]
    asked = {
        "samples": len(case.got[0]),
        "precision": case.precision,
        "limits": case.precision and limits(case.precision),
        "expected": case.expected,
        "rounded": case.rounded,
        "drawn": False,
        "made_up": False,
        "most_steps": case.most_steps,
        "untested": "",
        "rules": rules(),
    }
    return {"asked": asked, "outputs": outputs}


@needs_browser
def test_pages_judge_as_python_does():
    folder = browser.packages()
    files = {browser.CORE: folder / browser.CORE, browser.UTILITIES: folder / browser.UTILITIES}
    scripts = {f"app/{path.name}": path for path in (browser.HERE / "calls.js", *app_page.HERE.glob("*.js"))}
    imports = {browser.PACKAGE: f"./{browser.CORE}", "@litertjs/wasm-utils": f"./{browser.UTILITIES}", "app/": "./app/"}
    with chromium.Chromium(files={**files, **scripts, "": (HARNESS % json.dumps(imports)).encode()}) as tab:
        tab.open()
        found = tab.evaluate(f"verdicts({json.dumps([for_page(case) for case in CASES])})")
    known = [in_python(case) for case in CASES]
    kinds = {verdict for verdict, *_ in known}
    assert kinds == {"PROVEN", "WRONG", "UNTESTED"}
    for number, (case, (verdict, reason, ratio), here) in enumerate(zip(CASES, known, found, strict=True)):
        where = f"case {number}, {case.precision}: {reason!r}, in the page {here}"
        assert here["verdict"] == verdict, where
        # The same rule caught it: they begin with the same words up to the first number.
        assert here["reason"].split(" is off by")[0][:20] == reason.split(" is off by")[0][:20], where
        if ratio is not None and verdict != "UNTESTED":
            assert here["snr_db"] == pytest.approx(ratio, abs=1e-6), where
