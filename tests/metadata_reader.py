"""Reads TFLite metadata by the format's own rules, byte by byte; shares no code with what wrote it.

Of a FlatBuffer: the first four bytes tell where the root table is. A table begins with the distance back to its
vtable, which holds two sizes and then, slot by slot, where in the table a field is. Texts, vectors and tables are
referred to by their distance forward.
"""

import struct

# Slots of metadata_schema.fbs 1.5.0: t a text, b a byte, i a number, r a float, f floats, d bytes, {..} a table, [..]
# tables.
FILE = {"name": (0, "t"), "description": (1, "t"), "type": (2, "b")}
# What properties have depends on the kind: of an image, of boxes.
PROPERTIES = {2: {"color_space": (0, "b")}, 3: {"type": (1, "b"), "coordinate_type": (2, "b")}}
CONTENT = {"kind": (0, "b"), "properties": (1, PROPERTIES)}
UNIT = {"kind": (0, "b"), "options": (1, {"mean": (0, "f"), "std": (1, "f")})}
TENSOR = {
    "name": (0, "t"),
    "description": (1, "t"),
    "content": (3, CONTENT),
    "process_units": (4, [UNIT]),
    "stats": (5, {"max": (0, "f"), "min": (1, "f")}),
    "associated_files": (6, [FILE]),
}
CUSTOM = {"name": (0, "t"), "data": (1, "d")}
MODEL = {
    "name": (0, "t"),
    "description": (1, "t"),
    "version": (2, "t"),
    "subgraphs": (3, [{"inputs": (2, [TENSOR]), "outputs": (3, [TENSOR]), "custom": (9, [CUSTOM])}]),
    "author": (4, "t"),
    "license": (5, "t"),
    "min_parser_version": (7, "t"),
}
# Of object_detector_metadata_schema.fbs 1.0.0.
ANCHOR = {"x_center": (0, "r"), "y_center": (1, "r"), "width": (2, "r"), "height": (3, "r")}
DECODING = {
    "num_classes": (0, "i"),
    "num_boxes": (1, "i"),
    "num_coords": (2, "i"),
    "keypoint_coord_offset": (3, "i"),
    "num_keypoints": (4, "i"),
    "num_values_per_keypoint": (5, "i"),
    "x_scale": (6, "r"),
    "y_scale": (7, "r"),
    "w_scale": (8, "r"),
    "h_scale": (9, "r"),
    "apply_exponential_on_box_size": (10, "b"),
    "sigmoid_score": (11, "b"),
}
DETECTOR = {
    "min_parser_version": (0, "t"),
    "anchors": (1, {"schema": (0, {"anchors": (0, [ANCHOR])})}),
    "decoding": (2, DECODING),
}
# Of TFLite's own schema: the root, and its buffers and metadata.
TFLITE = {"metadata": (6, [{"name": (0, "t"), "buffer": (1, "i")}]), "buffers": (4, [{"data": (0, "d")}])}


def read_metadata(tflite):
    """Returns the metadata of a .tflite file as dicts and lists, None where a field is absent."""
    assert tflite[4:8] == b"TFL3"
    model = _table(tflite, _forward(tflite, 0), TFLITE)
    (entry,) = [entry for entry in model["metadata"] if entry["name"] == "TFLITE_METADATA"]
    content = model["buffers"][entry["buffer"]]["data"]
    assert content[4:8] == b"M001"
    return _table(content, _forward(content, 0), MODEL)


def read_detector(content):
    """Returns a detector's own metadata, within those of its file, in the same form."""
    assert content[4:8] == b"V001"
    return _table(content, _forward(content, 0), DETECTOR)


def buffer_places(tflite):
    """Where in the file the data of each buffer begin; None for empty ones."""
    model = _table(tflite, _forward(tflite, 0), {"buffers": (4, [{"data": (0, "place")}])})
    return [buffer["data"] for buffer in model["buffers"]]


def _number(data, place, form):
    return struct.unpack_from("<" + form, data, place)[0]


def _forward(data, place):
    return place + _number(data, place, "I")


def _table(data, place, slots):
    vtable = place - _number(data, place, "i")
    size = _number(data, vtable, "H")
    found = {}
    for name, (slot, form) in slots.items():
        entry = 4 + 2 * slot
        offset = _number(data, vtable + entry, "H") if entry < size else 0
        if form is PROPERTIES:
            form = form.get(found["kind"], {})
        found[name] = _field(data, place + offset, form) if offset else None
    return found


def _field(data, place, form):
    if form == "b":
        return data[place]
    if form in ("i", "r"):
        return _number(data, place, "I" if form == "i" else "f")
    place = _forward(data, place)
    if isinstance(form, dict):
        return _table(data, place, form)
    count = _number(data, place, "I")
    start = place + 4
    if form == "place":
        return start
    if form == "t":
        assert data[start + count] == 0
        return data[start : start + count].decode()
    if form == "d":
        return data[start : start + count]
    if form == "f":
        return list(struct.unpack_from(f"<{count}f", data, start))
    return [_table(data, _forward(data, start + 4 * i), form[0]) for i in range(count)]
