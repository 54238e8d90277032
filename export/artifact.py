"""An exported model: the bytes and what is known of them."""

from dataclasses import dataclass

from keraslayers.export import files
from keraslayers.export.report import Report


@dataclass(frozen=True)
class Artifact:
    """An exported model.

    Attributes:
        tflite: bytes of the .tflite file.
        report: what is known of it.
    """

    tflite: bytes
    report: Report

    def save(self, path):
        """Writes the file, and its report beside it as `.json`, whole or not at all.

        Args:
            path: ends in `.tflite`.

        Returns:
            The path, as a `pathlib.Path`.

        Raises:
            ValueError: if the path has another ending.
            OSError: if the folder is missing or not writable.
        """
        path = files.writable("Artifact.save", "path", path, ".tflite")
        files.write({path.with_suffix(".json"): self.report.to_json().encode(), path: self.tflite})
        return path

    def __repr__(self):
        return f"<Artifact {self.report.name!r}: {len(self.tflite)} bytes, ok={self.report.ok}>"
