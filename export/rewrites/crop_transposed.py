"""Transposed convolutions of padding "same" as phones' GPUs compute them rightly."""

from keraslayers.export.file.schema import schema
from keraslayers.export.rewrites._each import each

# (kernel, stride) of an axis that the GPU computes rightly whatever the size.
RIGHT = {(2, 2), (4, 2)}


def crop_transposed(graph):
    """Writes transposed convolutions of padding "same" as "valid" ones that are cropped.

    LiteRT's GPU runtime computes most of them wrongly: all of stride 3 or 4 that were tried, and of stride 2 those
    whose kernel is odd where the image's height or width is. Of padding "valid" it computes them rightly.

    Given:   x -> TRANSPOSE_CONV (padding "same")
    Result:  x -> TRANSPOSE_CONV (padding "valid") -> SLICE
    """
    return each(graph, ("TRANSPOSE_CONV",), _crop)


def _crop(build, operator):
    _, kernel, x, *bias = operator.inputs
    options, output = operator.options, operator.output
    if options.padding != schema().Padding.SAME:
        return False
    axes = list(zip(kernel.shape[1:3], (options.strideH, options.strideW), strict=True))
    sizes = x.shape[1:3]
    even = all(size % 2 == 0 for size in sizes)
    if max(stride for _, stride in axes) == 1 or all(axis in RIGHT for axis in axes) or (even and axes == [(3, 2)] * 2):
        return False
    if output.shape[1:3] != tuple(size * stride for size, (_, stride) in zip(sizes, axes, strict=True)):
        return False
    crops = [max(reach - stride, 0) for reach, stride in axes]
    shape = (output.shape[0], *(s + c for s, c in zip(output.shape[1:3], crops, strict=True)), output.shape[3])
    inputs = (build.integers(shape), kernel, x, *bias)
    whole = build.tensor(shape, output)
    made = operator.twin(inputs, (whole,))
    made.options.padding = schema().Padding.VALID
    build.graph.insert(made, operator)
    if any(crops):
        whole = build.slice(whole, (0, *(crop // 2 for crop in crops), 0), output.shape)
    build.finish(whole)
    return True
