"""A batch that the file leaves open becomes one: runtimes that plan ahead take no other."""

from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import cpu


def fix_batch(file, blob):
    """Gives every tensor of the main graph the size that it has in a batch of one.

    Given:   x [?, 8, 8, 3] -> SHAPE -> ...; x -> RESHAPE [?, 192] -> y
    Result:  x [1, 8, 8, 3] -> SHAPE -> ...; x -> RESHAPE [1, 192] -> y, sizes being known all along

    The sizes are those that tensors have when LiteRT's built-in kernels run the file on zeros. What asks for them
    is thereby a constant, which `fold_constants` computes.

    Args:
        file: an `edit.File`.
        blob: the bytes it was read from.

    Returns:
        The places changed, as other rewrites: none where no size is open, or others than the first axis of an input.
    """
    unknown = [tensor for tensor in file.main.inputs if tensor.open]
    if not unknown or any(tensor.open_axes != (0,) for tensor in unknown):
        return []
    shapes = cpu.shapes(blob, read_graph(blob))
    # Behind the file's own tensors come those that the kernels need for themselves.
    for tensor, shape in zip(file.tensors, shapes, strict=False):
        tensor.fix(shape)
    return [("INPUT", tensor.name) for tensor in unknown if not tensor.open]
