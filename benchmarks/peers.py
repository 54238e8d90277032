"""Our int8 files beside those of the other tools: `make bench-peers`.

Each network runs in a process of its own; results are kept in benchmarks/peers.json, and only what is missing there is
run. `python -m benchmarks.peers NETWORK...` runs these anew, `--part files` what is measured on the CPU alone,
`--part gpus` the verdicts of GPUs alone.
"""

import json
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks import plots, timing
from benchmarks.child import in_a_child
from benchmarks.models import pictures, settle
from benchmarks.readme import machine, write_block
from benchmarks.stock import ours
from benchmarks.tasks import stock

RESULTS = Path(__file__).with_name("peers.json")
PAGE = Path(__file__).with_name("README.md")
TOOLS = ("tensorflow", "keras", "ai-edge-litert", "litert-quantizer")
TITLE = "Int8 beside the other tools"
NETWORKS = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "mobilenet_v4_conv_s",
    "efficientnet_b0",
    "efficientnet_lite0",
    "efficientnet_v2_b0",
    "mnasnet_b1",
    "ghostnet",
    "pp_lcnet",
    "shufflenet_v2",
    "squeezenet",
    "regnet_y_200mf",
    "resnet18",
    "resnet50",
    "densenet121",
    "convnext_atto",
    "mobilevit_xxs",
    "vit_ti16",
    "mixer_s32",
)
# The algorithms of litert-quantizer, as it calls them, and in which columns the table has them; of time and pieces the
# first stands for all.
SHORT = {"MIN_MAX_UNIFORM_QUANT": "min-max", "MSE": "MSE", "OCTAV": "OCTAV"}
ALGORITHMS = tuple(SHORT)
OURS, STOCK = "ours", "stock"
WAYS = (OURS, STOCK, *ALGORITHMS)
# Whose files are run on GPUs, and on which: drivers in software take minutes to compile a network for 16 bits.
JUDGED, GPUS = (OURS, STOCK), ("gpu", "gpu-fp16")
PARTS = FILES, VERDICTS = "files", "gpus"
SIDE, SAMPLES, IMAGES = 160, 32, 64
SECONDS = 6.0
COLUMNS = (
    "network",
    "ms",
    "of stock's",
    "of litert-quantizer's",
    "dB",
    "stock",
    *SHORT.values(),
    "pieces",
    "gpu",
    "in 16 bits",
    "KB",
    "export s",
)
NOTE = (
    f"Networks of `keraslayers.models`, {SIDE}x{SIDE} pixels (`vit_ti16` and `mixer_s32` 224), 1,000 classes, with "
    f"weights made as in the table of networks. {SAMPLES} images are samples, of {IMAGES - SAMPLES} others are the "
    "figures. Stock: a bare `TFLiteConverter` with `Optimize.DEFAULT`; min-max, MSE, OCTAV: litert-quantizer's "
    "`static_wi8_ai8` of the stock file in floats, by these algorithms. ms: our file, one thread. Of stock's, of "
    "litert-quantizer's (min-max): the ratio of our time to theirs, the files run in turn. dB: signal over error "
    "against Keras of all outputs, ours first; a dash where a tool refuses. Pieces: into how many parts XNNPACK cuts "
    "the graph. gpu, in 16 bits: the verdicts of our file and of stock's against Keras. KB and seconds of export: ours "
    "without proof and for the GPU, too, of stock's, and of litert-quantizer's with the conversion before it. "
    "litert-quantizer's GPTQ is left out, as it keeps convolutions in floats. What onnx2tf and litert-torch make of "
    "networks is in `make bench-foreign`."
)


def main(chosen, parts=PARTS):
    if unknown := set(chosen) - set(NETWORKS):
        sys.exit(f"no networks called {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in track(chosen or NETWORKS, TITLE):
        found = results.setdefault(name, {})
        for part in parts:
            if not chosen and part in found.get("parts", ()):
                continue
            for way, told in in_a_child("peers", name, part).items():
                found[way] = found.get(way, {}) | told
            found["parts"] = sorted({*found.get("parts", ()), part})
            if part == FILES:
                found["on"] = f"{machine()}; {', '.join(f'{tool} {version(tool)}' for tool in TOOLS)}"
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_block("peers", table(results), PAGE)
    plots.write("peers", PAGE)


def network(name):
    """A network with weights, and its images."""
    import keras

    from keraslayers import models

    keras.utils.set_random_seed(0)
    side = 224 if name.startswith(("vit", "mixer")) else SIDE
    model = models.create(name, input_shape=(side, side, 3), classifier_activation=None)
    x = pictures((side, side, 3), IMAGES)
    settle(model, x[:8])
    return model, x


def made(way, model, x):
    """What we or stock make of a network."""
    if way == STOCK:
        return stock(model, x[:SAMPLES])
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        ours(model, "int8", x[:SAMPLES], file.name)
        return Path(file.name).read_bytes()


def judge(name):
    """What GPUs give, by the name of the tool."""
    from keraslayers import export

    model, x = network(name)
    found = {}
    for way in JUDGED:
        report = export.prove(made(way, model, x), GPUS, samples=x[SAMPLES:][:8], model=model)
        found[way] = {runtime: str(report.proof(runtime).verdict) for runtime in GPUS}
    return found


def measure(name):
    """What each tool makes of a network: by its name milliseconds, decibels, pieces, bytes and seconds."""
    from keraslayers import export
    from keraslayers._quiet import quiet
    from keraslayers.export.measures import snr_db
    from keraslayers.export.predict import predicted

    model, x = network(name)
    wanted = model.predict(x[SAMPLES:], batch_size=8, verbose=0)
    given, spent, files, found = None, 0, {}, {}
    for way in WAYS:
        start = time.perf_counter()
        try:
            if way in JUDGED:
                blob = made(way, model, x)
            else:
                if given is None:
                    given, spent = stock(model), time.perf_counter() - start
                    start = time.perf_counter()
                with quiet():
                    blob = by_the_quantizer(given, way, x[:SAMPLES])
                start -= spent
        except Exception as error:  # of whatever class a tool raises
            if way == OURS:
                raise
            found[way] = {"refused": (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]}
            continue
        files[way] = blob
        found[way] = {"seconds": round(time.perf_counter() - start, 2), "bytes": len(blob)}
        found[way]["snr_db"] = round(float(snr_db(wanted, predicted("peers", blob, x[SAMPLES:]))), 1)
        if way in (OURS, STOCK, ALGORITHMS[0]):
            found[way]["pieces"] = export.prove(blob, ["cpu"], samples=x[:2], model=model).proof("cpu").partitions
    times = timing.interleaved({way: files[way] for way in (OURS, STOCK, ALGORITHMS[0]) if way in files}, SECONDS)
    for way in times:
        found[way]["ms"] = round(float(np.median(times[way])), 3)
        found[way]["ours_over_it"] = round(timing.ratio(times, OURS, way), 3)
    return found


def by_the_quantizer(given, algorithm, samples):
    """What litert-quantizer makes of a file in floats, by one of its algorithms."""
    from ai_edge_litert.interpreter import Interpreter
    from litert_quantizer import quantizer, recipe

    work = quantizer.Quantizer(bytearray(given), recipe.static_wi8_ai8(recipe.AlgorithmName[algorithm]))
    ((key, names),) = Interpreter(model_content=given).get_signature_list().items()
    calls = [{names["inputs"][0]: sample[None]} for sample in samples]
    return bytes(work.quantize(work.calibrate({key: calls})).quantized_model)


def table(results):
    """The page's block, of all that was found so far."""
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    measured = [name for name in NETWORKS if FILES in results.get(name, {}).get("parts", ())]
    for name in measured:
        found = results[name]
        three = [found[way] for way in (OURS, STOCK, ALGORITHMS[0])]
        rows.append(
            [
                f"`{name}`",
                f"{found[OURS]['ms']:.2f}",
                *(or_dash(each, "ours_over_it", "{:.2f}") for each in three[1:]),
                *(or_dash(found[way], "snr_db", "{:.1f}") for way in WAYS),
                ", ".join(or_dash(each, "pieces", "{}") for each in three),
                *(", ".join(or_dash(found[way], runtime, "{}") for way in JUDGED) for runtime in GPUS),
                ", ".join(or_dash(each, "bytes", "{:,.0f}", 1000) for each in three),
                ", ".join(or_dash(each, "seconds", "{:.1f}") for each in three),
            ]
        )
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    on = "; ".join(dict.fromkeys(results[name]["on"] for name in measured))
    picture = f"![{TITLE}, drawn](plots/peers.svg)"
    parts = [f"## {TITLE}", f"`make bench-peers` on {on}.", picture, summary(results), lines, NOTE]
    return "\n" + "\n\n".join(parts) + "\n\n"


def summary(results):
    """What the rows come to, in words."""
    ours = [found[OURS] for found in results.values()]
    best = [max(each["snr_db"] for each in _peers(found) if "snr_db" in each) for found in results.values()]
    gains = [mine["snr_db"] - theirs for mine, theirs in zip(ours, best, strict=True)]
    ratios = [
        max(each["ours_over_it"] for each in _peers(found) if "ours_over_it" in each) for found in results.values()
    ]
    return (
        f"Over {len(ours)} networks our time is {statistics.geometric_mean(ratios):.2f} of the fastest other file's "
        f"(geometric mean), and we are {statistics.mean(gains):+.1f} dB from the truest of them on the average: nearer "
        f"to Keras on {sum(gain > 0 for gain in gains)}, farther on {sum(gain < 0 for gain in gains)}, at worst "
        f"{min(gains):+.1f} dB."
    )


def _peers(found):
    return [found[way] for way in WAYS if way != OURS]


def or_dash(each, key, form, part=1):
    return "-" if each.get(key) is None else form.format(each[key] / part if part != 1 else each[key])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        Path(sys.argv[4]).write_text(json.dumps({FILES: measure, VERDICTS: judge}[sys.argv[3]](sys.argv[2])))
    elif sys.argv[1:2] == ["--part"]:
        main(sys.argv[3:], (sys.argv[2],))
    else:
        main(sys.argv[1:])
