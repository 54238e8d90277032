"""Files that other tools made: what the GPU refuses is PROVEN after `repair`, and on the CPU it gives the same."""

import pathlib

import numpy as np
import pytest

from keraslayers.export import prove, repair
from keraslayers.export.file import edit
from tests.export_models import needs_gpu
from tests.file_tools import run

FILES = sorted((pathlib.Path(__file__).parent / "files").glob("*.tflite"))


def inputs_of(blob):
    random = np.random.default_rng(1)
    return [
        random.integers(-128, 128, t.shape).astype("int8") if t.dtype == "int8" else random.random(t.shape, "float32")
        for t in edit.read(blob).main.inputs
    ]


@needs_gpu
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_the_gpu_refuses_is_proven(path):
    before = path.read_bytes()
    assert prove(path, "gpu").proof("gpu").verdict == "REJECTED"
    made = repair(path)
    assert made.report.ok, made.report
    assert made.report.rewrites
    assert path.read_bytes() == before
    given = inputs_of(before)
    for wanted, got in zip(run(before, *given), run(made.tflite, *given), strict=True):
        assert got.shape == wanted.shape
        if wanted.dtype.kind == "f":
            # Sums in another order.
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
        else:
            assert np.max(np.abs(got.astype("int32") - wanted)) <= 1


def test_there_are_files_of_several_tools():
    assert {path.stem.split("_")[0] for path in FILES} == {"litert", "onnx2tf"}
