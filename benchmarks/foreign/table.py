"""What became of other tools' files, as a table on the page of benchmarks."""

from pathlib import Path

from benchmarks.readme import machine, write_block

PAGE = Path(__file__).parent.with_name("README.md")
TITLE = "Files of other tools"
WORDS = ("PROVEN", "WRONG", "REJECTED")
NOTE = (
    "Networks of torchvision in small, and others written in PyTorch, with random weights and the averages of their "
    "samples in every normalization, converted by litert-torch (int8 by litert-quantizer) and, from ONNX, by onnx2tf: "
    "`onnx2tf` is release 1, which writes files by TensorFlow's converter, `onnx2tf_direct` release 2, which writes "
    "them itself. As it is: the verdicts of `keraslayers.export.prove`; repaired: those of `keraslayers.export.repair` "
    "with `target='gpu'`. What a tool could not convert is missing."
)


def write(results, page=PAGE):
    head = ["file", "operators", "gpu, as it is", "gpu, repaired", "cpu, as it is", "cpu, repaired", "rewrites"]
    lines = [head, ["---", "--:", *["---"] * 5]]
    for name, found in sorted(results.items()):
        verdicts = [found[when][runtime][0] for runtime in ("gpu", "cpu") for when in ("before", "after")]
        rewrites = ", ".join(f"{rewrite} {count}" for rewrite, count in found["rewrites"].items())
        lines.append([f"`{name}`", str(found["operators"]), *verdicts, rewrites])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    made = f"`make bench-foreign` on {machine()}."
    parts = [f"## {TITLE}", made, summary(results), table, NOTE, *reasons(results)]
    write_block("foreign", "\n" + "\n\n".join(parts) + "\n\n", page)


def summary(results):
    told = []
    for runtime in ("gpu", "cpu"):
        for when, words in (("before", "as they are"), ("after", "repaired")):
            verdicts = [found[when][runtime][0] for found in results.values()]
            told.append(f"| {runtime}, {words} | {' | '.join(str(verdicts.count(word)) for word in WORDS)} |")
    return "\n".join([f"| of {len(results)} files | {' | '.join(WORDS)} |\n|---|--:|--:|--:|", *told])


def reasons(results):
    """Why those that are not PROVEN on the GPU in the end are not."""
    for name, found in sorted(results.items()):
        verdict, reason = found["after"]["gpu"]
        if verdict != "PROVEN":
            yield f"`{name}`: {verdict}: {' '.join(reason.split())}."
