"""What one call of a layer costs, and which places of its input each place of its output looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from keraslayers.analysis.sizes import pads

# Bytes of an element of weights and of one of activations, as a file of that precision holds them.
BYTES = {
    "float32": (4, 4),
    "float16": (2, 4),
    "dynamic": (1, 4),
    "int4": (0.5, 4),
    "int8": (1, 1),
    "int16x8": (1, 2),
}


@dataclass(frozen=True)
class Window:
    """What the places of an output see along one axis: place i sees `size` places from `start` + i * `stride` on.

    Windows of layers behind each other make one window, by the arithmetic of receptive fields.

    Args:
        size: places that are seen; `math.inf` where it is all of them, wherever they lie.
        stride: how far the window moves from one place to the next; a fraction where the output is the larger.
        start: first place that place 0 sees; below zero in the padding.

    Source: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks",
    doi:10.23915/distill.00021, equations 2 to 4.
    """

    size: int | float = 1
    stride: int | float | Fraction = 1
    start: int | float | Fraction = 0

    def after(self, earlier: Window) -> Window:
        """The window onto the input of a layer `earlier`, whose output this one looks at."""
        stride = earlier.stride * self.stride
        if math.inf in (earlier.size, self.size):
            return Window(math.inf, stride, -math.inf)
        size = earlier.size + (self.size - 1) * earlier.stride
        return Window(size, stride, earlier.start + self.start * earlier.stride)

    def __or__(self, other: Window) -> Window | None:
        """The window that covers both; None where their places move apart."""
        stride = min(self.stride, other.stride)
        if math.inf in (self.size, other.size):
            return Window(math.inf, stride, -math.inf)
        if self.stride != other.stride:
            return None
        start = min(self.start, other.start)
        return Window(max(self.start + self.size, other.start + other.size) - start, stride, start)


#: Each place sees all places, and stays one of them.
EVERYWHERE = Window(math.inf)
#: All places become one.
POOLED = Window(math.inf, math.inf)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a layer's method `call_cost(input_shape, output_shape)` returns to `keraslayers.analyze`.

    The shapes are those of one call, batch included, all sizes known; several inputs or outputs are a list. Any layer
    may have the method: a Keras layer that has none and is not one of Keras's own is unknown to the analysis.

    ```python
    class Square(keras.layers.Layer):
        def call(self, inputs):
            return inputs * inputs

        def call_cost(self, input_shape, output_shape):
            return keraslayers.Cost(multiply_adds=math.prod(output_shape))
    ```

    Args:
        multiply_adds: products that are added up: of convolutions, Dense layers, and products of matrices. By
            convention biases, normalizations, activations, pooling and interpolation count nothing.
        activation_products: those among them whose factors are both computed, as in attention. Published tables
            differ in whether they count them.
        flops: floating-point operations; by default 2 * multiply_adds.
        depth: convolutions, one behind another.
        window: a `Window` for all axes of places, or a tuple of one an axis; None where they follow no window, which
            leaves the receptive field unknown from there on. By default each place sees its own alone.
        weights: elements of weights that are read; by default all that the layer has.
        free: whether nothing is read or written, as by Dropout in inference.

    Source: the convention is that of Howard et al. 2017, arXiv:1704.04861, section 3.2.
    """

    multiply_adds: int = 0
    activation_products: int = 0
    flops: int | None = None
    depth: int = 0
    window: Window | tuple[Window, ...] | None = Window()
    weights: int | None = None
    free: bool = False

    def __post_init__(self) -> None:
        if self.flops is None:
            object.__setattr__(self, "flops", 2 * self.multiply_adds)

    def then(self, later: Cost) -> Cost:
        """The cost of two steps of one layer, `later` behind this one."""
        return Cost(
            multiply_adds=self.multiply_adds + later.multiply_adds,
            activation_products=self.activation_products + later.activation_products,
            flops=self.flops + later.flops,
            depth=self.depth + later.depth,
            window=behind(later.window, self.window),
        )


def behind(window, earlier):
    """Windows `window` onto what has windows `earlier`; each is a Window, a tuple of them, or None for unknown."""
    if window is None or earlier is None:
        return None
    if isinstance(window, Window) and isinstance(earlier, Window):
        return window.after(earlier)
    count = len(window if isinstance(earlier, Window) else earlier)
    window, earlier = (w if isinstance(w, tuple) else (w,) * count for w in (window, earlier))
    if len(window) != len(earlier):
        return None
    return tuple(one.after(other) for one, other in zip(window, earlier, strict=True))


def places(shape, data_format):
    """The sizes of the axes of a tensor that are places."""
    return tuple(shape[1:-1] if data_format == "channels_last" else shape[2:])


def channels(shape, data_format):
    """The channels of a tensor."""
    return shape[-1 if data_format == "channels_last" else 1]


def sliding(sizes, kernel_size, strides, padding, dilation_rate=None):
    """The windows of a convolution or pooling.

    Args:
        sizes: places of the input, an axis each.
        kernel_size, strides, dilation_rate: one number an axis.
        padding: a name, or (before, after) an axis, as `keraslayers.output_size` takes them.
    """
    dilation_rate = dilation_rate or (1,) * len(sizes)
    paddings = (padding,) * len(sizes) if isinstance(padding, str) else padding
    return tuple(
        Window((kernel - 1) * dilation + 1, stride, -pads("sliding", size, kernel, stride, own, dilation)[0])
        for size, kernel, stride, own, dilation in zip(
            sizes, kernel_size, strides, paddings, dilation_rate, strict=True
        )
    )


def convolution(kernel_shape, output_shape, filters, window):
    """A convolution, be it grouped, dilated or depthwise: at every place the whole kernel is used once.

    `K*K*M*H'*W'*N` multiply-adds and `(2*K*K*M - 1)*H'*W'*N` FLOPs, with M the channels that a filter sees.

    Args:
        kernel_shape: (..., channels / groups, filters), or (..., channels, multiplier) of a depthwise one.
        output_shape: of the call, the batch included.
        filters: channels of the output.
        window: its windows.
    """
    elements = math.prod(output_shape)
    products = elements // filters * math.prod(kernel_shape)
    return Cost(multiply_adds=products, flops=2 * products - elements, depth=1, window=window)


def separable(kernel_shape, output_shape, filters, window):
    """A depthwise convolution with a kernel of (..., channels, multiplier), then a 1x1 convolution.

    The first one makes the places, the second keeps them.
    """
    between = math.prod(kernel_shape[-2:])
    middle = (math.prod(output_shape) // filters, between)
    first = convolution(kernel_shape, middle, between, window)
    return first.then(convolution((between, filters), output_shape, filters, Window()))


def transposed_convolution(kernel_shape, input_shape, output_shape, data_format, strides, padding, dilation_rate):
    """With a kernel of (..., filters, channels): each pixel of the input meets all of it, whatever is cut off."""
    sizes, output_sizes = (places(shape, data_format) for shape in (input_shape, output_shape))
    products = math.prod(input_shape) * math.prod(kernel_shape[:-1])
    # Each product is added to its place, but for the first one there; places that none reaches add nothing.
    sums = min(products // kernel_shape[-1], math.prod(output_shape))
    window = transposed(sizes, output_sizes, kernel_shape[:-2], strides, padding, dilation_rate)
    return Cost(multiply_adds=products, flops=2 * products - sums, depth=1, window=window)


def dense(inputs, output_shape, window):
    """A Dense layer of `inputs` numbers: Ci*Co multiply-adds and (2*Ci - 1)*Co FLOPs."""
    elements = math.prod(output_shape)
    return Cost(multiply_adds=inputs * elements, flops=(2 * inputs - 1) * elements, window=window)


def transposed(sizes, output_sizes, kernel_size, strides, padding, dilation_rate):
    """The windows of a transposed convolution.

    Place o of the output sees input m where o = m * stride + tap - before: up to ceil(span / stride) of them. The
    window told is that of the places that see the most.
    """
    windows = []
    for size, out, kernel, stride, dilation in zip(
        sizes, output_sizes, kernel_size, strides, dilation_rate, strict=True
    ):
        span = (kernel - 1) * dilation
        before = max(0, (size - 1) * stride + span + 1 - out) // 2 if padding == "same" else 0
        windows.append(Window(span // stride + 1, Fraction(1, stride), -((span - before) // stride)))
    return tuple(windows)


def resized(old, new, method="bilinear", antialias=False):
    """The window of an axis of `old` pixels resized to `new`: pixels are squares, as in `keraslayers.Resample2D`."""
    ratio = Fraction(old, new)
    if old == new:
        return Window()
    if method == "nearest":
        return Window(1, ratio, math.floor(ratio / 2))
    middle, reach = (ratio - 1) / 2, ratio if antialias and ratio > 1 else 1
    return Window(math.ceil(2 * reach), ratio, math.floor(middle - reach) + 1)


def reshaping(before, after, axes):
    """Reshape and Flatten: places stay what they are while their axes stay in front.

    Args:
        before, after: shapes.
        axes: how many of them are places.
    """
    if before[: axes + 1] == after[: axes + 1] and len(after) > axes + 1:
        return Cost(free=True)
    # What is flattened holds all places.
    return Cost(window=EVERYWHERE if len(after) < len(before) or len(before) == 2 else None, free=True)


def permuting(order, axes):
    """Permute and transpose, which keep the places as long as their axes stay in front.

    Args:
        order: the old axes in their new order, without the batch.
        axes: how many of them are places.
    """
    return Cost(window=Window() if tuple(order[:axes]) == tuple(range(1, axes + 1)) else None)
