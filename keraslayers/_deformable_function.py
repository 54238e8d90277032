"""Deformable convolution as a function of images and offsets."""

from __future__ import annotations

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._deformable_geometry import DeformableGeometry, channels_last, from_channels_last
from keraslayers._deformable_sampling import sample
from keraslayers._hints import DataFormat, Padding, Size, Tensor


def deform_conv2d(
    inputs: Tensor,
    offsets: Tensor,
    kernel: Tensor,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    strides: Size = 1,
    padding: Padding = "valid",
    dilation_rate: Size = 1,
    groups: int = 1,
    offset_groups: int = 1,
    max_offset: int | None = None,
    data_format: DataFormat | None = None,
) -> Tensor:
    """Convolution whose kernel samples the image beside its grid, each tap at an offset of its own.

    outputs[p] = sum over taps k of kernel[k] * mask[p, k] * inputs(p * strides - pad + k * dilation_rate +
    offsets[p, k]). Between pixels it is bilinear, and pixels outside the image count as zero, one by one: half a
    pixel outside, a sample is half the border. The slope at a whole number is that of the interval above it.

    Args:
        inputs: (batch, height, width, channels). Batch, height and width may be unknown. With `"channels_first"` the
            channels of inputs, offsets, mask and outputs are the second axis.
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
            offset outside gets no gradient. The form without gathers, which export makes of `DeformableConv2D`, is of
            the layer alone: of this function a file keeps gathers, with a bound as without.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Returns:
        (batch, out_height, out_width, filters) of the dtype of `inputs`. Places and weights of the samples are
        computed in 32 bits at least. Memory grows with the batch, not faster. An offset that is not finite gives NaN.

    Raises:
        TypeError: if an argument is no whole number, pair or padding.
        ValueError: if shapes, groups and kernel do not fit together, the kernel does not fit into the image, or a name
            is unknown.

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
        "data_format": _checks.data_format("deform_conv2d", data_format),
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
    return compute(geometry, *tensors)


def _fitting(who, tensors, options):
    """Returns the DeformableGeometry of a call whose shapes fit together; else raises."""
    shapes = [None if x is None else tuple(x.shape) for x in tensors]
    inputs, offsets, kernel, mask, bias = shapes
    if len(kernel) != 4:
        raise ValueError(
            f"`{who}`: `kernel` must have 4 axes, (height, width, channels / groups, filters); got the shape {kernel}."
        )
    geometry = DeformableGeometry.of(who, kernel_size=kernel[:2], **options)
    channels = geometry.check_channels(inputs, kernel[3])
    if kernel[2] * geometry.groups != channels:
        raise ValueError(
            f"`{who}`: `kernel` must have channels / groups = {channels // geometry.groups} on its third axis, for "
            f"{channels} channels and groups={geometry.groups}; got the shape {kernel}."
        )
    maps = {"offsets": (offsets, 2, "2 * offset_groups"), "mask": (mask, 1, "offset_groups")}
    for argument, (shape, each, what) in maps.items():
        if shape is None:
            continue
        wanted = geometry.output_shape(inputs, each * geometry.offset_groups * geometry.taps)
        if len(shape) != 4 or any(
            None not in (size, other) and size != other for size, other in zip(shape, wanted, strict=True)
        ):
            axes = ["batch", "out_height", "out_width"]
            axes.insert(geometry.channel_axis % 4, f"{what} * kernel_height * kernel_width")
            raise ValueError(
                f"`{who}`: `{argument}` must have the shape {wanted}, of ({', '.join(axes)}); got {shape}."
            )
    if bias is not None and bias != kernel[3:]:
        raise ValueError(f"`{who}`: `bias` must have the shape {kernel[3:]}, one number a filter; got {bias}.")
    return geometry


def compute(geometry, inputs, offsets, kernel, mask, bias):
    """`deform_conv2d` of tensors that fit together."""
    dtype = inputs.dtype
    offsets, mask = (None if x is None else channels_last(x, geometry) for x in (precise(offsets), mask))
    if geometry.max_offset is not None:
        offsets = ops.clip(offsets, -geometry.max_offset, geometry.max_offset)
    mask = None if mask is None else ops.cast(mask, offsets.dtype)
    samples = sample(channels_last(inputs, geometry), offsets, mask, geometry)
    outputs = _contract(samples, ops.cast(kernel, dtype), geometry)
    outputs = ops.reshape(outputs, (*ops.shape(offsets)[:3], kernel.shape[3]))
    outputs = outputs if bias is None else outputs + ops.cast(bias, dtype)
    return from_channels_last(outputs, geometry)


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


def precise(x):
    """A place in an image of a thousand pixels needs more than the 11 bits of a half."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return ops.cast(x, dtype if dtype == "float64" else "float32")


@_checks.register
class _DeformConv2D(keras.layers.Layer):
    """`deform_conv2d` in a Functional model."""

    def __init__(self, *, dtype=None, name=None, trainable=True, **options):
        super().__init__(autocast=False, dtype=dtype, name=name, trainable=trainable)  # offsets keep their precision
        self.options = options

    def call(self, inputs, offsets, kernel, mask=None, bias=None):
        return deform_conv2d(inputs, offsets, kernel, mask, bias, **self.options)

    def compute_output_spec(self, inputs, offsets, kernel, mask=None, bias=None):
        geometry = _fitting("deform_conv2d", (inputs, offsets, kernel, mask, bias), self.options)
        return keras.KerasTensor(geometry.output_shape(inputs.shape, kernel.shape[3]), inputs.dtype)

    def get_config(self):
        return {**super().get_config(), **self.options}
