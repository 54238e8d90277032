"""Int8 files of torchvision's networks: by way of our networks, of litert-torch and of onnx2tf: `make bench-torch`.

Each network runs in a process of its own. The other tools' files are kept in benchmarks/files/torch, results in
benchmarks/torch_peers.json; only what is missing there is made and run. `python -m benchmarks.torch_peers NETWORK...`
measures these anew, `--part files` what is measured on the CPU alone, `--part gpus` the verdicts of GPUs alone.
"""

import json
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks import plots, timing
from benchmarks.child import in_a_child
from benchmarks.foreign import HERE as SCRIPTS
from benchmarks.foreign import TOOLS
from benchmarks.models import pictures
from benchmarks.peers import FILES as ON_CPU
from benchmarks.peers import GPUS, IMAGES, PARTS, SAMPLES, SECONDS, SIDE, or_dash
from benchmarks.readme import machine, write_block
from benchmarks.stock import ours

RESULTS = Path(__file__).with_name("torch_peers.json")
FILES = Path(__file__).with_name("files") / "torch"
PAGE = Path(__file__).with_name("README.md")
ROOT = Path(__file__).parent.parent
TITLE = "Torchvision's networks in int8"
# As torchvision calls them.
NETWORKS = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "mnasnet1_0",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "regnet_y_400mf",
    "resnet18",
    "resnet50",
    "densenet121",
    "convnext_tiny",
)
OURS, TORCH, ONNX = "ours", "litert_torch", "onnx2tf"
OTHERS = (TORCH, ONNX)
TIME_LIMIT = 1800
CALLED = {TORCH: "litert-torch", ONNX: "onnx2tf"}
COLUMNS = (
    "network",
    "ms",
    "of litert-torch's",
    "of onnx2tf's",
    "dB",
    *CALLED.values(),
    "pieces",
    "gpu",
    "in 16 bits",
    "KB",
)
NOTE = (
    f"torchvision's own code, {SIDE}x{SIDE} pixels, with weights made as in the table of networks, of {SAMPLES} images "
    f"that are the samples, too; of {IMAGES - SAMPLES} others are the figures. Ours: the network of `models` with "
    "PyTorch's state dict, by `to_tflite`. litert-torch: its file in floats, quantized by litert-quantizer's "
    "`static_wi8_ai8`. onnx2tf: of PyTorch's ONNX file, `integer_quant`. ms: our file, one thread; of the others': the "
    "ratio of our time to theirs, the files run in turn. dB: signal over error against what PyTorch gives, ours first; "
    "a dash where a tool makes no file that LiteRT runs. Pieces: into how many parts XNNPACK cuts the graph; gpu, in "
    "16 bits: the verdicts against LiteRT's built-in kernels on the same file; KB: ours, litert-torch's, onnx2tf's. No "
    "figure is a phone's."
)


def main(chosen, parts=PARTS):
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if unknown := set(chosen) - set(NETWORKS):
        sys.exit(f"no networks called {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    for name in track(chosen or NETWORKS, "networks"):
        found = results.setdefault(name, {})
        for part in parts:
            if not chosen and part in found.get("parts", ()):
                continue
            convert(name)
            for way, told in in_a_child("torch_peers", name, part).items():
                found[way] = found.get(way, {}) | told
            found["parts"] = sorted({*found.get("parts", ()), part})
            if part == ON_CPU:
                tools = [f"{package} {version(package)}" for package in ("tensorflow", "keras", "ai-edge-litert")]
                found["on"] = "; ".join((machine(), ", ".join([*tools, *_theirs()])))
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_block("torch_peers", table(results), PAGE)
    plots.write("torch_peers", PAGE)


def _theirs():
    """The other tools and their versions, as their environments are made of."""
    for tool, file in ((TORCH, "torch.txt"), (ONNX, "onnx2tf.txt")):
        for line in (SCRIPTS / file).read_text().splitlines():
            name, _, number = line.partition("==")
            if name == CALLED[tool] or name == "torchvision":
                yield f"{name} {number}"


def convert(name):
    """Has the other tools make their files of a network, each in its environment; what they say is kept, too."""
    FILES.mkdir(parents=True, exist_ok=True)
    images = np.moveaxis(pictures((SIDE, SIDE, 3), IMAGES), -1, 1)
    np.save(FILES / f"{name}.npy", np.ascontiguousarray(images))
    # onnx2tf runs every network on these, which it would fetch else.
    np.save(FILES / "calibration_image_sample_data_20x128x128x3_float32.npy", pictures((128, 128, 3), 20))
    for tool, more in ((TORCH, ()), (ONNX, ("integer_quant",))):
        environment, script = TOOLS[tool]
        command = [ROOT / environment / "bin" / "python", SCRIPTS / script, FILES, tool, name, str(SAMPLES), *more]
        told = FILES / f"{tool}-{name}.txt"
        if told.exists():
            continue
        with told.open("w") as log:
            try:
                subprocess.run(command, stdout=log, stderr=log, timeout=TIME_LIMIT, check=False)
            except subprocess.TimeoutExpired:
                log.write(f"it took more than {TIME_LIMIT} s\n")


def judge(name):
    """What GPUs give, by the name of the way."""
    from keraslayers import export
    from keraslayers.export.file.graph import read_graph

    found = {}
    for way in (OURS, *OTHERS):
        if (path := _path(way, name)).exists():
            blob = path.read_bytes()
            report = export.prove(blob, GPUS, samples=_images(name, *read_graph(blob).inputs)[SAMPLES:][:8])
            found[way] = {runtime: str(report.proof(runtime).verdict) for runtime in GPUS}
    return found


def _path(way, name):
    return FILES / f"{way}-{name}-int8.tflite"


def _images(name, entrance=None):
    """The images, as a file's input takes them; with channels last where none is given."""
    images = np.load(FILES / f"{name}.npy")
    return images if entrance is not None and entrance.shape[-1] != 3 else np.moveaxis(images, 1, -1)


def measure(name):
    """What each way gives of a network: milliseconds, decibels, pieces and bytes."""
    from keraslayers import export
    from keraslayers.export.file.graph import read_graph
    from keraslayers.export.measures import snr_db
    from keraslayers.export.predict import predicted

    wanted = np.load(FILES / f"{name}-given.npy")
    paths = {way: _path(way, name) for way in (OURS, *OTHERS)}
    model = created(name)
    channels_last = _images(name)
    ours(model, "int8", channels_last[:SAMPLES], paths[OURS])
    files = {way: path.read_bytes() for way, path in paths.items() if path.exists()}
    floats = model.predict(channels_last[SAMPLES:], batch_size=8, verbose=0)
    found = {OURS: {"floats_db": round(float(snr_db(wanted[SAMPLES:], floats)), 1)}}
    for way, blob in list(files.items()):
        x = _images(name, *read_graph(blob).inputs)
        told = found.setdefault(way, {})
        try:
            given = predicted("torch_peers", blob, x[SAMPLES:])
        except RuntimeError as error:  # LiteRT takes not every file that the other tools make
            if way == OURS:
                raise
            told["refused"] = str(error)[:200]
            del files[way]
            continue
        told["bytes"] = len(blob)
        told["snr_db"] = round(float(snr_db(wanted[SAMPLES:], given)), 1)
        told["pieces"] = export.prove(blob, ["cpu"], samples=x[:2]).proof("cpu").partitions
    times = timing.interleaved(files, SECONDS)
    for way in files:
        found[way]["ms"] = round(float(np.median(times[way])), 3)
        found[way]["ours_over_it"] = round(timing.ratio(times, OURS, way), 3)
    return found


def created(name):
    """Our network that torchvision's of that name is, with its weights."""
    from keraslayers import models
    from keraslayers.models import weights

    (builder,) = {
        (published.builder, tuple(sorted(published.options.items())))
        for each in models.names()
        for published in weights.of(models.spec(each).builder.__name__)
        if published.source == "torchvision" and published.name.split(":")[0].lower() == name
    }
    return getattr(models, builder[0])(
        weights=FILES / f"{name}.pth",
        input_shape=(SIDE, SIDE, 3),
        classifier_activation=None,
        **dict(builder[1]),
    )


def table(results):
    """The page's block, of all that was found so far."""
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    measured = [name for name in NETWORKS if name in results]
    for name in measured:
        found = [results[name].get(way, {}) for way in (OURS, *OTHERS)]
        rows.append(
            [
                f"`{name}`",
                f"{found[0]['ms']:.2f}",
                *(or_dash(each, "ours_over_it", "{:.2f}") for each in found[1:]),
                *(or_dash(each, "snr_db", "{:.1f}") for each in found),
                ", ".join(or_dash(each, "pieces", "{}") for each in found),
                *(", ".join(or_dash(each, runtime, "{}") for each in found) for runtime in GPUS),
                ", ".join(or_dash(each, "bytes", "{:,.0f}", 1000) for each in found),
            ]
        )
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    on = "; ".join(dict.fromkeys(results[name]["on"] for name in measured))
    picture = f"![{TITLE}, drawn](plots/torch_peers.svg)"
    summaries = " ".join(_summary([results[name] for name in measured], way) for way in OTHERS)
    summaries += " " + _judged([results[name] for name in measured])
    return "\n" + "\n\n".join([f"## {TITLE}", f"`make bench-torch` on {on}.", picture, summaries, lines, NOTE]) + "\n\n"


def _summary(found, way):
    """What the rows come to beside one tool, in words."""
    both = [(each[OURS], each[way]) for each in found if "ms" in each.get(way, {})]
    ratio = statistics.geometric_mean(theirs["ours_over_it"] for _, theirs in both)
    gains = [mine["snr_db"] - theirs["snr_db"] for mine, theirs in both]
    return (
        f"Beside {CALLED[way]}, over {len(both)} networks: {ratio:.2f} of its files' time (geometric mean), "
        f"{statistics.mean(gains):+.1f} dB on the average, at worst {min(gains):+.1f} dB."
    )


def _judged(found):
    """On how many networks GPUs compute the files right, in words."""
    proven = {
        way: " and ".join(str(sum(each.get(way, {}).get(runtime) == "PROVEN" for each in found)) for runtime in GPUS)
        for way in (OURS, *OTHERS)
    }
    theirs = ", ".join(f"{CALLED[way]}'s on {proven[way]}" for way in OTHERS)
    return f"On the GPU ours are PROVEN on {proven[OURS]} of {len(found)}, in 32 and in 16 bits, {theirs}."


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        name, part, path = sys.argv[2:]
        Path(path).write_text(json.dumps((measure if part == ON_CPU else judge)(name)))
    elif sys.argv[1:2] == ["--part"]:
        main(sys.argv[3:], sys.argv[2:3])
    else:
        main(sys.argv[1:])
