"""Writes the table of layers into `benchmarks/verdicts.md`, from what each does on the runtimes: `make table-layers`.

Each layer stands in the small network of the export law, with the options of its first row in tests/cases.py;
`DeformableConv2D` with those of the first row that bounds its offsets, as phones want them, and of the first that does
not.
"""

import inspect
import re
from collections import Counter

from rich.progress import track

import keraslayers
from benchmarks.readme import write_block
from keraslayers.export import Target, to_tflite
from tests.cases import CASES, DepthwiseByItself, PooledAndBack
from tests.test_export_layers import network

PRECISIONS = ("float32", "int8")
EVERY = Target("every", ("cpu", "gpu", "gpu-fp16", "browser", "browser-gpu"), "phones and web pages")
# An int8 file of free offsets is another layer's: what the samples show bounds them.
FREE = "bounded by the samples"
# What the rows of cases.py stand for that are no layers of ours.
PAIRS = {
    PooledAndBack: (keraslayers.MaxPoolWithIndices2D, keraslayers.MaxUnpool2D),
    DepthwiseByItself: (keraslayers.DynamicDepthwiseConv2D,),
}


def main():
    # By the layer and whether its offsets are bounded, which makes another file.
    first = {}
    for case in CASES:
        first.setdefault((case.layer.__name__, case.options.get("max_offset") is None), case)
    lines = [
        f"| layer | what it is | paper | {' | '.join(EVERY.runtimes)} |",
        f"|---|---|---|{'---|' * len(EVERY.runtimes)}",
    ]
    for key in track(sorted(first), "proving the layers"):
        case = first[key]
        reports = {
            precision: to_tflite(network(case), target=EVERY, precision=precision, samples=case.inputs(32)).report
            for precision in PRECISIONS
            if case.int8 or precision != "int8"
        }
        cells = [_cell(reports, runtime, case.left_out) for runtime in EVERY.runtimes]
        shown = PAIRS.get(case.layer, (case.layer,))
        name = ", ".join(f"`{each.__name__}`" for each in shown)
        name += " with `max_offset`" if case.options.get("max_offset") else ""
        lines.append(f"| {name} | {summary(shown[-1])} | {paper(shown[0])} | {' | '.join(cells)} |")
    print(Counter(re.findall("PROVEN|WRONG|REJECTED|UNTESTED", "\n".join(lines))))
    write_block("layers", "\n".join(lines) + "\n")


def _cell(reports, runtime, left_out):
    """What becomes of the files on a runtime; once where it is the same in both precisions."""
    told = {
        precision: verdict(reports[precision].proof(runtime), left_out.get(precision)) if precision in reports else FREE
        for precision in PRECISIONS
    }
    if len(set(told.values())) == 1:
        return told["float32"]
    return "; ".join(f"{precision} {words}" for precision, words in told.items())


def verdict(proof, reason):
    """The verdict; with the operators that the accelerator left to the built-in kernels and why, if any."""
    left = 0 if proof.delegated is None else proof.operators - proof.delegated
    return f"{proof.verdict}, {left} left out: {reason}" if proof.samples and left else str(proof.verdict)


def summary(layer):
    """The first sentence of the docstring."""
    text = inspect.cleandoc(layer.__doc__).split("\n\n")[0]
    return " ".join(text.split()).rstrip(".")


def paper(layer):
    """The first source that the docstring names: who and when, and the number, if it is this one's."""
    source = " ".join(inspect.getdoc(layer).split("Source: ")[-1].split())
    # Titles stand in quotation marks, and sources are parted by semicolons.
    first = re.sub(r'"[^"]*",? ?', "", source).split(";")[0]
    who = re.match(r"[^,]*\d{4}", first)[0]
    found = re.search(r"arXiv:\d+\.\d+|doi:[^\s,]+", first)
    return f"{who}, {found[0].rstrip('.')}" if found else who


if __name__ == "__main__":
    main()
