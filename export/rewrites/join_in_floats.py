"""Numbers of several scales side by side, in floats."""

from keraslayers.export.file.build import Builder

# Numbers are rounded away where a step becomes more than so many times as wide: of 256 fewer than 32 are left.
SEVERAL = 8
JOINS = ("CONCATENATION", "PACK")
MOVES = ("EXPAND_DIMS", "GATHER", "RESHAPE", "SLICE", "SPLIT", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE", "UNPACK")


def join_in_floats(graph):
    """Puts integers of several scales side by side as floats, where they become floats behind it.

    Side by side in integers they have one scale. Beside boxes of 640 pixels, in steps of 2.5, all scores are zero.
    The numbers move by no more than a step of this scale.

    Given:   scores of scale 1/256 -> QUANTIZE to 2.5; with boxes of scale 2.5 -> CONCATENATION -> DEQUANTIZE -> y
    Result:  scores -> DEQUANTIZE; boxes -> DEQUANTIZE; both -> CONCATENATION -> y
    """
    places = []
    for operator in list(graph.operators):
        rounded = operator.name in JOINS and any(_rounded_away(x, operator.output) for x in operator.inputs)
        if rounded and (region := _moved_alone(graph, operator)):
            places.append((operator.name, operator.output.name))
            _to_floats(graph, region)
    return places


def _rounded_away(x, joined):
    """Whether numbers got the scale of a join on the way to it, and lost what they were."""
    while x.maker is not None and x.maker.name in MOVES:
        x = x.maker.inputs[-1 if x.maker.name == "SPLIT" else 0]
    if x.maker is None or x.maker.name != "QUANTIZE" or joined.dtype != "int8" or joined.scale is None:
        return False
    return (x.maker.inputs[0].scale or joined.scale) * SEVERAL < joined.scale


def _moved_alone(graph, join):
    """What moves the numbers of a join: up to where they become floats, and from where they got its scale on.

    Empty if more is done with them.
    """
    found = [join]
    for op in found:  # which grows meanwhile
        if op.name == "DEQUANTIZE":
            continue
        known = op.name in JOINS + MOVES or (op.name == "QUANTIZE" and op.output.dtype == "int8")
        if not known or any(graph.given(output) for output in op.outputs):
            return []
        readers = (reader for output in op.outputs for reader in output.readers if reader.name != "SHAPE")
        found += [reader for reader in readers if reader not in found]
    for op in reversed(graph.operators):
        if op.name in JOINS + MOVES and op not in found and op.output.scale is not None:
            readers = {reader for output in op.outputs for reader in output.readers if reader.name != "SHAPE"}
            if readers <= set(found) and not any(graph.given(output) for output in op.outputs):
                found.append(op)
    return sorted(found, key=graph.operators.index)


def _to_floats(graph, region):
    for op in region:
        build = Builder(graph, op)
        for output in op.outputs:
            output.retype("float32")
            output.quantize(None)
        if op.name in ("DEQUANTIZE", "QUANTIZE"):
            source = op.inputs[0]
            graph.rewire(op, ())
            build.finish(source)
        else:
            graph.rewire(op, [_in_floats(build, x) for x in op.inputs])


def _in_floats(build, x):
    """What integers stand for; of integers that were rounded on the way what they were before."""
    if x.scale is None:
        return x  # floats already, or places and sizes
    if x.maker is not None and x.maker.name == "QUANTIZE":
        x = x.maker.inputs[0]
    if x.dtype == "float32":
        return x
    if x.values is not None:
        return build.constant(((x.values.astype("float32") - x.zero_point) * x.scale).astype("float32"))
    made = x.twin()  # of sizes that are left open, too
    made.retype("float32")
    made.quantize(None)
    return build.add("DEQUANTIZE", (x,), made)
