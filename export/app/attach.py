"""Puts metadata and files into a .tflite file without touching its graph."""

import zipfile

import numpy as np

from keraslayers.export.file import edit

METADATA = "TFLITE_METADATA"


def attach(blob, content, files):
    """Returns the bytes of a .tflite file with metadata in a buffer and with files in a zip archive behind it.

    Args:
        blob: the file, without metadata.
        content: bytes of the metadata.
        files: bytes by name.
    """
    file = edit.read(blob)
    file.metadata[METADATA] = edit.Buffer(np.frombuffer(content, "uint8"))
    for name, data in files.items():
        info = zipfile.ZipInfo(name)  # of no date: the same content gives the same bytes
        info.external_attr = 0o644 << 16
        file.files.append((info, data))
    return file.write()
