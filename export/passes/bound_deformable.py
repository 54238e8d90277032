"""Deformable convolution with bounded offsets in operators that phones' GPUs take."""

import keras

from keraslayers._deformable_bounded import bounded, constants
from keraslayers.deformable import DeformableConv2D
from keraslayers.export.passes._graph import first, rewrite


class BoundedDeformable(keras.layers.Layer):
    """Computes somebody else's `DeformableConv2D` without gathers, with its weights as they are now.

    Args:
        layer: of the user's.
        name: of the new layer.
        geometry: the layer's, with a bound.
    """

    def __init__(self, layer, name, geometry):
        super().__init__(name=name, dtype=layer.dtype_policy, activity_regularizer=layer.activity_regularizer)
        self.deformable = layer
        self.geometry = geometry
        self.constants = constants(layer)
        self.built = True

    def call(self, inputs):
        return self.deformable.activation(bounded(inputs, self.geometry, **self.constants))

    def compute_output_shape(self, input_shape):
        return self.deformable.compute_output_shape(input_shape)


def bound_deformable(model):
    """Writes deformable convolutions with `max_offset` with shifts and hat functions in place of gathers.

    Positions in an image need more than the 8 bits of an int8 file, and more than the 16 in which phones' GPUs
    compute; offsets within a few pixels do not.

    Given:   x -> DeformableConv2D(max_offset=R): convolution -> clip -> gathers -> products
    Result:  x -> convolution with relu6 -> hat functions of the shifts; x -> window; -> their matrix product

    Returns:
        (model, how many were replaced).
    """
    return rewrite(model, _applies, _replace)


def is_plain(layer):
    """Whether it is a deformable convolution that has a second form."""
    # A subclass may compute something else. Of other dtypes there are no files.
    return type(layer) is DeformableConv2D and layer.compute_dtype == "float32"


def _applies(layer, *args, **kwargs):
    return is_plain(layer) and layer.geometry.max_offset is not None


def _replace(layer, fresh, *args, **kwargs):
    return BoundedDeformable(layer, fresh(f"{layer.name}_bounded"), layer.geometry)(first(args, kwargs))
