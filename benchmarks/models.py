"""Exports every network at its paper's size and writes the table in `benchmarks/verdicts.md`: `make table-models`.

Each network runs in a process of its own; results are kept in benchmarks/models.json, and only what is missing there is
run. `python -m benchmarks.models KEY...` runs these anew; a key is a network's name, for what its builder makes by
itself, or the name and options of a variant, "shufflenet groups=8". `--part float32`, `--part int8` or `--part small`
runs no other part.

What a GPU of 16-bit floats gives, and web pages, is of small images: drivers in software compute on the CPU.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np

from benchmarks.child import in_a_child
from benchmarks.readme import write_block

RESULTS = Path(__file__).with_name("models.json")
PRECISIONS = ("float32", "int8")
RUNTIMES = ("cpu", "gpu")
SMALL = "small"  # the part of what takes long
PARTS = (*PRECISIONS, SMALL)
SIDE = 96  # of its images, at most
SIDES = {"mixer_h14": 84}  # where that is no whole number of patches
# In which order the table has them.
COLUMNS = {"float32": RUNTIMES, SMALL: ("gpu-fp16", "browser", "browser-gpu"), "int8": RUNTIMES}
PICTURES = 4
# Two must do for more multiply-adds: Keras holds all that the layers give, 4 GB a picture of EfficientNetB7.
LARGE = 20e9
# Variants of other layers than what the builder makes by itself.
VARIANTS = (
    "alexnet grouped",
    "googlenet batch_norm",
    "inception_v3 padding=symmetric",
    "mobilenet_v3_small minimalistic",
    "nin version=cifar10",
    "resnet50 version=1",
    "resnet50 version=2",
    "shufflenet groups=1",
    "shufflenet groups=8",
    "squeezenet version=1.1",
    "vgg11 batch_norm",
)


def main(chosen, parts=PARTS):
    from keraslayers import models

    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found = rows(models)
    # Those that cost little first, so that a table cut short has the most rows.
    order = sorted(found, key=lambda key: found[key][1].multiply_adds or 0)
    for key in chosen or order:
        for part in parts:
            if chosen or part not in results.get(key, {}):
                print(key, part, flush=True)
                results.setdefault(key, {})[part] = in_a_child("models", key, part)
                RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_block("models", _table(found, results))


def rows(models):
    """By key the (spec, reference) of every row of the table."""
    found = {}
    for name in models.names():
        spec = models.spec(name)
        for reference in spec.references:
            key = name if reference is spec.references[0] else " ".join([name, *options_of(reference)])
            if key == name or key in VARIANTS:
                found[key] = spec, reference
    return found


def options_of(reference):
    """What makes a variant, in words; not the images and classes that it was published with."""
    options = {key: value for key, value in reference.options.items() if key not in ("input_shape", "classes")}
    return [key if value is True else f"{key}={value}" for key, value in options.items()]


def measure(key, part):
    """What becomes of a row's network: in a precision on the CPU and the GPU, or on what takes small images here."""
    import keras

    from keraslayers import models
    from keraslayers.export import Target, pipeline, to_tflite

    pipeline.BLAME = False  # who is to blame takes many runs of networks that take minutes each
    keras.utils.set_random_seed(0)
    spec, reference = rows(models)[key]
    options = {**reference.options, "classifier_activation": None}
    target, precision = "gpu-fp32", part
    if part == SMALL:
        target, precision = Target(SMALL, COLUMNS[SMALL], "GPUs in 16-bit floats, and web pages"), "float32"
        if len(spec.input_shape) == 3:
            most = SIDES.get(spec.name, SIDE)
            sides = (min(side, most) for side in (options.get("input_shape") or spec.input_shape)[:2])
            options["input_shape"] = (*sides, spec.input_shape[2])
    model = models.create(spec.name, **options)
    if len(spec.input_shape) == 3:
        x = pictures(model.input_shape[1:], PICTURES if (reference.multiply_adds or 0) < LARGE else 2)
    else:
        x = np.random.default_rng(0).integers(0, reference.options["vocabulary"], (PICTURES, 64)).astype("int32")
    settle(model, x)
    report = to_tflite(model, target=target, precision=precision, samples=x).report
    found = {"bytes": report.size}
    for runtime in COLUMNS[part]:
        proof = report.proof(runtime)
        found[runtime] = {
            "verdict": str(proof.verdict),
            "reason": proof.reason,
            "delegated": proof.delegated,
            "operators": proof.operators,
            "partitions": proof.partitions,
            "snr_db": proof.snr_db and round(proof.snr_db, 1),
        }
    return found


def pictures(shape, count=PICTURES):
    """Images within [-1, 1] that differ in the large and in the small, as photographs do and noise does not."""
    random = np.random.default_rng(0)
    images = np.zeros((count, *shape))
    for cells in (2, 5, 12, 32):
        coarse = random.normal(size=(count, cells, cells, shape[2]))
        y, x = (np.arange(side) * cells // side for side in shape[:2])
        images += coarse[:, y[:, None], x[None, :]] / np.sqrt(cells)
    return (images / np.abs(images).max((1, 2, 3), keepdims=True)).astype("float32")


def settle(model, x):
    """Gives an untrained network weights as training leaves them.

    As Keras makes them, a deep network says nearly the same of every image, and what it says is lost in the rounding to
    8 bits: a proof of it would prove nothing. Here kernels keep the scale of what passes through, normalizations have
    the averages of `x`, most units are on, and the classifier tells the images of `x` apart. No ReLU follows a layer
    normalization, nor does it take averages off what images have in common: there, shifts would add up from block to
    block until nothing else is left. Gates are nearly the same for every image: many that open and close make a network
    chaotic, in which rounding decides. Where nothing is normalized, blocks add little to what they read, as they do
    when training begins: it would grow beyond what 16-bit floats hold.
    """
    import keras

    from keraslayers import LayerScale

    random = np.random.default_rng(0)
    found = list(_layers(model))
    bounded = any(
        isinstance(layer, keras.layers.BatchNormalization | keras.layers.LayerNormalization) for layer in found
    )
    for layer in found:
        for weight in layer.weights:
            name = weight.path.split("/")[-1]
            if name.endswith("kernel"):
                fan = np.prod(weight.shape[:2] if "depthwise" in weight.path else weight.shape[:-1])
                # The slope of a sigmoid is a quarter, ReLU lets half through.
                gain = 4 if getattr(layer, "activation", None) is keras.activations.sigmoid else math.sqrt(2)
                gain = 0.1 if "squeeze_excite" in weight.path else gain
                weight.assign(random.normal(0, gain / math.sqrt(fan), weight.shape))
            elif name == "bias":
                weight.assign(random.normal(0, 0.1, weight.shape))
            elif name == "gamma":
                little = isinstance(layer, LayerScale) and not bounded
                weight.assign(random.uniform(0.5, 1.5, weight.shape) * (0.1 if little else 1))
            elif name == "beta":
                middle = 0 if isinstance(layer, keras.layers.LayerNormalization) else 1.5
                weight.assign(random.normal(middle, 0.2, weight.shape))
    norms = [layer for layer in found if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        model(x, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    _fit_classifier(keras, model, x, random)


def _layers(model):
    """The layers of a model, those of models inside it among them."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _fit_classifier(keras, model, x, random):
    """Least squares for the last layer, where it sees one vector an image."""
    last = [layer for layer in model.layers if hasattr(layer, "kernel")][-1]
    if math.prod(last.input.shape[1:-1]) != 1:
        return
    features = np.array(keras.Model(model.input, last.input)(x), "float64").reshape(len(x), -1)
    wanted = random.normal(size=(len(x), last.kernel.shape[-1]))
    mean = features.mean(0)
    # A direction in which they do not differ but by rounding is none: normalized vectors have one.
    kernel = np.linalg.pinv(features - mean, rcond=1e-6) @ (wanted - wanted.mean(0))
    last.kernel.assign(kernel.reshape(last.kernel.shape))
    last.bias.assign(wanted.mean(0) - mean @ kernel)


def _table(found, results):
    small = "in 16 bits | browser | browser-gpu"
    lines = [
        f"| network | options | parameters | multiply-adds | float32 | cpu | gpu | {small} | int8 | cpu | gpu |",
        "|---|---|--:|--:|--:|---|---|---|---|---|--:|---|---|",
    ]
    reasons = []
    for key, (spec, reference) in found.items():
        millions = (reference.multiply_adds or 0) / 1e6
        multiply_adds = f"{millions:,.0f} M" if millions >= 10 else f"{millions:.1f} M" if millions else ""
        options = ", ".join(options_of(reference))
        cells = [f"`{spec.name}`", options and f"`{options}`", f"{reference.trainable_parameters:,}", multiply_adds]
        for part, runtimes in COLUMNS.items():
            row = results.get(key, {}).get(part)
            if part != SMALL:
                cells.append(f"{row['bytes'] / 2**20:.1f} MiB" if row else "")
            cells += [_verdict(row[runtime]) if row else "not run" for runtime in runtimes]
            reasons += [
                f"`{key}` in {'float32' if part == SMALL else part} on {runtime}: {row[runtime]['reason']}."
                for runtime in (runtimes if row else ())
                if row[runtime]["verdict"] != "PROVEN"
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n\n".join([_summary(found, results), "\n".join(lines), *reasons, "</details>"]) + "\n"


def _summary(found, results):
    """The line that stands for the table until the reader opens it."""
    proofs = [
        proof
        for key in found
        for part in results.get(key, {}).values()
        for proof in part.values()
        if isinstance(proof, dict)  # and no size
    ]
    proven = sum(proof["verdict"] == "PROVEN" for proof in proofs)
    told = f"{len(found)} networks in float32 and int8, on cpu and gpu, in 32 bits and in 16, and in web pages"
    return f"<details>\n<summary>{told}: {proven} of {len(proofs)} verdicts are PROVEN</summary>"


def _verdict(proof):
    """The verdict, and in how many pieces the runtime took the graph where it was more than one."""
    if proof["verdict"] == "PROVEN" and (proof["partitions"] or 1) > 1:
        return f"PROVEN, {proof['partitions']} parts"
    return proof["verdict"]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        Path(sys.argv[4]).write_text(json.dumps(measure(*sys.argv[2:4])))
    elif sys.argv[1:2] == ["--part"]:
        main(sys.argv[3:], (sys.argv[2],))
    else:
        main(sys.argv[1:])
