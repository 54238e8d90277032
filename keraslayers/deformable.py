"""Deformable convolution: a convolution that learns where to look."""

import math

import keras
from keras import ops

from keraslayers import _checks, cost
from keraslayers._deformable_geometry import Geometry, convolve
from keraslayers._deformable_sampling import sample
from keraslayers.cost import Window


def deform_conv2d(
    inputs,
    offsets,
    kernel,
    mask=None,
    bias=None,
    *,
    strides=1,
    padding="valid",
    dilation_rate=1,
    groups=1,
    offset_groups=1,
    max_offset=None,
):
    """Convolution whose kernel samples the image beside its grid, each tap at an offset of its own.

    outputs[p] = sum over taps k of kernel[k] * mask[p, k] * inputs(p * strides - pad + k * dilation_rate +
    offsets[p, k]). Between pixels it is bilinear, and pixels outside the image count as zero, one by one: half a
    pixel outside, a sample is half the border. The slope at a whole number is that of the interval above it.

    Args:
        inputs: (batch, height, width, channels). Batch, height and width may be unknown.
        offsets: (batch, out_height, out_width, 2 * offset_groups * kernel_height * kernel_width), in pixels. Channel
            2 * (g * kernel_height * kernel_width + i * kernel_width + j) is the way down (y) of tap (i, j) for the
            offset group g, the next one the way right (x).
        kernel: (kernel_height, kernel_width, channels / groups, filters).
        mask: (batch, out_height, out_width, offset_groups * kernel_height * kernel_width), multiplied with the
            samples as it is; channel g * kernel_height * kernel_width + i * kernel_width + j. None for ones.
        bias: (filters,), or None.
        strides, dilation_rate: a whole number or (height, width), in any combination.
        padding: `"valid"`, `"same"` as in Keras, `"full"`, or pixels of zeros: one number, (height, width), or
            ((top, bottom), (left, right)).
        groups: of weights, as in `keras.layers.Conv2D`.
        offset_groups: the channels are cut into as many parts, each with its own offsets and mask.
        max_offset: a whole number of pixels to which offsets are clipped on either side; None for any offset. An
            offset outside gets no gradient.

    Returns:
        (batch, out_height, out_width, filters) of the dtype of `inputs`. Places and weights of the samples are
        computed in 32 bits at least. Memory grows with the batch, not faster.

    Raises:
        TypeError: if an argument is no whole number, pair or padding.
        ValueError: if shapes, groups and kernel do not fit together, or the kernel does not fit into the image.

    Source: Dai et al. 2017, arXiv:1703.06211, equations 2 to 4; the mask:
    Zhu et al. 2018, arXiv:1811.11168, equation 1.
    """
    options = {
        "strides": strides,
        "padding": padding,
        "dilation_rate": dilation_rate,
        "groups": groups,
        "offset_groups": offset_groups,
        "max_offset": max_offset,
    }
    tensors = [
        x if x is None or isinstance(x, keras.KerasTensor) else ops.convert_to_tensor(x)
        for x in (inputs, offsets, kernel, mask, bias)
    ]
    geometry = _fitting("deform_conv2d", tensors, options)
    if any(isinstance(x, keras.KerasTensor) for x in tensors):
        # Only inside a layer are the sizes of an unknown batch or image there when it runs.
        dtype = keras.backend.standardize_dtype(tensors[0].dtype)
        return _DeformConv2D(**options, dtype=dtype)(*tensors)
    return _compute(geometry, *tensors)


def _fitting(who, tensors, options):
    """Returns the Geometry of a call whose shapes fit together; else raises."""
    shapes = [None if x is None else tuple(x.shape) for x in tensors]
    inputs, offsets, kernel, mask, bias = shapes
    if len(kernel) != 4:
        raise ValueError(
            f"`{who}`: `kernel` must have 4 axes, (height, width, channels / groups, filters); got the shape {kernel}."
        )
    geometry = Geometry.of(who, kernel_size=kernel[:2], **options)
    channels = geometry.check_channels(inputs, kernel[3])
    if kernel[2] * geometry.groups != channels:
        raise ValueError(
            f"`{who}`: `kernel` must have channels / groups = {channels // geometry.groups} on its third axis, for "
            f"{channels} channels and groups={geometry.groups}; got the shape {kernel}."
        )
    outputs = geometry.output_shape(inputs, kernel[3])
    maps = {"offsets": (offsets, 2, "2 * offset_groups"), "mask": (mask, 1, "offset_groups")}
    for argument, (shape, each, what) in maps.items():
        if shape is None:
            continue
        wanted = (*outputs[:3], each * geometry.offset_groups * geometry.taps)
        if len(shape) != 4 or any(
            None not in (size, other) and size != other for size, other in zip(shape, wanted, strict=True)
        ):
            raise ValueError(
                f"`{who}`: `{argument}` must have the shape {wanted}, of (batch, out_height, out_width, {what} * "
                f"kernel_height * kernel_width); got {shape}."
            )
    if bias is not None and bias != kernel[3:]:
        raise ValueError(f"`{who}`: `bias` must have the shape {kernel[3:]}, one number a filter; got {bias}.")
    return geometry


def _compute(geometry, inputs, offsets, kernel, mask, bias):
    dtype = inputs.dtype
    offsets = _precise(offsets)
    if geometry.max_offset is not None:
        offsets = ops.clip(offsets, -geometry.max_offset, geometry.max_offset)
    mask = None if mask is None else ops.cast(mask, offsets.dtype)
    samples = sample(inputs, offsets, mask, geometry)
    outputs = _contract(samples, ops.cast(kernel, dtype), geometry)
    outputs = ops.reshape(outputs, (*ops.shape(offsets)[:3], kernel.shape[3]))
    return outputs if bias is None else outputs + ops.cast(bias, dtype)


def _contract(samples, kernel, geometry):
    """(places, taps, channels) with (height, width, channels / groups, filters) to (places, filters)."""
    groups, taps = geometry.groups, geometry.taps
    within, filters = kernel.shape[2:]
    if groups == 1:
        kernel = ops.reshape(kernel, (taps * within, filters))
        return ops.matmul(ops.reshape(samples, (-1, taps * within)), kernel)
    samples = ops.reshape(samples, (-1, taps, groups, within))
    samples = ops.reshape(ops.transpose(samples, (2, 0, 1, 3)), (groups, -1, taps * within))
    kernel = ops.reshape(kernel, (taps * within, groups, filters // groups))
    outputs = ops.matmul(samples, ops.transpose(kernel, (1, 0, 2)))
    return ops.reshape(ops.transpose(outputs, (1, 0, 2)), (-1, filters))


def _precise(x):
    """A place in an image of a thousand pixels needs more than the 11 bits of a half."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return ops.cast(x, dtype if dtype == "float64" else "float32")


@_checks.register
class _DeformConv2D(keras.layers.Layer):
    """`deform_conv2d` in a Functional model."""

    def __init__(self, strides, padding, dilation_rate, groups, offset_groups, max_offset, **kwargs):
        super().__init__(autocast=False, **kwargs)  # the offsets keep their precision
        self.options = {
            "strides": strides,
            "padding": padding,
            "dilation_rate": dilation_rate,
            "groups": groups,
            "offset_groups": offset_groups,
            "max_offset": max_offset,
        }

    def call(self, inputs, offsets, kernel, mask=None, bias=None):
        return deform_conv2d(inputs, offsets, kernel, mask, bias, **self.options)

    def compute_output_spec(self, inputs, offsets, kernel, mask=None, bias=None):
        geometry = _fitting("deform_conv2d", (inputs, offsets, kernel, mask, bias), self.options)
        return keras.KerasTensor(geometry.output_shape(inputs.shape, kernel.shape[3]), inputs.dtype)

    def get_config(self):
        return {**super().get_config(), **self.options}


@_checks.register
class DeformableConv2D(keras.layers.Layer):
    """A convolution that learns where to look: a second convolution moves every tap of its kernel.

    The second convolution sees the same window and starts at zero, so that training starts as a plain convolution.

    Input shape: (batch, height, width, channels). Output shape: (batch, out_height, out_width, filters), as of
    `keras.layers.Conv2D`.

    Args:
        filters: channels of the output.
        kernel_size: a whole number or (height, width).
        strides, dilation_rate: a whole number or (height, width), in any combination.
        padding: `"valid"`, `"same"` as in Keras, `"full"`, or pixels of zeros: one number, (height, width), or
            ((top, bottom), (left, right)).
        groups: of weights, as in `keras.layers.Conv2D`.
        offset_groups: the channels are cut into as many parts, each with its own offsets (and mask).
        modulated: whether each sample is also multiplied with a mask, 2 * sigmoid of the second convolution, which is
            one at the start.
        max_offset: a whole number of pixels that offsets keep within on either side, or None. With a bound the layer
            can be exported in int8. Offsets are clipped, not squashed: within the bound they mean the same
            as without, so that weights go over. A clipped offset gets no gradient through that place; where a layer
            stays at its bound, take a larger one.
        activation: of the outputs.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint,
            bias_constraint: as of `keras.layers.Conv2D`.
        offset_initializer: of the second convolution's kernel.

    Weights: kernel (height, width, channels / groups, filters), bias, offset_kernel (height, width, channels, n),
    offset_bias (n,), where n is offset_groups * height * width times 2, or 3 if modulated: all offsets as
    `keraslayers.deform_conv2d` orders them, then the masks.

    Under a policy of 16 bits the offsets are still summed in 32.

    On phones: with `max_offset`, export for the GPU or in int8 replaces the gathers by shifts weighted with hat
    functions, some thirty operators with the same outputs, which run wholly on LiteRT's GPU runtime. Where taps see
    more than 49 pixels together (3x3 kernels: a bound above 2), that runtime computes them for few places alone; the
    report says WRONG beyond. Without a bound a file of floats keeps its gathers, right on CPU and GPU; a file of
    integers, where 8 bits cannot hold positions in an image, bounds the offsets by the largest on the samples, up to
    8 pixels, and the report says so.

    Raises:
        TypeError: if an argument is no whole number, pair or padding.
        ValueError: if a number is below 1, or when built if groups do not divide channels and filters, the input has
            not four axes, its channels are unknown, or the kernel does not fit into it.

    Source: Dai et al. 2017, arXiv:1703.06211, section 2.1; modulated: Zhu et al. 2018, arXiv:1811.11168, section 3.2.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        dilation_rate=(1, 1),
        groups=1,
        offset_groups=1,
        modulated=False,
        max_offset=None,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        offset_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = _checks.positive_int("DeformableConv2D", "filters", filters)
        self.geometry = Geometry.of(
            "DeformableConv2D",
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            groups=groups,
            offset_groups=offset_groups,
            max_offset=max_offset,
        )
        self.modulated = bool(modulated)
        self.activation = keras.activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.offset_initializer = keras.initializers.get(offset_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def build(self, input_shape):
        geometry = self.geometry
        channels = geometry.check_channels(input_shape, self.filters)
        geometry.output_shape(input_shape, self.filters)
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*geometry.kernel_size, channels // geometry.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        moves = (3 if self.modulated else 2) * geometry.offset_groups * geometry.taps
        self.offset_kernel = self.add_weight(
            name="offset_kernel",
            shape=(*geometry.kernel_size, channels, moves),
            initializer=self.offset_initializer,
        )
        self.offset_bias = self.add_weight(name="offset_bias", shape=(moves,), initializer="zeros")

    def call(self, inputs):
        offsets, mask = self.moves(inputs)
        outputs = _compute(self.geometry, inputs, offsets, self.kernel, mask, self.bias)
        return self.activation(outputs)

    def moves(self, inputs):
        """Returns (offsets, mask or None) for inputs, as `deform_conv2d` takes them, before offsets are clipped."""
        moves = convolve(_precise(inputs), _precise(self.offset_kernel), self.geometry) + _precise(self.offset_bias)
        if not self.modulated:
            return moves, None
        count = 2 * self.geometry.offset_groups * self.geometry.taps
        return moves[..., :count], 2 * ops.sigmoid(moves[..., count:])

    def compute_output_shape(self, input_shape):
        return self.geometry.output_shape(tuple(input_shape), self.filters)

    def call_cost(self, input_shape, output_shape):
        # The convolution that finds the offsets, then the one that uses them. Sampling between pixels is
        # interpolation, and counts nothing.
        geometry, reach = self.geometry, self.geometry.max_offset
        moves = self.offset_bias.shape[0]
        sizes = cost.places(input_shape, "channels_last")
        windows = cost.sliding(sizes, geometry.kernel_size, geometry.strides, geometry.padding, geometry.dilation_rate)
        windows = tuple(
            Window(math.inf, window.stride)
            if reach is None
            else Window(window.size + 2 * reach, window.stride, window.start - reach)
            for window in windows
        )
        finds = cost.convolution(self.offset_kernel.shape, (*output_shape[:3], moves), moves, windows)
        # Its places are those of the first.
        return finds.then(cost.convolution(self.kernel.shape, output_shape, self.filters, Window()))

    def get_config(self):
        geometry = self.geometry
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": geometry.kernel_size,
            "strides": geometry.strides,
            "padding": geometry.padding,
            "dilation_rate": geometry.dilation_rate,
            "groups": geometry.groups,
            "offset_groups": geometry.offset_groups,
            "modulated": self.modulated,
            "max_offset": geometry.max_offset,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "offset_initializer": keras.initializers.serialize(self.offset_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
        }
