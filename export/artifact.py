"""An exported model: the bytes and what is known of them."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from keraslayers._hints import Inputs, Outputs, Path
from keraslayers.export.app.labelled import labelled
from keraslayers.export.file import files
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof.evidence import Evidence
from keraslayers.export.report.report import PAGES, Report, written_for

if TYPE_CHECKING:
    from keraslayers.export.predict import Evaluation, Source


@dataclass(frozen=True)
class Artifact:
    """An exported model.

    Attributes:
        tflite: bytes of the .tflite file.
        report: what is known of it.
        evidence: a few of the samples that it was proven on, and what the model gives of them: for pages.
        source: the Keras model that it was made of, for `evaluate`.
    """

    tflite: bytes
    report: Report
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    source: Source | None = field(default=None, repr=False, compare=False)

    def predict(self, x: Inputs, *, runtime: str = "cpu") -> Outputs:
        """What the file gives, as `keras.Model.predict` does of a model.

        Args:
            x: inputs, as many as there are: an array of (samples, ...), a list of arrays for several inputs, a dict by
                input name, a `tf.data.Dataset` or a `keras.utils.PyDataset` of batches, labels beside them left out.
                Integer inputs take real numbers, which are rounded as the file's scale says.
            runtime: what runs it: `"cpu"`, `"gpu"`, `"gpu-fp16"` or another that is on this machine.

        Returns:
            An array of (samples, ...) in float32; a dict of such by output name where there are several.

        Raises:
            TypeError, ValueError: if `x` does not fit the file, or there is no such runtime.
            RuntimeError: if the runtime is not on this machine or refuses the file.
        """
        from keraslayers.export.predict import predicted

        return predicted("Artifact.predict", self.tflite, x, runtime)

    def evaluate(self, x: Inputs, y: Any = None, *, runtime: str = "cpu") -> Evaluation:
        """Runs the file and the Keras model that it was made of on a whole data set.

        Args:
            x: as in `predict`; data sets give labels, and weights, beside inputs.
            y: the labels, where `x` is arrays.
            runtime: as in `predict`.

        Returns:
            An `Evaluation`: the loss and the metrics that the model was compiled with, of the model and of the file,
            over all samples; how often both give the same class; signal over error.

        Raises:
            TypeError, ValueError: if `x` or `y` does not fit, or the file was not made by `to_tflite`.
            RuntimeError: if the runtime is not on this machine or refuses the file.
        """
        from keraslayers.export.predict import evaluated

        return evaluated("Artifact.evaluate", self.tflite, self.source, x, y, runtime)

    def save(
        self,
        path: Path,
        *,
        labels: Sequence[str] | None = None,
        normalization: Sequence[float | Sequence[float]] | None = None,
        boxes: Literal["cycxhw"] | None = None,
        description: str | None = None,
        author: str | None = None,
        license: str | None = None,
        force: bool = False,
    ) -> pathlib.Path:
        """Writes the file, and its report beside it as `.json`, whole or not at all.

        With labels the file carries metadata from which Android's task libraries (MediaPipe Tasks, TFLite Task
        Library) make an image classifier: the app gives a bitmap and gets labels with scores. With labels and `boxes`
        MediaPipe's ObjectDetector takes it, and gives boxes, labels and scores. They take images of three channels in
        float32 or uint8. The graph stays as it is, which is checked by running both files.

        Args:
            path: ends in `.tflite`.
            labels: a name for each class, in the order of the model's one output, or of a detector's scores. In the
                file they are `labels.txt`, in a zip archive behind the model.
            normalization: (mean, std), numbers or one for each channel, if the input is an image: the model was
                trained on (pixel - mean) / std. Not for files exported with `preprocessing`. A uint8 input says it
                by itself.
            boxes: of a detector that gives, in float32, boxes of (1, boxes, 4) and scores of (1, boxes, classes):
                `"cycxhw"`, y and x of the middle, height and width in pixels of what the model sees, as
                `keraslayers.models.detection.detector(model, boxes="cycxhw")` gives them: MediaPipe takes no others.
            description, author, license: texts to go with the labels.
            force: whether a `.json` beside the file that is no report is replaced, too.

        Returns:
            The path, as a `pathlib.Path`.

        Raises:
            TypeError, ValueError: if the path has another ending, or the labels and what goes with them do not fit
                the model.
            OSError: if the folder is missing or not writable, or there is a `.json` beside the file that is no report.
        """
        who = "Artifact.save"
        path = files.writable(who, "path", path, ".tflite")
        check_beside(who, path, force)
        texts = {"description": description, "author": author, "license": license}
        about = {"normalization": normalization, "boxes": boxes, **texts}
        blob, report = self.tflite, self.report
        if labels is not None:
            pixels = report.preprocessing is not None
            blob = labelled(who, blob, name=report.name, labels=labels, pixels=pixels, **about)
            report = replace(report, size=len(blob), sha256=hashlib.sha256(blob).hexdigest())
        elif lonely := [name for name, value in about.items() if value is not None]:
            raise ValueError(f"`{who}`: `{lonely[0]}` goes with `labels`; give these too.")
        files.write({path.with_suffix(".json"): report.to_json().encode(), path: blob})
        return path

    def save_page(
        self,
        path: Path,
        *,
        labels: Sequence[str] | None = None,
        normalization: Sequence[float | Sequence[float]] | None = None,
        boxes: Literal["yxyx", "xyxy", "xywh", "cxcywh", "cycxhw"] | None = None,
        points: Literal["xy", "yx"] | None = None,
    ) -> pathlib.Path:
        """Writes the file as a page: one HTML file of some 4 MB that opens from a folder or a mail, without a network.

        It holds the model, LiteRT.js and all else: nothing is fetched, nothing is sent. A person draws, chooses, drops
        or photographs an image, and sees the likeliest classes, a mask, a heat map, an image, points or numbers, by
        what the file gives, and how long a call takes on the device, in WebAssembly and on WebGPU. The page carries
        samples of the proof, up to 16 and as many as fit 2 MB, and shows whether the file is PROVEN on the device that
        it is opened on; it saves that for `keraslayers report FILE.tflite --add`, where FILE is what the page was made
        of.

        Args:
            path: ends in `.html`.
            labels: a name for each class, of an output of (1, classes) or of a mask: a score a class and pixel, or
                whole numbers of (1, height, width), the class of each pixel.
            normalization: (mean, std), as in `save`, if the input is an image, unless the file was exported with
                `preprocessing`.
            boxes: of a detector, that gives boxes of (1, boxes, 4) and scores of (1, boxes, classes), what the four
                numbers of a box are: `"yxyx"` or `"xyxy"` (its sides), `"xywh"` (left, top and size), `"cxcywh"` or
                `"cycxhw"` (middle and size), as parts of the image or in pixels. Scores may also be of (1, boxes),
                beside classes, integers of (1, boxes). Shown are boxes of a score of 0.5 and more; of those that
                overlap, the best.
            points: of a file that finds points, an output of (1, points, 2), what the two numbers are: `"xy"` or
                `"yx"`, as parts of the image or in pixels. `labels` may name them.

        Returns:
            The path, as a `pathlib.Path`.

        Raises:
            TypeError, ValueError: if the path has another ending, what is told of the file does not fit it, or
                LiteRT.js takes no such file.
            ImportError: if LiteRT.js or jinja2 is not installed.
            OSError: if the path cannot be written.
        """
        return save_page(
            "Artifact.save_page",
            self.tflite,
            path,
            name=self.report.name,
            precision=self.report.precision,
            evidence=self.evidence,
            labels=labels,
            normalization=normalization,
            boxes=boxes,
            points=points,
            pixels=self.report.preprocessing is not None,
        )

    def __repr__(self) -> str:
        return f"<Artifact {self.report.name!r}: {len(self.tflite)} bytes, ok={self.report.ok}>"


def save_page(who, blob, path, **about):
    """Writes a page of a file; for what is told of it see `app_page.render`. Returns the path."""
    from keraslayers.export.report import app_page

    path = files.writable(who, "path", path, PAGES)
    files.write({path: app_page.render(who, blob, read_graph(blob), **about)})
    return path


def check_own(who, path, force=False):
    """Raises if a file is there of which no report beside it tells, unless it is to be replaced.

    Raises:
        FileExistsError: which names it.
    """
    if force or not path.is_file():
        return
    if written_for(path.with_suffix(".json")) != hashlib.sha256(path.read_bytes()).hexdigest():
        raise FileExistsError(
            f"`{who}`: {str(path)!r} is there, and no report beside it tells of it. Name it as the output, or force it."
        )


def check_beside(who, path, force=False):
    """Raises if the report of a file would replace a file that is no report, unless that is wanted.

    Raises:
        FileExistsError: which names it.
    """
    report = path.with_suffix(".json")
    if not force and report.is_file() and written_for(report) is None:
        raise FileExistsError(
            f"`{who}`: {str(report)!r}, beside {path.name!r}, is no report, and would be replaced by one. Write to "
            "another path, or force it."
        )
