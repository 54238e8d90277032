"""A file in floats without loops, as it can be quantized."""

from keraslayers.export.file import edit
from keraslayers.export.rewrites.drop_state import drop_state
from keraslayers.export.rewrites.fold_constants import fold_constants
from keraslayers.export.rewrites.inline_branches import inline_branches
from keraslayers.export.rewrites.unroll_loops import MOST_STEPS, unroll_loops
from keraslayers.export.source.layer_names import namer


def unrolled(blob, model):
    """Returns the bytes of a file whose loops are written step by step.

    Args:
        blob: the file.
        model: the Keras model that it was made of.

    Raises:
        RuntimeError: if one has more steps than that makes sense of, or goes on as its numbers say.
    """
    file = edit.read(blob)
    graph = file.main
    for rewrite in (inline_branches, unroll_loops, drop_state, fold_constants):
        rewrite(graph)
        graph.sweep()
    left = [operator.output.name for operator in graph.operators if operator.name == "WHILE"]
    if left:
        layer = namer(model)(left[0])
        raise RuntimeError(
            f"`to_tflite`: model {model.name!r} has a loop that cannot be quantized, in "
            f"{f'layer `{layer}`' if layer else repr(left[0])}: it has more than {MOST_STEPS} steps, or goes on as its "
            "numbers say. Give it a shorter input of a fixed length, or take precision='dynamic', which keeps it in "
            "floats."
        )
    file.sweep()
    return file.write()
