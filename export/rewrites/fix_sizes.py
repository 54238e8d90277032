"""Sizes that the file leaves open become known: runtimes that plan ahead take no others."""

from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import cpu


def fix_sizes(file, blob):
    """Gives every tensor of the main graph the size that it has in a batch of one.

    Given:   x [?, 8, 8, 3] -> SHAPE -> ...; x -> RESHAPE [?, 192] -> y
    Result:  x [1, 8, 8, 3] -> SHAPE -> ...; x -> RESHAPE [1, 192] -> y, sizes being known all along

    Some tools leave sizes within open where all of the inputs' are known. The sizes are those that tensors have when
    LiteRT's built-in kernels run the file, on zeros and on ones. What asks for them is thereby a constant, which
    `fold_constants` computes.

    Args:
        file: an `edit.File`.
        blob: the bytes it was read from.

    Returns:
        The places changed, as other rewrites: none where no size is open, where others than the first axis of an
        input are, or where sizes depend on values.
    """
    inputs = [tensor for tensor in file.main.inputs if tensor.open]
    if any(tensor.open_axes != (0,) for tensor in inputs):
        return []
    made = [tensor for operator in file.main.operators for tensor in operator.outputs if tensor.open]
    if not inputs and not made:
        return []
    # Behind the file's own tensors come those that the kernels need for themselves.
    for tensor, shape in zip(file.tensors, cpu.shapes(blob, read_graph(blob)), strict=False):
        tensor.fix(shape)
    places = [("INPUT", tensor) for tensor in inputs] or [(tensor.maker.name, tensor) for tensor in made]
    return [(kind, tensor.name) for kind, tensor in places if not tensor.open]
