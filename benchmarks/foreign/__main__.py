"""Converts networks by other tools, proves their files as they are, and repairs them: `make bench-foreign`.

Files are kept in benchmarks/files/foreign, results in benchmarks/foreign.json; only what is missing is made and run.
`python -m benchmarks.foreign NAME...` repairs these files anew: `litert_torch-swin`.
"""

import itertools
import json
import subprocess
import sys

import numpy as np
from rich.console import Console

from benchmarks.foreign import FILES, GIVEN, HERE, TOOLS
from benchmarks.foreign.table import write
from benchmarks.others.data import images, signals, tokens
from keraslayers.export import prove, repair
from keraslayers.export.file.graph import read_graph

RESULTS = HERE.with_suffix(".json")
ROOT = HERE.parent.parent
SAMPLES = 8
TIME_LIMIT = 300
# onnx2tf runs every network of images on these, which it looks for under this name before it fetches them.
PICTURES = "calibration_image_sample_data_20x128x128x3_float32.npy"


def main(words):
    console = Console(stderr=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    FILES.mkdir(parents=True, exist_ok=True)
    np.save(FILES / PICTURES, images(128, 128, 3, count=20))
    for name, values in samples().items():
        np.save(FILES / f"{name}.npy", values)
    if not words:
        make(console)
    paths = sorted(FILES.glob("*.tflite"))
    if unknown := set(words) - {path.stem for path in paths}:
        sys.exit(f"no files called {', '.join(sorted(unknown))} in {FILES}")
    for path in paths:
        if path.stem in words or path.stem not in results:
            results[path.stem] = found = judged(path)
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            console.print(f"{path.stem}: gpu {found['before']['gpu'][0]}, repaired {found['after']['gpu'][0]}")
    write(results)


def make(console):
    """Has every network converted by every tool, each in its own process: some of them die."""
    for name in itertools.chain(*GIVEN.values()):
        for tool, (environment, script) in TOOLS.items():
            told = FILES / f"{tool}-{name}.txt"  # what the tool said, of its failures, too
            if told.exists():
                continue
            command = [ROOT / environment / "bin" / "python", HERE / script, FILES, tool, name]
            with console.status(f"{name} by {tool}"), told.open("w") as log:
                try:
                    subprocess.run(command, stdout=log, stderr=log, timeout=TIME_LIMIT, check=False)
                except subprocess.TimeoutExpired:
                    log.write(f"it took more than {TIME_LIMIT} s\n")


def samples():
    """What each network is given, by its name; channels come before places, as PyTorch has them."""
    kinds = {
        "images": np.moveaxis(images(96, 96, 3), -1, 1),
        "waves": np.moveaxis(signals(32, 20), -1, 1),
        "tokens": tokens(200, 16),
    }
    return {name: np.ascontiguousarray(kinds[kind]) for kind, names in GIVEN.items() for name in names}


def judged(path):
    """What became of a file: verdicts as it is and repaired, the rewrites, and its operators."""
    blob = path.read_bytes()
    (entrance,) = (graph := read_graph(blob)).inputs
    values = np.load(FILES / f"{path.stem.split('-')[1]}.npy")[:SAMPLES]
    if values.shape[1:] != tuple(entrance.shape[1:]):
        values = np.moveaxis(values, 1, -1)  # tools may put channels last
    values = values.astype(entrance.dtype) if values.dtype.kind == "i" else values
    before, after = prove(blob, samples=values), repair(blob, samples=values).report
    return {
        "before": {proof.runtime: [str(proof.verdict), proof.reason] for proof in before.proofs},
        "after": {proof.runtime: [str(proof.verdict), proof.reason] for proof in after.proofs},
        "rewrites": {name: len(places) for name, places in after.rewrites.items()},
        "operators": sum(graph.operators.values()),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
