"""Ten networks in five precisions on ARM64 code under emulation, beside the same files on this machine."""

import subprocess
from dataclasses import dataclass, field, replace

import keras
import numpy as np

from benchmarks.models import pictures, settle
from keraslayers import export, models
from keraslayers.export import pipeline
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof.proof import prove_blob
from keraslayers.export.runtimes import cpu
from keraslayers.export.runtimes.arm64 import A53, A76, A710, Arm64
from keraslayers.export.runtimes.child import WORKER
from keraslayers.export.runtimes.elsewhere import Elsewhere

TITLE = "ARM64 code under emulation"
COLUMNS = ("network", "precision", "this machine", *(f"{each.title}" for each in (A53, A76, A710)))
NOTE = (
    "LiteRT's ARM64 build under qemu, on processors with NEON alone (Cortex-A53), with 16-bit floats and dot products "
    "(Cortex-A76), and with products of matrices in 8 bits (Cortex-A710): the verdict against the Keras model, and the "
    "largest difference to this machine's outputs as a part of their spread; equal is to the bit. The networks are of "
    "`keraslayers.models` for images of 64 x 64 and 10 classes, with weights made as in the table of models; 8 images "
    "prove each file. `arm64-fp16` is not among them: 16 bits have limits of their own."
)
NETWORKS = {
    "lenet5": {},
    "squeezenet": {"version": "1.1"},
    "mobilenet": {"alpha": 0.25},
    "mobilenet_v2": {"alpha": 0.35},
    "mobilenet_v3_small": {},
    "mobilenet_v3_large": {},
    "shufflenet": {},
    "shufflenet_v2": {},
    "efficientnet_lite0": {},
    "resnet18": {},
}
SIDE, CLASSES, IMAGES = 64, 10, 8
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")
# In the emulated Python: the child's script for one folder after another, as most of its time is that of the start.
SERVE = """
import runpy, sys
main = runpy.run_path(sys.argv[1])["main"]
for line in sys.stdin:
    main(line.strip())
    print("done", flush=True)
"""


class Kept:
    """The place of an emulated processor, in one process for many files; as `child.Place`."""

    timed = False

    def __init__(self, program):
        command = [*program, "-c", SERVE, str(WORKER)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, **pipes)

    def work(self, folder, environment, memory, seconds):
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "done\n":
            raise RuntimeError("the emulated process died")
        return 0, ""


@dataclass(frozen=True)
class Recorded(Elsewhere):
    """A runtime that keeps what it gave last."""

    runtime: object
    name: str
    place: object = None
    given: list = field(default_factory=list)

    def __str__(self):
        return self.name

    def available(self):
        return ""

    def run(self, blob, graph, inputs):
        outcome = self.runtime.run(blob, graph, inputs, **({"place": self.place} if self.place else {}))
        self.given[:] = [outcome.outputs]
        return replace(outcome, latency_ms=None)


def network(name, options):
    keras.utils.set_random_seed(0)
    shape = (SIDE, SIDE, 3) if name != "lenet5" else (28, 28, 1)
    model = models.create(name, input_shape=shape, classes=CLASSES, classifier_activation=None, **options)
    x = pictures(shape, IMAGES)
    settle(model, x)
    return model, x


def rows():
    pipeline.BLAME = False
    if lacking := Arm64().available():
        raise SystemExit(lacking)
    runtimes = [Recorded(cpu, "here")]
    runtimes += [Recorded(cpu, each.title, Kept(Arm64(each)._place().program)) for each in (A53, A76, A710)]
    try:
        for name, options in NETWORKS.items():
            model, x = network(name, options)
            wanted = model.predict(x, verbose=0)
            for precision in PRECISIONS:
                made = export.to_tflite(model, precision=precision, samples=x)
                yield row(name, precision, made, x, wanted, runtimes)
            keras.backend.clear_session()
    finally:
        for runtime in runtimes[1:]:
            runtime.place.process.kill()
            runtime.place.process.wait()


def row(name, precision, made, x, wanted, runtimes):
    graph = read_graph(made.tflite)
    samples, expected = {graph.inputs[0].name: x}, {graph.outputs[0].name: wanted}
    proofs = prove_blob(made.tflite, graph, samples, runtimes, expected=expected, precision=precision)
    (here,), *others = ([*runtime.given[0].values()] for runtime in runtimes)
    spread = float(np.ptp(here)) or 1.0
    cells = [str(proofs[0].verdict)]
    for proof, (there,) in zip(proofs[1:], others, strict=True):
        far = float(np.max(np.abs(here.astype("float64") - there))) / spread
        cells.append(f"{proof.verdict}, {'equal' if np.array_equal(here, there) else format(far, '.1e')}")
    return (f"`{name}`", f"`{precision}`", *cells)
