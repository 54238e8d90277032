"""An exported model: the bytes and what is known of them."""

import hashlib
from dataclasses import dataclass, replace

from keraslayers.export.app.labelled import labelled
from keraslayers.export.file import files
from keraslayers.export.report.report import Report


@dataclass(frozen=True)
class Artifact:
    """An exported model.

    Attributes:
        tflite: bytes of the .tflite file.
        report: what is known of it.
    """

    tflite: bytes
    report: Report

    def save(self, path, *, labels=None, normalization=None, description=None, author=None, license=None):
        """Writes the file, and its report beside it as `.json`, whole or not at all.

        With labels the file carries metadata from which Android's task libraries (MediaPipe Tasks, TFLite Task
        Library) make an image classifier: the app gives a bitmap and gets labels with scores. They take images of
        three channels in float32 or uint8. The graph stays as it is, which is checked by running both files.

        Args:
            path: ends in `.tflite`.
            labels: a name for each class, in the order of the model's one output. In the file they are `labels.txt`,
                in a zip archive behind the model.
            normalization: (mean, std), numbers or one for each channel, if the input is an image: the model was
                trained on (pixel - mean) / std. Not for files exported with `preprocessing`. A uint8 input says it
                by itself.
            description, author, license: texts to go with the labels.

        Returns:
            The path, as a `pathlib.Path`.

        Raises:
            TypeError, ValueError: if the path has another ending, or the labels and what goes with them do not fit
                the model.
            OSError: if the folder is missing or not writable.
        """
        who = "Artifact.save"
        path = files.writable(who, "path", path, ".tflite")
        about = {"normalization": normalization, "description": description, "author": author, "license": license}
        blob, report = self.tflite, self.report
        if labels is not None:
            pixels = report.preprocessing is not None
            blob = labelled(who, blob, name=report.name, labels=labels, pixels=pixels, **about)
            report = replace(report, size=len(blob), sha256=hashlib.sha256(blob).hexdigest())
        elif lonely := [name for name, value in about.items() if value is not None]:
            raise ValueError(f"`{who}`: `{lonely[0]}` goes with `labels`; give these too.")
        files.write({path.with_suffix(".json"): report.to_json().encode(), path: blob})
        return path

    def __repr__(self):
        return f"<Artifact {self.report.name!r}: {len(self.tflite)} bytes, ok={self.report.ok}>"
