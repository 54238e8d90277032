"""What became of the models, as a table on the page of benchmarks and as a line on the front page."""

from pathlib import Path

from benchmarks.others import KINDS, WAYS
from benchmarks.readme import README, machine, write_block

PAGE = Path(__file__).parent.with_name("README.md")
TITLE = "Models that nobody here wrote"
NAMES = {"stock": "stock", "keras_export": "keras export", "float32": "ours", "int8": "ours, int8"}
NOTE = (
    "Small networks built from the configurations of packages, and in the style of the examples on keras.io, with "
    "random weights and the averages of their samples in every normalization. Stock is a bare `TFLiteConverter` of a "
    "function with a batch of 1; keras export is `keras.Model.export(format='litert')`; ours are files of "
    "`to_tflite`, in floats for `target='gpu'`, in 32 bits and in 16, and in int8 for `target='cpu'`. Every file is "
    "compared with the Keras model, but those of keras export, whose sizes and names are open: with LiteRT's built-in "
    "kernels. PROVEN where all of it ran on that runtime and every output matches; UNTESTED where a file leaves more "
    "open than its batch, so that nothing says at which sizes to run it."
)

FRONT = (
    "The same for {} [models that nobody here wrote](benchmarks/README.md#models-that-nobody-here-wrote): of "
    "keras-hub, kimm, zeromodels, k3im, kyolo, keras-tcn, keras-rs and others, and in the style of the examples on "
    "keras.io. `make bench-models` counts how many files are proven, of the stock converter and of `to_tflite`:"
)


def write(keys, results, pages=(PAGE, README)):
    page, front = pages
    made = f"`make bench-models` on {machine()}."
    parts = [f"## {TITLE}", made, summary(keys, results), table(keys, results), NOTE, *reasons(keys, results)]
    write_block("others", "\n" + "\n\n".join(parts) + "\n\n", page)
    write_block("others", f"{FRONT.format(len(keys))}\n\n{summary(keys, results)}\n", front)


def columns():
    """(way, runtime) of each column of verdicts."""
    return [(way, runtime) for way, runtimes in WAYS.items() for runtime in runtimes]


def table(keys, results):
    heads = [f"{NAMES[way]}, {runtime}" for way, runtime in columns()]
    lines = [["model", "parameters", *heads], ["---", "--:", *["---"] * len(heads)]]
    for kind in KINDS:
        for key in (key for key in keys if key.startswith(f"{kind}/")):
            found = results.get(key, {})
            parameters = max((way.get("parameters", 0) for way in found.values()), default=0)
            verdicts = [verdict(found, *column) for column in columns()]
            lines.append([f"`{key}`", f"{parameters:,}" if parameters else "", *verdicts])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict(found, way, runtime):
    return found.get(way, {"proofs": {}})["proofs"].get(runtime, {"verdict": "not run"})["verdict"]


def summary(keys, results):
    told = []
    for way, runtime in columns():
        verdicts = [verdict(results.get(key, {}), way, runtime) for key in keys]
        told.append(f"| {NAMES[way]}, {runtime} | {' | '.join(str(verdicts.count(word)) for word in WORDS)} |")
    head = f"| of {len(keys)} models | {' | '.join(WORDS)} |\n|---|{'--:|' * len(WORDS)}"
    return "\n".join([head, *told])


WORDS = ("PROVEN", "WRONG", "REJECTED", "UNTESTED", "no file", "not run")


def reasons(keys, results):
    """Why ours are not PROVEN, where they are not."""
    for key in keys:
        for way in ("float32", "int8"):
            for runtime, proof in results.get(key, {}).get(way, {}).get("proofs", {}).items():
                if proof["verdict"] != "PROVEN":
                    yield f"`{key}`, {NAMES[way]}, {runtime}: {proof['verdict']}: {proof['reason']}."
