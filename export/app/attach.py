"""Puts metadata and files into a .tflite file without touching its graph."""

import io
import zipfile

import flatbuffers

METADATA = "TFLITE_METADATA"
# TFLite's weights lie at multiples of 16 bytes.
ALIGNMENT = 16
# Slots of the root table, Model.
BUFFERS, ENTRIES = 4, 6


def attach(blob, content, files):
    """Returns the bytes of a .tflite file with metadata in a buffer and with files in a zip archive behind it.

    The file's own bytes stay together as they are, with their references to each other. In front of them comes a new
    root that refers to the same operators and tensors and to one buffer more: a FlatBuffer is written from its end to
    its beginning, so that the old one is taken for the part that is written already.

    Args:
        blob: the file, without metadata.
        content: bytes of the metadata.
        files: bytes by name.
    """
    from ai_edge_litert import schema_py_generated as schema

    blob = blob + bytes(-len(blob) % ALIGNMENT)
    builder = flatbuffers.Builder(len(blob))
    builder.Bytes[:] = blob
    builder.head = 0
    builder.Prep(ALIGNMENT, 0)

    def vector(places):
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return builder.EndVector()

    def written(table):
        return len(blob) - table._tab.Pos  # places are counted from the end

    model = schema.Model.GetRootAsModel(blob, 0)
    name = builder.CreateString(METADATA)
    builder.StartVector(1, len(content), ALIGNMENT)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    data = builder.EndVector()
    schema.BufferStart(builder)
    schema.BufferAddData(builder, data)
    buffer = schema.BufferEnd(builder)
    schema.MetadataStart(builder)
    schema.MetadataAddName(builder, name)
    schema.MetadataAddBuffer(builder, model.BuffersLength())
    entry = schema.MetadataEnd(builder)
    buffers = vector([*(written(model.Buffers(i)) for i in range(model.BuffersLength())), buffer])
    entries = vector([*(written(model.Metadata(i)) for i in range(model.MetadataLength())), entry])

    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, model.Version())
    places = {BUFFERS: buffers, ENTRIES: entries}
    # Every other field of the root refers to something: to the same as before.
    for slot in range(1, len(builder.current_vtable)):
        offset = model._tab.Offset(4 + 2 * slot)
        if offset and slot not in places:
            places[slot] = len(blob) - model._tab.Indirect(model._tab.Pos + offset)
    for slot, place in sorted(places.items()):
        builder.PrependUOffsetTRelativeSlot(slot, place, 0)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")

    whole = io.BytesIO(bytes(builder.Output()))
    with zipfile.ZipFile(whole, "a") as archive:  # stored, not compressed: apps map it into memory
        for name, data in files.items():
            info = zipfile.ZipInfo(name)  # of no date: the same content gives the same bytes
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return whole.getvalue()
