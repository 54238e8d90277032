"""Convolutions over every n-th number, by their dilation."""

import numpy as np

from keraslayers.export.rewrites._each import each

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
# Of each number alone; of two, if one is a constant for each channel or both were taken apart alike.
POINTWISE = (
    "ABS",
    "ADD",
    "DIV",
    "ELU",
    "EXP",
    "GELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOGISTIC",
    "MAXIMUM",
    "MINIMUM",
    "MUL",
    "NEG",
    "PRELU",
    "RELU",
    "RELU6",
    "RELU_0_TO_1",
    "RELU_N1_TO_1",
    "SQUARE",
    "SUB",
    "TANH",
)
RESHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
SAME, VALID = 0, 1  # the format's paddings
DILATED = 2  # the version of a DEPTHWISE_CONV_2D that is


def dilate_convolutions(graph):
    """Writes convolutions between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND with a dilation.

    Given:   x [1, 64, 8] -> SPACE_TO_BATCH_ND [4, 16, 8] -> RESHAPE [4, 1, 16, 8] -> CONV_2D -> RESHAPE -> RELU
             -> BATCH_TO_SPACE_ND [1, 56, 16]
    Result:  x -> RESHAPE [1, 1, 64, 8] -> CONV_2D, dilation 4 -> RELU -> RESHAPE [1, 56, 16]

    No GPU, and not XNNPACK, has the two; both have dilations. What they pad and crop becomes the convolution's
    padding, or a PAD in front of it. Several convolutions may share the first of the two.
    """
    return each(graph, ("BATCH_TO_SPACE_ND",), _dilate)


def _dilate(build, operator):
    x, block, crops = operator.inputs
    if not (block.constant and crops.constant and x.quantized_as(operator.output)):
        return False
    whole = _Whole(build, operator)
    if not whole.reaches_back(x):
        return False
    build.finish(build.reshape(whole.cropped(whole.of(x)), operator.output.shape))
    return True


class _Whole:
    """Makes of tensors of every n-th number, a batch of them, those of all numbers.

    They have four axes; of a sequence the axis that is not its own is one.
    """

    def __init__(self, build, operator):
        self.build, self.end = build, operator
        self.block = operator.inputs[1].values.reshape(-1)
        self.crops = operator.inputs[2].values.reshape(-1, 2)
        self.inside, self.sequence, self.made, self.pads = {}, None, {}, {}

    def reaches_back(self, tensor):
        """Whether what is between a tensor and the SPACE_TO_BATCH_ND that it is of can be done on the whole."""
        waiting = [tensor]
        while waiting:
            maker = waiting.pop().maker
            if maker is None or not self._fits(maker):
                return False
            if maker not in self.inside:
                self.inside[maker] = None
                waiting += [] if maker.name == "SPACE_TO_BATCH_ND" else self._sides(maker)
        starts = [op for op in self.inside if op.name == "SPACE_TO_BATCH_ND"]
        convolutions = [op for op in self.inside if op.name in CONVOLUTIONS]
        ways = {self._sequence_along(op) for op in convolutions}
        if len(starts) != 1 or len(ways) != 1 or None in ways:
            return False
        (self.sequence,) = ways
        (self.start,) = starts
        self._merge_borders(convolutions)
        return True

    def _fits(self, operator):
        if operator.name == "SPACE_TO_BATCH_ND":
            x, block, borders = operator.inputs
            same = block.constant and borders.constant and np.array_equal(block.values.reshape(-1), self.block)
            return same and x.quantized_as(operator.output)
        if operator.name in RESHAPES:
            # Axes of one come or go between those of the sequence, and nothing else.
            kept = [[size for size in t.shape if size > 1] for t in (operator.inputs[0], operator.output)]
            return kept[0] == kept[1] and operator.inputs[0].quantized_as(operator.output)
        if operator.name in CONVOLUTIONS:
            options = operator.options
            return (options.strideH, options.strideW) == (1, 1) and len(operator.output.shape) == 4
        if operator.name not in POINTWISE:
            return False
        channels = operator.output.shape[-1]
        numbers = [tensor for tensor in operator.inputs if tensor.constant]
        each_channel = all(tensor.size == 1 or tensor.shape[-1] == tensor.size == channels for tensor in numbers)
        return each_channel and all(t.shape == operator.output.shape for t in self._sides(operator))

    def _sides(self, operator):
        if operator.name in (*CONVOLUTIONS, *RESHAPES):
            return [operator.inputs[0]]
        return [tensor for tensor in operator.inputs if not tensor.constant]

    def _sequence_along(self, convolution):
        """The axis of a sequence in an image, 1 or 2; 0 if there is no sequence but an image; None if it is unclear."""
        if len(self.block) == 2:
            return 0
        height, width = convolution.inputs[0].shape[1:3]
        across = convolution.inputs[1].shape[1 if height == 1 else 2]
        return None if (height == 1) == (width == 1) or across != 1 else 2 if height == 1 else 1

    def _merge_borders(self, convolutions):
        """What is cropped from results need not be padded before, where no convolution pads between."""
        self.borders = self.start.inputs[2].values.reshape(-1, 2)
        if all(convolution.options.padding == VALID for convolution in convolutions):
            less = np.minimum(self.borders, self.crops)
            self.borders, self.crops = self.borders - less, self.crops - less

    def two(self, numbers, otherwise):
        """What is said of each spatial axis, of height and width."""
        numbers = list(numbers)
        return numbers if not self.sequence else [numbers[0], otherwise][:: 1 if self.sequence == 1 else -1]

    def of(self, tensor):
        if tensor not in self.made:
            self.made[tensor] = self._of(tensor)
        return self.made[tensor]

    def _of(self, tensor):
        operator = tensor.maker
        if operator is self.start:
            x = operator.inputs[0]
            x = self.build.reshape(x, self.four(x.shape)) if self.sequence else x
            return self.padded(x, self.two(self.borders.tolist(), [0, 0]))
        if operator.name in RESHAPES:
            return self.of(operator.inputs[0])
        if operator.name in CONVOLUTIONS:
            return self.convolution(operator)
        inputs = [side if side.constant else self.of(side) for side in operator.inputs]
        shape = next(side.shape for side in inputs if not side.constant)
        return self.inserted(operator, inputs, shape)

    def four(self, shape):
        batch, length, channels = shape
        return (batch, length, 1, channels) if self.sequence == 1 else (batch, 1, length, channels)

    def convolution(self, operator):
        options, kernel = operator.options, operator.inputs[1]
        block = self.two(self.block, 1)
        dilations = [options.dilationHFactor * int(block[0]), options.dilationWFactor * int(block[1])]
        reach = [(size - 1) * by for size, by in zip(kernel.shape[1:3], dilations, strict=True)]
        x, padding = self.of(operator.inputs[0]), VALID
        if options.padding == SAME:  # of each part by itself, whose halves may be others than those of the whole
            parts = [n // by for n, by in zip(reach, block, strict=True)]
            x = self.padded(x, [[n // 2 * by, (n - n // 2) * by] for n, by in zip(parts, block, strict=True)])
        if x in self.pads and self.pads[x][1] == [[n // 2, n - n // 2] for n in reach]:
            x, padding = self.pads[x][0], SAME
        sizes = x.shape[1:3] if padding == SAME else [n - by for n, by in zip(x.shape[1:3], reach, strict=True)]
        output = self.inserted(operator, (x, *operator.inputs[1:]), (x.shape[0], *sizes, operator.output.shape[-1]))
        made = output.maker
        made.options.padding, (made.options.dilationHFactor, made.options.dilationWFactor) = padding, dilations
        made.version = max(made.version, DILATED)
        return output

    def padded(self, x, sides):
        if not np.any(sides):
            return x
        borders = [[0, 0], *map(list, sides), [0, 0]]
        shape = [size + sum(two) for size, two in zip(x.shape, borders, strict=True)]
        y = self.build.computed("PAD", (x, self.build.integers(borders)), shape)
        self.pads[y] = x, borders[1:3]
        return y

    def cropped(self, x):
        sides = self.two(self.crops.tolist(), [0, 0])
        begin = [0, *(side[0] for side in sides), 0]
        size = [n - sum(side) for n, side in zip(x.shape, [[0, 0], *sides, [0, 0]], strict=True)]
        return self.build.slice(x, begin, size)

    def inserted(self, operator, inputs, shape):
        output = self.build.tensor(shape, operator.output)
        self.build.graph.insert(operator.twin(inputs, (output,)), self.end)
        return output
