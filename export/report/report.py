"""What is known of an exported file: what it is, what made it, what it did on each runtime."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from keraslayers._hints import Path
from keraslayers._printable import printable
from keraslayers.export.file import files
from keraslayers.export.file.tensor_names import layers_along, place
from keraslayers.export.proof.proof import Proof, Verdict
from keraslayers.export.report.latency import Latency
from keraslayers.export.runtimes import browser
from keraslayers.export.runtimes.elsewhere import Runtime

if TYPE_CHECKING:
    from keraslayers.export.convert.auto import Trial
    from keraslayers.export.convert.largest import Largest
    from keraslayers.export.convert.layer_errors import LayerError

TOOLS = (
    "keraslayers",
    "keras",
    "tensorflow",
    "ai-edge-litert",
    "tflite-micro",
    "litert-quantizer",
    "numpy",
    browser.PACKAGE,
)

# No report is as large.
MOST_BYTES = 2**28
# Another ending may be that of a model, or of the report beside it.
PAGES = (".html", ".htm")


class NotProvenError(RuntimeError):
    """A file was required to be proven and is not."""


@dataclass(frozen=True)
class Report:
    """What is known of a .tflite file.

    Attributes:
        name: of the model or file.
        size: of the file in bytes.
        sha256: of the file.
        operators: how often each operator stands in it.
        inputs, outputs: names, shapes, dtypes, quantization.
        weight_dtypes: types of its constants, most elements first.
        proofs: one a runtime.
        latencies: what phones told of it: a `keraslayers.export.Latency` each.
        absent: of a proof on all runtimes those that are not on this machine, each with what to install.
        signatures: names of the file's; of several each was run, inputs and outputs here are of the first.
        float_operators: of a file of integers, how often each operator that computes in floats stands in it.
        target, precision, io: how it was made; None for a file from elsewhere.
        passes: by name how many changes each made to the model; of `bound_by_samples` what `bounds` gives.
        rewrites: by name the operators of the file that each changed: (operator, layer) each.
        original_size: bytes of the file before rewriting.
        unrepaired: why a rewritten file was not kept; empty if it was, or if there was none.
        preprocessing: what it does with pixels before the model; None if they come prepared.
        parameters: of the Keras model; None for a file from elsewhere.
        largest: of files for phones' GPUs, and of float16: the `layer` that gives the largest `value` on the samples;
            float16 ends at 65504.
        float_layers: names of the layers that a file in int8 leaves in floats.
        layer_errors: what int8 or float16 costs layer by layer, the worst first, where that was asked for: each with
            the `layer` and `snr_db`, the signal over the error that it adds, in decibels.
        layers: names of the layers in the order in which the file computes them.
        layer_sizes: bytes of weights by layer, the largest first; those of no layer that is known by `""`.
        trials: of precision `"auto"` the files that were tried, each with `floats`, `score`, `size`, `precision` and,
            where that was measured, `latency_ms`.
        tools: versions of what made and ran it.
        host: the machine that ran it.
    """

    name: str
    size: int
    sha256: str
    operators: dict[str, int]
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    weight_dtypes: tuple[str, ...]
    proofs: tuple[Proof, ...]
    latencies: tuple[Latency, ...] = ()
    absent: dict[str, str] = field(default_factory=dict)
    signatures: tuple[str, ...] = ()
    float_operators: dict[str, int] = field(default_factory=dict)
    target: str | None = None
    precision: str | None = None
    io: str | None = None
    passes: dict[str, Any] | None = None
    rewrites: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    original_size: int | None = None
    unrepaired: str = ""
    preprocessing: str | None = None
    parameters: int | None = None
    largest: Largest | None = None
    float_layers: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    layer_sizes: dict[str, int] = field(default_factory=dict)
    layer_errors: tuple[LayerError, ...] = ()
    trials: tuple[Trial, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)
    host: str = ""

    @property
    def ok(self) -> bool:
        """Whether the file is PROVEN on every runtime asked for."""
        return bool(self.proofs) and all(proof.verdict is Verdict.PROVEN for proof in self.proofs)

    @property
    def trial(self) -> Trial | None:
        """Of the files that were tried for precision `"auto"` the one that this is."""
        return next((t for t in self.trials if (t.precision, t.floats) == (self.precision, self.float_layers)), None)

    @property
    def bounds(self) -> dict[str, float]:
        """By layer the pixels to which a file of integers clips offsets that the model leaves free."""
        return (self.passes or {}).get("bound_by_samples", {})

    @property
    def growth(self) -> float:
        """How many times as large rewriting made the file; 1 where nothing was rewritten."""
        return self.size / self.original_size if self.rewrites and self.original_size else 1.0

    @property
    def sizes_along(self) -> dict[str, int]:
        """Bytes of weights by layer in the order in which the file computes them."""
        return {name: self.layer_sizes.get(name, 0) for name in dict.fromkeys((*self.layers, *self.layer_sizes))}

    def proof(self, runtime: Runtime) -> Proof:
        """Returns the proof of that runtime, by its name or itself."""
        return {proof.runtime: proof for proof in self.proofs}[str(runtime)]

    def require(self) -> Report:
        """Returns the report if it is ok.

        Raises:
            NotProvenError: which says on what runtime, and why.
        """
        if not self.ok:
            faults = [f"{p.runtime}: {p.verdict}, {p.reason}" for p in self.proofs if p.verdict is not Verdict.PROVEN]
            raise NotProvenError(f"{self.name!r} is not proven. {printable(' '.join('. '.join(faults).split()))}.")
        return self

    def to_json(self) -> str:
        """Returns the report as JSON text."""
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=2) + "\n"

    def to_html(self, path: Path) -> None:
        """Writes the report as one HTML file that needs no other.

        Args:
            path: ends in `.html`.

        Raises:
            ImportError: if the extra `keraslayers[report]` is not installed.
            ValueError: if the path has another ending, or is a device.
            OSError: if the path cannot be written.
        """
        from keraslayers.export.report import page, pictures, tables

        path = files.writable("Report.to_html", "path", path, PAGES)
        files.write({path: page.render("report.html", report=self, pictures=pictures, tables=tables).encode()})

    def __str__(self) -> str:
        from keraslayers.export.report import tables

        return tables.to_text(tables.of_report(self))


def describe(blob, graph, proofs, *, layer_of=place, rewrites=None, **made):
    """Builds the Report of a file.

    Args:
        blob: the file.
        graph: what `read_graph` says of it.
        proofs: what it did.
        layer_of: called with a tensor's name; returns that of its layer. By default what the name itself tells.
        rewrites: by name the places that each rewrite changed: (operator, tensor) each.
        **made: further fields of Report.
    """
    layers = layers_along(graph, layer_of)
    proofs = tuple(
        replace(proof, left_at=tuple((i, name, layer_of(tensor) or tensor) for i, name, tensor in proof.left_at))
        for proof in proofs
    )
    return Report(
        size=len(blob),
        sha256=hashlib.sha256(blob).hexdigest(),
        operators=graph.operators,
        inputs=tuple(map(_told, graph.inputs)),
        outputs=tuple(map(_told, graph.outputs)),
        weight_dtypes=graph.weight_dtypes,
        float_operators=graph.float_operators if graph.integer else {},
        proofs=proofs,
        rewrites={
            name: tuple((operator, layer_of(tensor) or tensor) for operator, tensor in places)
            for name, places in (rewrites or {}).items()
        },
        layers=tuple(name for name in layers if name),
        layer_sizes=dict(sorted(((n, s) for n, s in layers.items() if s), key=lambda item: -item[1])),
        tools={name: found for name in TOOLS if (found := _version(name))},
        host=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        **made,
    )


def written_for(path):
    """The sha256 of the file that a report tells of; None if there is none, or another file."""
    return _read(path).get("sha256")


def beside(path, blob):
    """What the report beside a file tells of it, as a dict; empty where there is none, or one of another file."""
    found = _read(path.with_suffix(".json"))
    return found if found.get("sha256") == hashlib.sha256(blob).hexdigest() else {}


def _read(path):
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size < MOST_BYTES else None
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.keys() >= {"ok", "size", "proofs"} else {}


def _version(name):
    if name == "keraslayers":
        from keraslayers import __version__  # a checkout has no metadata

        return __version__
    if name == browser.PACKAGE:
        return browser.version()
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _told(tensor):
    """What an app must know of an input or an output."""
    return {key: getattr(tensor, key) for key in ("name", "index", "shape", "dtype", "scale", "zero_point", "step")}
