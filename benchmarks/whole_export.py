"""What an export with its proof takes beside the stock converter alone."""

import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks import stock
from benchmarks.child import in_a_child

TITLE = "Export with its proof, against the stock converter alone"
COLUMNS = ("network", "stock, s", "ours, s", "of stock's", "first time", "memory, MB", "memory of stock's")
NOTE = (
    "`to_tflite` in int8 for the CPU, proof and all, against a bare `TFLiteConverter` that proves nothing; networks of "
    f"`keraslayers.models` at their own size, {stock.SAMPLES} samples. Both in turn, five times each in one process: "
    "the medians. First time: the first of ours, which starts the process that converts, over the first of stock's, "
    "which imports the converter. Memory: the most that this process and its children hold in that first time, what "
    "they share counted once."
)
NETWORKS = ("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "resnet50")
ROUNDS = 6  # the first is told apart


def rows():
    for name in NETWORKS:
        found = in_a_child("whole_export", name)
        theirs, ours = (statistics.median(found[way][1:]) for way in WAYS)
        theirs_held, ours_held = (found[f"{way} MB"] for way in WAYS)
        yield (
            f"`{name}`",
            f"{theirs:.1f}",
            f"{ours:.1f}",
            f"{ours / theirs:.2f}",
            f"{found['ours'][0] / found['stock'][0]:.2f}",
            f"{ours_held:.0f}",
            f"{ours_held / theirs_held:.2f}",
        )


def _ours(model, samples):
    from keraslayers import export

    export.to_tflite(model, target="cpu", precision="int8", samples=samples).report.require()


def _theirs(model, samples):
    stock.stock(model, "int8", samples, "/dev/null")


WAYS = {"stock": _theirs, "ours": _ours}


def child(name):
    """By way the seconds of each round, and the megabytes of the first."""
    model, x = stock.network_and_samples(name)
    found = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, export in WAYS.items():
            memory = stock.Memory()
            start = time.perf_counter()
            export(model, x)
            found[way].append(time.perf_counter() - start)
            found.setdefault(f"{way} MB", memory.most())
    return found


if __name__ == "__main__" and sys.argv[1:2] == ["--child"]:
    Path(sys.argv[3]).write_text(json.dumps(child(sys.argv[2])))
