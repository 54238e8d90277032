"""How far int8 files are above the least that their operators can take here, and which operators that is."""

import statistics

import keras

from benchmarks.peers import NETWORKS, network
from keraslayers import export
from keraslayers.export import pipeline

TITLE = "How far files are above their floors"
COLUMNS = ("network", "million multiply-adds", "ms", "alone", "floor, ms", "times", "most time in", "times its floor")
NOTE = (
    "int8 files of the networks beside the other tools' above, of the same sizes, on one thread of XNNPACK, by "
    "`keraslayers analyze FILE --profile`, from the worst to the best. ms: of the whole file. Alone: the sum of its "
    "operators, each run as a file of its own, as a part of that. Floor: the sum over the operators of the longer of "
    "their multiply-adds at the rate of large convolutions and their bytes at the rate of additions and products with "
    "vectors, both as LiteRT reached them in the same minute. Most time in: the kind of operator that takes most, and "
    "its part of the sum. Weights are made as in the table of models. No figure is a phone's."
)
SAMPLES = 8
# The last row, of all networks.
MEAN = "geometric mean"


def rows():
    pipeline.BLAME = False
    found = []
    for name in NETWORKS:
        model, x = network(name)
        x = x[:SAMPLES]
        blob = export.to_tflite(model, precision="int8", samples=x).tflite
        found.append((name, export.profile(blob, x)))
        keras.backend.clear_session()
    for name, profile in sorted(found, key=lambda item: -item[1].ratio):
        times, floors = {}, {}
        for row in profile.operators:
            times[row.operator] = times.get(row.operator, 0) + (row.ms or 0)
            floors[row.operator] = floors.get(row.operator, 0) + row.floor_ms
        most = max(times, key=times.get)
        yield (
            f"`{name}`",
            f"{sum(row.multiply_adds or 0 for row in profile.operators) / 1e6:.0f}",
            f"{profile.latency_ms:.2f}",
            f"{profile.ms / profile.latency_ms:.0%}",
            f"{profile.floor_ms:.2f}",
            f"{profile.ratio:.1f}",
            f"{most}, {times[most] / profile.ms:.0%}",
            f"{times[most] / floors[most]:.1f}" if floors[most] else "-",
        )
    ratios = [profile.ratio for _, profile in found]
    yield MEAN, "", "", "", "", f"{statistics.geometric_mean(ratios):.1f}", "", ""
