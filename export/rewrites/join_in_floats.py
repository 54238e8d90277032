"""Numbers of several scales side by side, in floats."""

from keraslayers.export.file.build import Builder
from keraslayers.export.rewrites._each import each

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
    return each(graph, JOINS, _join)


def _join(build, operator):
    if not any(_rounded_away(x, operator.output) for x in operator.inputs):
        return False
    region = _moved_alone(build.graph, operator)
    for op in region:
        before = Builder(build.graph, op)
        for output in op.outputs:
            output.retype("float32")
            output.quantize(None)
        if op.name in ("DEQUANTIZE", "QUANTIZE"):
            before.finish(op.inputs[0])
        else:
            build.graph.rewire(op, [_in_floats(before, x) for x in op.inputs])
    return bool(region)


def _rounded_away(x, output):
    maker = x.maker
    if maker is None or maker.name != "QUANTIZE" or output.dtype != "int8" or output.scale is None:
        return False
    return (maker.inputs[0].scale or output.scale) * SEVERAL < output.scale


def _moved_alone(graph, join):
    """What moves joined numbers on to where they become floats, from the join on; empty if more is done with them."""
    found = [join]
    for op in found:  # which grows meanwhile
        if op.name == "DEQUANTIZE":
            continue
        known = op.name in JOINS + MOVES or (op.name == "QUANTIZE" and op.output.dtype == "int8")
        if not known or op.open or any(graph.given(output) for output in op.outputs):
            return []
        found += [reader for output in op.outputs for reader in output.readers if reader not in found]
    return sorted(found, key=graph.operators.index)


def _in_floats(build, x):
    """What integers stand for; of integers that were rounded on the way what they were before."""
    if x is None or x.scale is None:
        return x  # floats already, or places and sizes
    if x.maker is not None and x.maker.name == "QUANTIZE":
        x = x.maker.inputs[0]
    if x.dtype == "float32":
        return x
    if x.values is not None:
        return build.constant(((x.values.astype("float32") - x.zero_point) * x.scale).astype("float32"))
    return build.computed("DEQUANTIZE", (x,), x.shape, dtype="float32")
