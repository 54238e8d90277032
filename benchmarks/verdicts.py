"""Writes the table of layers into the README, from what each layer does on the runtimes: `make table-layers`.

Each layer stands in the small network of the export law, with the options of its first row in tests/cases.py;
`DeformableConv2D` with those of the first row that bounds its offsets, as phones want them.
"""

import inspect
import re
from collections import Counter

from rich.progress import track

import keraslayers
from benchmarks.readme import write_block
from keraslayers.export import to_tflite
from tests.cases import CASES, PooledAndBack
from tests.test_export_layers import network

PRECISIONS = ("float32", "int8")
# What the rows of cases.py stand for that are no layers of ours.
PAIRS = {PooledAndBack: (keraslayers.MaxPoolWithIndices2D, keraslayers.MaxUnpool2D)}


def main():
    first = {}
    for case in CASES:
        if case.layer is not keraslayers.DeformableConv2D or case.options.get("max_offset"):
            first.setdefault(case.layer, case)
    lines = [
        "| layer | what it is | paper | cpu float32 | cpu int8 | gpu float32 | gpu int8 |",
        "|---|---|---|---|---|---|---|",
    ]
    for layer in track(sorted(first, key=lambda layer: layer.__name__), "proving the layers"):
        case = first[layer]
        reports = [
            to_tflite(network(case), target="gpu", precision=precision, samples=case.inputs(32)).report
            for precision in PRECISIONS
        ]
        verdicts = [verdict(report.proof(runtime)) for runtime in ("cpu", "gpu") for report in reports]
        shown = PAIRS.get(layer, (layer,))
        name = ", ".join(f"`{each.__name__}`" for each in shown)
        name += " with `max_offset`" if case.options.get("max_offset") else ""
        lines.append(f"| {name} | {summary(shown[-1])} | {paper(shown[0])} | {' | '.join(verdicts)} |")
    print(Counter(re.findall("PROVEN|WRONG|REJECTED|UNTESTED", "\n".join(lines))))
    write_block("layers", "\n".join(lines) + "\n")


def verdict(proof):
    """The verdict; with the operators that the accelerator left to the built-in kernels, if any."""
    left = (proof.operators or 0) - (proof.delegated or 0)
    return f"{proof.verdict}, {left} left out" if proof.samples and left else str(proof.verdict)


def summary(layer):
    """The first sentence of the docstring."""
    text = inspect.cleandoc(layer.__doc__).split("\n\n")[0]
    return " ".join(text.split()).rstrip(".")


def paper(layer):
    """The first source that the docstring names."""
    source = " ".join(inspect.getdoc(layer).split("Source: ")[-1].split())
    found = re.search(r"arXiv:\d+\.\d+|doi:\S+", source)
    first = source.split(",")[0]
    return f"{first}, {found[0].rstrip(',.')}" if found else first


if __name__ == "__main__":
    main()
