"""What rewrites for 16-bit floats know of the numbers: what samples show, and what files of float16 hold."""

import numpy as np
import pytest

from keraslayers.export import prove, repair
from keraslayers.export.file import edit
from keraslayers.export.file.graph import read_graph
from keraslayers.export.rewrites import REWRITES
from keraslayers.export.rewrites.rewrite import rewrite
from keraslayers.export.runtimes import cpu
from tests.file_tools import Made
from tests.rewrite_cases.sixteen_bits import ROWS, averaged, centered, file, number, scores, softplus
from tests.test_rewrites import IN_16_BITS


def samples(by=1.0):
    return by * np.random.default_rng(0).normal(size=(8, *ROWS)).astype("float32")


def done(blob, inputs=None):
    return set(rewrite(blob, IN_16_BITS, "float32", inputs)[1])


@pytest.mark.parametrize(
    ("step", "name", "small", "large"),
    [
        (centered(), "scale_squares", 1, 300),
        (centered(epsilon=1e-6), "scale_squares", 1, 1e-3),  # too small, too
        (softplus(), "shift_exponentials", 1, 10),
        (scores(), "scale_before_product", 1, 100),
    ],
)
def test_what_samples_show_to_be_in_range_is_left_alone(step, name, small, large):
    blob = file(ROWS, step)()
    assert name in done(blob)
    assert name not in done(blob, {"x": samples(small)})
    assert name in done(blob, {"x": samples(large)})


def test_an_epsilon_of_size_keeps_small_squares():
    assert "scale_squares" not in done(file(ROWS, centered(epsilon=1e-3))(), {"x": samples(1e-3)})


def test_numbers_are_measured_once_and_only_if_a_rewrite_asks(monkeypatch):
    asked, measure = [], cpu.ranges
    monkeypatch.setattr(cpu, "ranges", lambda *args: asked.append(args) or measure(*args))
    done(file((1, 8, 24, 4), averaged())(), {"x": np.ones((2, 1, 8, 24, 4), "float32")})
    assert asked == []
    done(file(ROWS, centered(), softplus())(), {"x": samples()})
    assert len(asked) == 1


def test_ranges_are_those_of_the_numbers():
    made = Made()
    x = made.input(ROWS)
    y = made.new("MUL", (x, number(made, -3.0)), ROWS)
    blob = made.done(made.new("ABS", (y,), ROWS))
    given = samples()
    graph = edit.read(blob)
    place = next(i for i, tensor in enumerate(graph.tensors) if tensor.name == y.name)
    low, high = cpu.ranges(blob, read_graph(blob), {"x": given})[place]
    np.testing.assert_allclose((low, high), (-3 * given.max(), -3 * given.min()), rtol=1e-6)


def test_constants_of_float16_are_constants():
    """As in files whose weights have 16 bits."""
    made = Made()
    x = made.input((1, 32, 32, 4))
    total = made.new("SUM", (x, made.integers([1, 2])), (1, 1, 1, 4), keepDims=True)
    stored = made.constant(np.float16([1 / 1024]))
    factor = made.new("DEQUANTIZE", (stored,), (1,), "float32")
    blob = made.done(made.new("MUL", (total, factor), (1, 1, 1, 4)))
    graph = edit.read(blob).main
    assert REWRITES["average_sums"][0](graph)
    graph.sweep()
    assert [operator.name for operator in graph.operators] == ["MEAN"]


def test_repair_mends_a_foreign_file_by_what_its_samples_show():
    blob = file(ROWS, centered(root="SQRT", again=True))()
    wide = samples(2000)[:, 0]
    assert str(prove(blob, runtimes="gpu-fp16", samples=wide).proofs[0].verdict) == "WRONG"
    report = repair(blob, target=IN_16_BITS, samples=wide).report
    assert [str(proof.verdict) for proof in report.proofs] == ["PROVEN", "PROVEN"]
    assert "scale_squares" in report.rewrites
