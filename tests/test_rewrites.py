"""The law of rewrites, over every row of `tests/rewrite_cases`, and what holds for all of them together."""

import numpy as np
import pytest

from keraslayers.export import TARGETS, Target, prove
from keraslayers.export.file import edit
from keraslayers.export.file.graph import read_graph
from keraslayers.export.rewrites import REWRITES
from keraslayers.export.rewrites.rewrite import rewrite
from tests.export_models import needs_browser, needs_gpu
from tests.file_tools import inputs_of, run, shapes
from tests.rewrite_cases import CASES
from tests.rewrite_cases.stays import NEAREST

IN_16_BITS = Target("16 bits", ("gpu-fp16", "cpu"), "a GPU in 16-bit floats")
CHANGED = [case for case in CASES if not case.stays]
# What the GPU gets wrong, and of what it refuses two rows of each rewrite: each takes seconds.
OF_THE_GPU = [case for case in CHANGED if case.runtime == "gpu"]
ON_GPU = [
    case
    for case in OF_THE_GPU
    if case.without == "WRONG" or case in [each for each in OF_THE_GPU if each.rewrite == case.rewrite][:2]
]
LOST_IN_16_BITS = [case for case in CHANGED if case.runtime == "gpu-fp16" and case.without == "WRONG"]


def rewritten(blob, *names):
    """The file after some rewrites, and the count of changes in each of two runs."""
    counts = []
    for _ in range(2):
        file = edit.read(blob)
        places = [
            place for graph in file.entrances() for name in names or REWRITES for place in REWRITES[name][0](graph)
        ]
        counts.append(len(places))
        file.sweep()
        blob = file.write() if places else blob
    return blob, counts


@pytest.mark.parametrize("case", CHANGED, ids=lambda case: case.id)
def test_outputs_stay(case):
    before = case.make()
    after, (first, second) = rewritten(before, case.rewrite)
    assert first > 0
    assert second == 0, "a second run changes nothing"
    given = inputs_of(before)
    taken = edit.read(after).main.inputs
    results = run(after, *(x.reshape(t.shape).astype(t.dtype) for x, t in zip(given, taken, strict=True)))
    for wanted, got in zip(run(before, *given), results, strict=True):
        got = got.reshape(wanted.shape).astype(wanted.dtype) if case.borders else got
        assert (wanted.shape, wanted.dtype) == (got.shape, got.dtype)
        if case.within:
            assert np.max(np.abs(got - wanted)) <= case.within * np.max(np.abs(wanted))
        elif case.exact and not case.steps:
            np.testing.assert_array_equal(got, wanted)
        elif wanted.dtype.kind == "f":
            # Sums in another order: some units of the last place of the largest.
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-6 * np.abs(wanted).max())
        else:
            assert np.max(np.abs(got.astype("int64") - wanted)) <= case.steps


@pytest.mark.parametrize("case", CHANGED, ids=lambda case: case.id)
def test_what_stands_between_has_the_shape_that_the_file_says(case):
    """Kernels work shapes out anew; the GPU, and whoever reads the file, goes by what it says."""
    after = rewritten(case.make(), case.rewrite)[0]
    file = edit.read(after)
    given = inputs_of(case.make())
    given = [x.reshape(t.shape).astype(t.dtype) for x, t in zip(given, file.main.inputs, strict=True)]
    found = shapes(after, *given)
    told = dict(enumerate(file.tensors[: len(found)]))
    wrong = [
        (told[number], shape)
        for number, shape in found.items()
        if number in told and told[number].maker in file.main.operators and told[number].shape != shape
    ]
    assert wrong == []


@pytest.mark.parametrize("case", CHANGED, ids=lambda case: case.id)
def test_names_and_signature_stay(case):
    before = edit.read(case.make())
    after = edit.read(rewritten(case.make(), case.rewrite)[0])
    for old, new in zip(before.signatures, after.signatures, strict=True):
        assert (old.key, list(old.inputs), list(old.outputs)) == (new.key, list(new.inputs), list(new.outputs))
        # What two names stood for has two places now, one for each.
        assert [*new.outputs.values()] == new.graph.outputs
    for side in ("inputs", "outputs"):
        for old, new in zip(getattr(before.main, side), getattr(after.main, side), strict=True):
            assert old.name == new.name
            if case.borders:
                assert old.size == new.size
            else:
                assert (old.shape, old.dtype) == (new.shape, new.dtype)
            assert (old.scale, old.zero_point) == (new.scale, new.zero_point)


@pytest.mark.parametrize("case", [case for case in CASES if case.stays], ids=lambda case: case.id)
def test_what_stays(case):
    assert rewritten(case.make(), case.rewrite)[1] == [0, 0]


@pytest.mark.parametrize(("name", "make"), NEAREST, ids=[name for name, _ in NEAREST])
def test_what_stays_is_next_to_what_is_changed(name, make):
    assert rewritten(make(), name)[1][0] == 1


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("case", ON_GPU, ids=lambda case: case.id)
def test_what_was_refused_is_proven(case):
    """With every rewrite of the target, as one leaves things to the next."""
    before = case.make()
    assert prove(before, runtimes="gpu").proofs[0].verdict.name == case.without
    after, _ = rewrite(before, TARGETS["gpu"], "int8" if read_graph(before).integer else "float32")
    report = prove(after, runtimes="gpu")  # test_outputs_stay runs it on the CPU
    assert report.proofs[0].verdict.name == "PROVEN", report


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("case", LOST_IN_16_BITS, ids=lambda case: case.id)
def test_what_16_bits_lost_is_proven(case):
    before = case.make()
    x = np.random.default_rng(0).normal(size=(16, *read_graph(before).inputs[0].shape[1:])).astype("float32")
    assert prove(before, runtimes="gpu-fp16", samples=x).proofs[0].verdict.name == case.without
    after, _ = rewrite(before, IN_16_BITS, "float32")
    report = prove(after, runtimes=IN_16_BITS.runtimes, samples=x)
    assert [proof.verdict.name for proof in report.proofs] == ["PROVEN", "PROVEN"], report


@needs_browser
@pytest.mark.parametrize("runtime", ["browser", "browser-gpu"])
def test_what_a_page_does_not_take_is_proven(runtime):
    """Those of the browser in one file each: a browser is slow to start."""
    for case in (case for case in CHANGED if case.runtime == runtime):
        before = case.make()
        assert prove(before, runtimes=runtime).proofs[0].verdict.name == case.without
        after, _ = rewrite(before, TARGETS[runtime], "float32")
        assert prove(after, runtimes=runtime).ok


@pytest.mark.sweep
@pytest.mark.parametrize("case", [case for case in CHANGED if case.runtime == "cpu"], ids=lambda case: case.id)
def test_what_was_cut_in_pieces_is_whole(case):
    before = case.make()
    after, _ = rewrite(before, TARGETS["cpu"], "int8" if read_graph(before).integer else "float32")
    proofs = [prove(blob, runtimes="cpu").proofs[0] for blob in (before, after)]
    assert [proof.verdict.name for proof in proofs] == [case.without, "PROVEN"]
    assert proofs[0].delegated < proofs[0].operators
    assert (proofs[1].delegated, proofs[1].partitions) == (proofs[1].operators, 1)


def test_every_rewrite_has_a_row_and_every_row_a_rewrite():
    assert {case.rewrite for case in CHANGED} == set(REWRITES)


@pytest.mark.parametrize("name", REWRITES)
def test_docstrings_show_what_is_given_and_what_results(name):
    doc = REWRITES[name][0].__doc__
    assert "Given:" in doc
    assert "Result:" in doc


def test_some_target_wants_it():
    wants, targets = [wants for _, wants in REWRITES.values()], [*TARGETS.values(), IN_16_BITS]
    assert all(any(want(target, "float32") or want(target, "int8") for target in targets) for want in wants)
