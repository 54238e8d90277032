"""Writes a file that was changed. Constants are copied once, into it."""

import io
import struct
import zipfile

import numpy as np

from keraslayers.export.file import versions
from keraslayers.export.file.nodes import calls_of, copied
from keraslayers.export.file.schema import new_table, schema

# What the format's offsets reach, and what LiteRT loads.
MOST_BYTES = 2**31 - 1
# XNNPACK and the kernels read constants in place, 16 bytes at a time.
ALIGNMENT = 16


def written(file):
    """Returns the bytes of an `edit.File`.

    Raises:
        ValueError: if they are more than the format holds.
    """
    codes, graphs, buffers = {}, [], {None: 0}
    # Buffer 0 stands for no data.
    datas = [None]
    number = {graph: i for i, graph in enumerate(file.graphs)}
    place = {tensor: i for i, tensor in enumerate(file.tensors)}

    def number_of(buffer):
        if buffer.data is None:
            return 0
        if buffer not in buffers:
            buffers[buffer] = len(datas)
            datas.append(buffer.data)
        return buffers[buffer]

    index_of = {}  # of all graphs' tensors
    for graph in file.graphs:
        tensors = _tensors(graph, [s for s in file.signatures if s.graph is graph])
        tensors.sort(key=lambda tensor: place.get(tensor, len(place)))
        index = {tensor: i for i, tensor in enumerate(tensors)}
        index_of.update(index)

        def many(held, index=index):
            return [-1 if tensor is None else index[tensor] for tensor in held]

        operators = [_operator(operator, codes, many, number) for operator in graph.operators]
        tables = []
        for tensor in tensors:
            table = copied(tensor._table)
            table.name, table.buffer = tensor.name, number_of(tensor.buffer)
            tables.append(table)
        graphs.append(
            new_table(
                "SubGraph",
                tensors=tables,
                inputs=many(graph.inputs),
                outputs=many(graph.outputs),
                operators=operators,
                name=graph.name,
            )
        )
    signatures = [
        new_table(
            "SignatureDef",
            signatureKey=signature.key,
            subgraphIndex=number[signature.graph],
            **{
                side: [
                    new_table("TensorMap", name=name, tensorIndex=index_of[tensor])
                    for name, tensor in getattr(signature, side).items()
                ]
                for side in ("inputs", "outputs")
            },
        )
        for signature in file.signatures
    ]
    metadata = [new_table("Metadata", name=name, buffer=number_of(buffer)) for name, buffer in file.metadata.items()]
    model = new_table(
        "Model",
        version=file.version,
        operatorCodes=list(codes.values()),
        subgraphs=graphs,
        description=file.description,
        buffers=[new_table("Buffer", data=None if data is None else np.zeros(0, "uint8")) for data in datas],
        metadata=metadata or None,
        signatureDefs=signatures or None,
    )
    return _with_files(_packed(model, datas), file.files)


def _tensors(graph, signatures):
    """All that a graph's operators, borders and signatures name, each once."""
    named = [
        *graph.inputs,
        *graph.outputs,
        *(t for s in signatures for t in (*s.inputs.values(), *s.outputs.values())),
        *(t for op in graph.operators for t in (*op.inputs, *op.intermediates, *op.outputs) if t is not None),
    ]
    return list(dict.fromkeys(named))


def _operator(operator, codes, many, number):
    made = schema()
    # One label stands for all operators of a kind, and the highest of them stamps it: each gets its own.
    version = min(operator.version, versions.least(operator) or operator.version)
    key = (operator.name, operator.custom, version)
    if key not in codes:
        code = made.BuiltinOperator.CUSTOM if operator.custom else getattr(made.BuiltinOperator, operator.name)
        codes[key] = new_table(
            "OperatorCode",
            deprecatedBuiltinCode=min(code, made.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES),
            builtinCode=code,
            customCode=operator.name if operator.custom else None,
            version=version,
        )
    table = copied(operator._table)
    table.opcodeIndex = list(codes).index(key)
    table.inputs, table.outputs = many(operator.inputs), many(operator.outputs)
    table.intermediates = many(operator.intermediates) or None
    options = operator.options
    if calls := calls_of(operator):
        options = copied(options)
        for name in calls:
            setattr(options, name, number[getattr(options, name)])
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        if hasattr(made.BuiltinOptions, kind):
            table.builtinOptionsType, table.builtinOptions = getattr(made.BuiltinOptions, kind), options
        else:
            table.builtinOptions2Type, table.builtinOptions2 = getattr(made.BuiltinOptions2, kind), options
    return table


def _packed(model, datas):
    """The bytes of a model whose constants are written behind its tables: building them in would copy each many times.

    Tables are written with vectors of no bytes, whose places are then changed to where the bytes are put.
    """
    import flatbuffers

    builder = flatbuffers.Builder(2**16)
    builder.Finish(model.Pack(builder), b"TFL3")
    head = builder.Output()
    table = schema().Model.GetRootAsModel(head, 0)
    parts, end = [head], len(head)
    total = len(head) + sum(len(data) + 2 * ALIGNMENT for data in datas if data is not None)
    if total > MOST_BYTES:
        raise ValueError(
            f"a TFLite file of {total / 2**30:.1f} GB: the format holds 2 GB. Make one with weights of fewer bits."
        )
    for i, data in enumerate(datas):
        if data is None:
            continue
        raw = table.Buffers(i)._tab
        field = raw.Pos + raw.Offset(4)  # the first field of a Buffer, its data
        space = -(end + 4) % ALIGNMENT  # so that the bytes behind the length are aligned
        struct.pack_into("<I", head, field, end + space - field)
        parts += [bytes(space), struct.pack("<I", len(data)), memoryview(np.ascontiguousarray(data)).cast("B")]
        end += space + 4 + len(data)
    return b"".join(parts)


def _with_files(blob, files):
    """The bytes with an archive behind them."""
    if not files:
        return blob
    whole = io.BytesIO(blob)
    with zipfile.ZipFile(whole, "a") as archive:  # stored, not compressed: apps map it into memory
        for info, data in files:
            archive.writestr(info, data)
    return whole.getvalue()
