"""Convolutions side by side whose outputs are summed, as one convolution."""

import itertools
from dataclasses import dataclass

import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import remade, stored
from keraslayers.export.rewrites._padding import before, zeros

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
FLOATS = ("float32", "float16")


def merge_branches(graph):
    """Makes one convolution of two that read the same and are summed, or of one and what it reads.

    Blocks of RepVGG, MobileOne, ACNet and FastViT train with branches, and files of them are exported so; one
    convolution computes the same. Of images of 128 pixels XNNPACK took 0.26 times as long for MobileOne-S0, in a file
    of a quarter of the size, 0.8 times for RepVGG-A0, and as long as before for FastViT-T8 and RepViT-M1. Files of
    integers are made of such files: one kernel rounds once, where branches round each, and their sum again.

    Given:   x -> CONV_2D (kernel of 3x3, bias) -> y; x -> CONV_2D (kernel of 1x1) -> z; y, z -> ADD
    Result:  x -> CONV_2D (kernel of 3x3 with that of 1x1 added where its window lies; the sum of the biases)

    x itself, and x times and plus a constant for each channel, is a kernel of 1x1. What pads x comes before y alone.
    Source: Ding et al. 2021, arXiv:2101.03697, section 3.3.
    """
    return each(graph, ("ADD", "SUB"), _merge)


@dataclass(frozen=True)
class _Branch:
    """What a term of the sum is made of.

    Attributes:
        start: the tensor that it starts from.
        convolution: its operator; None of what only scales and moves `start`.
        before: zeros before the first place of height and width, from `start` on.
        scale, offset: of what is no convolution, by channel.
    """

    start: object
    convolution: object = None
    before: tuple = (0, 0)
    scale: object = 1.0
    offset: object = 0.0

    @property
    def size(self):
        return self.convolution.inputs[1].shape[1:3] if self.convolution else (1, 1)

    @property
    def kind(self):
        """What two convolutions must have in common."""
        kernel, options = self.convolution.inputs[1], self.convolution.options
        depth = kernel.shape[-1] if self.convolution.name == "CONV_2D" else 0
        return self.convolution.name, depth, options.strideH, options.strideW

    def sees(self, other):
        """Whether what `other` sees lies in the window of this one."""
        pairs = zip(self.before, self.size, other.before, other.size, strict=True)
        return all(mine >= its and whole - mine >= part - its for mine, whole, its, part in pairs)


def _merge(build, operator):
    output = operator.output
    if any(x is None or x.shape != output.shape or x.dtype != "float32" for x in operator.inputs):
        return False
    if len(output.shape) != 4:
        return False
    for pair in itertools.product(*(_branches(build.graph, x) for x in operator.inputs)):
        for place, widest in enumerate(pair):
            if _fit(widest, pair[1 - place]):
                _sum(build, operator, pair, place)
                return True
    return False


def _fit(widest, other):
    if widest.convolution is None or widest.start is not other.start or not widest.sees(other):
        return False
    if other.convolution is not None:
        return other.convolution is not widest.convolution and other.kind == widest.kind
    _, _, *strides = widest.kind
    return strides == [1, 1]


def _branches(graph, tensor):
    """Yields what a term of a sum may be, from the whole of it to as little of it as possible."""
    alone = len(tensor.readers) == 1 and not graph.given(tensor)
    maker = tensor.maker
    if alone and maker is not None and _is_plain(maker):
        x = maker.inputs[0]
        if (padded := zeros(x.maker)) is not None:
            yield _Branch(x.maker.inputs[0], maker, tuple(np.add(before(maker), padded)))
        yield _Branch(x, maker, before(maker))
    scale, offset = 1.0, 0.0
    while alone and (found := _by_channel(tensor)):
        tensor, factor, term = found
        scale, offset = scale * factor, scale * term + offset
        yield _Branch(tensor, scale=scale, offset=offset)
        alone = len(tensor.readers) == 1 and not graph.given(tensor)
    yield _Branch(tensor, scale=scale, offset=offset)


def _is_plain(operator):
    """Whether it is a convolution of constant floats with nothing behind it."""
    if operator.name not in CONVOLUTIONS or operator.activation != "NONE" or operator.open:
        return False
    options = operator.options
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        return False
    # LiteRT's own kernels want a bias, though the format does not.
    kernel, *bias = operator.inputs[1:]
    return len(bias) == 1 and all(x is not None and _floats(x) is not None for x in (kernel, *bias))


def _floats(constant):
    """The values behind a constant, which may be of 16 bits in the file; None of other tensors."""
    source = stored(constant)
    if source is None or source.dtype not in FLOATS or constant.dtype != "float32":
        return None
    return source.values.astype("float64")


def _by_channel(tensor):
    """(x, factor, term) where a tensor is x times and plus constants by channel; None where it is not."""
    maker = tensor.maker
    if maker is None or maker.name not in ("ADD", "MUL") or maker.activation != "NONE":
        return None
    for x, constant in (maker.inputs, maker.inputs[::-1]):
        values = _floats(constant)
        if values is None or values.size not in (1, constant.shape[-1:] and constant.shape[-1]):
            continue
        if x.shape == tensor.shape:
            values = values.reshape(-1)
            return (x, values, 0.0) if maker.name == "MUL" else (x, 1.0, values)
    return None


def _sum(build, operator, pair, place):
    widest = pair[place]
    convolution, kernel = widest.convolution, widest.convolution.inputs[1]
    summed, biases = np.zeros(kernel.shape), np.zeros(operator.output.shape[-1])
    for i, branch in enumerate(pair):
        sign = -1.0 if i and operator.name == "SUB" else 1.0
        values, bias = _numbers(branch, convolution)
        (top, left), (height, width) = np.subtract(widest.before, branch.before), branch.size
        summed[:, top : top + height, left : left + width] += sign * values
        biases = biases + sign * bias
    beside = Builder(build.graph, convolution)
    beside.name = operator.output.name
    build.graph.rewire(
        convolution, (convolution.inputs[0], remade(beside, kernel, summed), beside.constant(biases.astype("float32")))
    )
    convolution.options.fusedActivationFunction = operator.options.fusedActivationFunction
    output = operator.output
    build.graph.remove(operator)
    build.graph.make(convolution, output)


def _numbers(branch, convolution):
    """(kernel, bias) of a branch, in the form of a convolution that is as deep."""
    if branch.convolution is not None:
        _, kernel, bias = branch.convolution.inputs
        return _floats(kernel), _floats(bias)
    shape = convolution.inputs[1].shape
    if convolution.name == "CONV_2D":
        # Each filter passes the channel of its place in its group.
        ones = np.tile(np.eye(shape[-1]), (shape[0] // shape[-1], 1))
        values = (ones * np.reshape(branch.scale, (-1, 1)))[:, None, None, :]
    else:
        values = np.broadcast_to(branch.scale, (1, 1, 1, shape[-1]))
    return values, branch.offset
