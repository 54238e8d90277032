"""Files of other tools, which the GPU refuses or gets wrong as they are: `repair` makes them PROVEN."""

import re
from pathlib import Path

import numpy as np
import pytest

from keraslayers.export import prove, repair
from tests.export_models import needs_gpu
from tests.file_tools import inputs_of, run

FILES = Path(__file__).parent / "files"
# What the GPU makes of each, and the rewrites that it needs.
WANTED = {
    "litert_torch_grouped": ("WRONG", {"merge_groups"}),
    "litert_torch_involution": ("REJECTED", {"fold_constants", "lower_gather", "narrow_elementwise"}),
    "litert_torch_language": ("REJECTED", {"narrow_transpose", "narrow_slice", "align_ranks"}),
    "litert_torch_mixer_int8": ("REJECTED", {"lower_dense"}),
    "onnx2tf_direct_involution": ("REJECTED", {"fix_sizes", "fold_constants", "lower_gather"}),
    "onnx2tf_direct_yolo_anchors": ("REJECTED", {"fix_sizes", "narrow_slice", "narrow_axis"}),
    "onnx2tf_super_resolution_int8": ("REJECTED", {"narrow_transpose"}),
}


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("name", WANTED)
def test_a_file_of_another_tool_is_mended(name):
    before, rewrites = WANTED[name]
    path = FILES / f"{name}.tflite"
    proofs = prove(path, ("cpu", "gpu")).proofs
    assert {proof.runtime: proof.verdict.name for proof in proofs} == {"cpu": "PROVEN", "gpu": before}
    made = repair(path, target="gpu-fp32")
    assert made.report.ok, made.report
    assert rewrites <= set(made.report.rewrites)
    given = inputs_of(path.read_bytes())
    for was, now in zip(run(path.read_bytes(), *given), run(made.tflite, *given), strict=True):
        # Sums in another order move floats by a few units in the last place; steps of integers by none.
        np.testing.assert_allclose(now, was, rtol=1e-5, atol=1e-5 * np.abs(was).max() if was.dtype == "float32" else 0)


def test_the_page_tells_of_every_file():
    told = set(re.findall(r"^\| `(\w+)` \|", (FILES / "README.md").read_text(), re.MULTILINE))
    assert told == {path.stem for path in FILES.glob("*.tflite")} == set(WANTED)
    assert sum(path.stat().st_size for path in FILES.glob("*.tflite")) < 400_000
