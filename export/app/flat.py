"""Tables of FlatBuffers, told by the names of their slots."""

import numpy as np

SCALARS = {
    "bool": "PrependBoolSlot",
    "byte": "PrependByteSlot",
    "float": "PrependFloat32Slot",
    "int": "PrependInt32Slot",
}


def writer(builder, schema):
    """Returns a function of (kind, **fields) that writes a table and returns where it is.

    A field is a number, a text, bytes, an array, or a list of tables; a table is written already, and is told by where.
    None is left out, as a schema's default is.

    Args:
        builder: a flatbuffers.Builder.
        schema: by kind of table the names of its slots, in their order; behind a colon the type of those that hold a
            number, one of `SCALARS`. All others refer to something.
    """
    slots = {kind: [slot.partition(":")[::2] for slot in names.split()] for kind, names in schema.items()}

    def table(kind, **fields):
        places = {name: (number, scalar) for number, (name, scalar) in enumerate(slots[kind])}
        # What a table refers to is written before it.
        fields = {
            name: value if places[name][1] else _written(builder, value)
            for name, value in fields.items()
            if value is not None
        }
        builder.StartObject(len(places))
        for name, value in fields.items():
            number, scalar = places[name]
            put = getattr(builder, SCALARS[scalar]) if scalar else builder.PrependUOffsetTRelativeSlot
            put(number, value, 0)
        return builder.EndObject()

    return table


def _written(builder, value):
    """Writes what a table refers to; returns where."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, bytes):
        builder.StartVector(1, len(value), 16)  # a FlatBuffer within another begins at a multiple of 16
        builder.head -= len(value)
        builder.Bytes[builder.head : builder.head + len(value)] = value
        return builder.EndVector()
    if isinstance(value, list):
        builder.StartVector(4, len(value), 4)
        for place in reversed(value):
            builder.PrependUOffsetTRelative(place)
        return builder.EndVector()
    return value
