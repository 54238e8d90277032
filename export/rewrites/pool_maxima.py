"""Global maxima as phones' GPUs compute them rightly."""

from keraslayers.export.file.schema import schema
from keraslayers.export.rewrites._each import each


def pool_maxima(graph):
    """Writes the maximum of a whole image behind a sum as max pooling.

    LiteRT's GPU runtime makes one operator of a sum and the REDUCE_MAX after it, and computes it wrongly: a residual
    network for texts gets wrong classes, without an error.

    Given:   a, b -> ADD -> REDUCE_MAX over height and width
    Result:  a, b -> ADD -> MAX_POOL_2D of a window as large as the image -> RESHAPE
    """
    return each(graph, ("REDUCE_MAX",), _pool)


def _pool(build, operator):
    x, axes = operator.inputs
    rank = len(x.shape)
    if axes.values is None or rank not in (3, 4) or x.maker is None or x.maker.name != "ADD":
        return False
    if sorted(int(axis) % rank for axis in axes.values.reshape(-1)) != list(range(1, rank - 1)):
        return False
    height, width = x.shape[1:-1] if rank == 4 else (1, x.shape[1])
    batch, channels = x.shape[0], x.shape[-1]
    image = build.reshape(x, (batch, height, width, channels))
    pooled = build.computed(
        "MAX_POOL_2D",
        (image,),
        (batch, 1, 1, channels),
        padding=schema().Padding.VALID,
        filterHeight=height,
        filterWidth=width,
        strideH=height,
        strideW=width,
    )
    build.finish(build.reshape(pooled, operator.output.shape))
    return True
