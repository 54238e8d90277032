"""What the examples of detection, segmentation and the like come to in files: `make bench-tasks`.

`python -m benchmarks.tasks segment` runs one of them; what was found of the others stays as it is.

An example has these, which its own `main` uses, too:

- `SCORE`: what its score is called, with its unit;
- `NETWORK`: its network in words;
- `load()`: (inputs, targets) to learn from, and the same to judge by;
- `network()`: the model, as it trains;
- `fit(model, learn)`: trains it, and just so one that `quantize_aware` gave;
- `deployed(model)`: the model of the file, which may decode what the trained one gives;
- `score(outputs, targets)`: a number, more being better, of all outputs of `deployed(model).predict` or of the file.

It may have `MORE`, the arguments of `fit` for what `quantize_aware` gave, such as fewer epochs, and `SKIP`, layers of
`deployed(model)` that stay in floats where the file is in int8. Where the stock converter refuses `deployed(model)`, it
has `decode(outputs)`: what an app must do itself with the outputs of `model`.
"""

import hashlib
import importlib
import inspect
import json
import sys
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
from rich.console import Console

from benchmarks import timing
from benchmarks.readme import machine, write_block
from keraslayers import export
from keraslayers._quiet import quiet
from keraslayers.export import optimize
from keraslayers.export.predict import predicted

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("README.md")
FOUND = Path(__file__).with_name("tasks.json")
FILES = Path(__file__).with_name("files")
TOOLS = ("tensorflow", "keras", "ai-edge-litert", "tensorflow-model-optimization")
TITLE = "Segmentation, detection and what else people ship"
# The examples, in the order of the table.
TASKS = ("detect", "segment", "keypoints", "enlarge")
TARGET = "gpu"
RUNTIMES = ("cpu", "gpu", "gpu-fp16", "browser")
COLUMNS = ("task", "score", "file", "of Keras", "of the file", "bytes", "ms", *RUNTIMES)
NOTE = (
    "Each network is trained by its example in `examples/`, on drawn scenes, and judged by others, of photographs and "
    "digits that it never saw. float16 and int8: of `to_tflite` for the target `gpu`; trained: trained on by "
    "`quantize_aware` first, some epochs, so that its score in Keras is that of the model that rounds. Stock: a bare "
    "`TFLiteConverter` with `Optimize.DEFAULT` and the same samples; it refuses Keras's argmax, so that its file of "
    "segmentation gives logits. Of the file: on LiteRT's CPU runtime. ms: one thread, a task's files side by side. "
    "The last four are the verdicts against the Keras model."
)
SAMPLES = 200
SECONDS = 8.0


def measure(example):
    """The rows of a task: by column text.

    Args:
        example: the module.
    """
    keras.utils.set_random_seed(0)
    learn, (x, y) = example.load()
    samples = learn[0][:SAMPLES]
    model = trained(example, learn)
    aware = optimize.quantize_aware(model, samples=samples)
    example.fit(aware, learn, **getattr(example, "MORE", {}))
    plain, rounding = example.deployed(model), example.deployed(aware)
    skip = getattr(example, "SKIP", ())
    ways = {
        "float16": (plain, ours(plain, "float16", samples)),
        "int8": (plain, ours(plain, "int8", samples, skip)),
        "int8, trained": (rounding, ours(rounding, "int8", samples)),  # which keeps floats where it trained with them
    }
    decode = getattr(example, "decode", None)
    ways |= {"int8, stock": (plain, stock(plain, samples)) if decode is None else (model, stock(model, samples))}
    times = timing.interleaved({way: blob for way, (_, blob) in ways.items()}, seconds=SECONDS)
    in_keras = {id(made): example.score(made.predict(x, verbose=0), y) for made in (plain, rounding)}
    in_keras[id(model)] = in_keras[id(plain)]
    for way, (made, blob) in ways.items():
        report = export.prove(blob, RUNTIMES, samples=x[:64], model=made)
        found = predicted("measure", blob, x)
        found = decode(found) if way == "int8, stock" and decode else found
        yield {
            "task": example.NETWORK,
            "score": example.SCORE,
            "file": way,
            "of Keras": f"{in_keras[id(made)]:.1f}",
            "of the file": f"{example.score(found, y):.1f}",
            "bytes": f"{len(blob):,}",
            "ms": f"{np.median(times[way]):.2f}",
            **{runtime: str(report.proof(runtime).verdict) for runtime in RUNTIMES},
        }


def trained(example, learn):
    """The model as the example trains it, which is kept in benchmarks/files for as long as its code stays the same."""
    model = example.network()
    code = hashlib.sha256(inspect.getsource(example).encode()).hexdigest()
    kept = FILES / f"{example.__name__}-{code[:8]}.weights.h5"
    if kept.exists():
        model.load_weights(kept)
        return model
    example.fit(model, learn)
    FILES.mkdir(exist_ok=True)
    model.save_weights(kept)
    return model


def ours(model, precision, samples, skip=()):
    return export.to_tflite(model, target=TARGET, precision=precision, samples=samples, skip=list(skip)).tflite


def stock(model, samples=None):
    """The model in int8, with a batch of 1, as TensorFlow's converter makes it by itself; without samples in floats."""
    import tensorflow as tf

    shape = (model.input_shape if samples is None else samples.shape)[1:]
    image = keras.Input(batch_shape=(1, *shape), name="image")
    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
        if samples is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([x[None]] for x in samples)
        return converter.convert()


def table(found):
    """The page's block, of all that was found so far.

    Args:
        found: by the name of an example where it was measured, and its rows.
    """
    tasks = [name for name in TASKS if name in found]
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    rows += [[row[column] for column in COLUMNS] for name in tasks for row in found[name]["rows"]]
    places = dict.fromkeys(found[name]["on"] for name in tasks)
    links = ", ".join(f"[`{name}`](../examples/{name}.py)" for name in tasks)
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    parts = [f"## {TITLE}", f"`make bench-tasks` on {'; '.join(places)}. The examples: {links}.", lines, NOTE]
    return "\n" + "\n\n".join(parts) + "\n\n"


def main(chosen):
    if unknown := set(chosen) - set(TASKS):
        sys.exit(f"no tasks called {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    sys.path.insert(0, str(ROOT / "examples"))  # as `python examples/x.py` does
    console = Console(stderr=True)
    for name in chosen or TASKS:
        with console.status(name):
            rows = list(measure(importlib.import_module(name)))
        keras.backend.clear_session()
        tools = ", ".join(f"{tool} {version(tool)}" for tool in TOOLS)
        # Read only now: another task may have been measured meanwhile.
        found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
        found[name] = {"on": f"{machine()}, {tools}", "rows": rows}
        FOUND.write_text(json.dumps(found, indent=1) + "\n")
        write_block("tasks", table(found), PAGE)
        console.print(f"wrote {name} into {PAGE}")


if __name__ == "__main__":
    main(sys.argv[1:])
