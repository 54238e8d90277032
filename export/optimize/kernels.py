"""Convolutions and dense layers whose kernels are rounded to 8 bits during training."""

from contextlib import nullcontext
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from keraslayers.export.optimize._state import State
from keraslayers.export.optimize.bounded_deformable import Hats, Masks, Mixed, Offsets
from keraslayers.export.optimize.identity_convolution import IdentityConvolution
from keraslayers.export.optimize.layout import DEPTHWISE, LAST, SEVERAL, TRANSPOSED, channels, restored, rows
from keraslayers.export.optimize.matrix_part import MatrixPart
from keraslayers.export.optimize.mixture_part import MixturePart
from keraslayers.export.optimize.preserving_quantizers import ClustersOfTensors
from keraslayers.export.optimize.ranges import ROUND
from keraslayers.export.optimize.separable_parts import (
    DepthwisePart,
    HorizontalPart,
    PointwisePart,
    VerticalPart,
)
from keraslayers.export.passes._graph import Altered
from keraslayers.padded import PaddedConv2D

# By class where the channels stand in the kernel. Subclasses may compute something else.
KERNELS = {
    layers.Conv1D: LAST,
    layers.Conv2D: LAST,
    layers.Conv2DTranspose: TRANSPOSED,
    layers.Dense: LAST,
    layers.DepthwiseConv1D: DEPTHWISE,
    layers.DepthwiseConv2D: DEPTHWISE,
    DepthwisePart: DEPTHWISE,
    Hats: LAST,
    HorizontalPart: LAST,
    IdentityConvolution: DEPTHWISE,
    Masks: LAST,
    MatrixPart: None,  # it says so itself
    Mixed: LAST,
    MixturePart: SEVERAL,
    Offsets: LAST,
    PaddedConv2D: LAST,
    PointwisePart: LAST,
    VerticalPart: LAST,
}


@dataclass(frozen=True)
class Kernel:
    """A layer's kernel: the variable, where its channels are, how many, and the variable of the bias or None."""

    variable: object
    place: str
    channels: int
    bias: object

    def rows(self):
        """The kernel of now as tfmot's quantizers take it."""
        return rows(self.variable.value, self.place)

    def restored(self, values):
        """Such rows as a kernel."""
        return restored(values, self.variable.shape, self.place)

    def assign(self, values):
        """Takes the kernel out of such rows."""
        self.variable.assign(self.restored(values))


def plain(layer):
    """The layer whose weights a layer computes with."""
    return layer.original if isinstance(layer, Altered) else layer


def has_kernel(layer):
    """Whether a layer is of a kind whose kernel can be rounded."""
    return type(plain(layer)) in KERNELS


def kernel_of(layer):
    """The `Kernel` of a layer for which `has_kernel` holds."""
    layer = plain(layer)
    place, variable = KERNELS[type(layer)] or layer.place, layer.kernel
    return Kernel(variable, place, channels(variable.shape, place), layer.bias if layer.use_bias else None)


def kernel_key(label, variable):
    """What stands for a kernel in a file: the label of the user's layer and the name of the variable."""
    return f"{label}/{variable.name}"


class RoundedKernel(keras.layers.Layer):
    """Rounds a kernel to 8 bits, a scale for each channel, through a quantizer of tfmot.

    Args:
        layer: a layer for which `has_kernel` holds.
        quantizer: tfmot's, per axis, symmetric and narrow, as TFLite's kernels are.
        label: of the user's layer; of those that keep something.
        stand_in: a layer of Keras 2 by whose class tfmot tells kinds of layers apart; of the same.
    """

    def __init__(self, layer, quantizer, label=None, stand_in=None, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.kernel = kernel_of(layer)
        self.quantizer = quantizer
        state = State(self, stand_in)
        self.values = quantizer.build(self.kernel.rows().shape, "kernel", state)
        mask = self.values.get("sparsity_mask")
        if mask is not None:  # a constant, which would not be saved
            self.values["sparsity_mask"] = state.add("sparsity_mask", ops.convert_to_numpy(mask)).value
        self.clustered = "clst_impl" in self.values
        self._beginning = {}
        if self.clustered:
            self.values["clst_impl"] = ClustersOfTensors(self.values["clst_impl"])
            key = kernel_key(label, self.kernel.variable)
            self._beginning[key] = ops.convert_to_numpy(self.kernel.variable)
        self.built = True

    def now(self):
        """The rounded kernel."""
        # Always with the kernel's range of now, in evaluation too: the file takes it from the kernel as well. Of
        # clusters a quantizer makes the kernel, assigns it, and rounds that.
        before = self.kernel if self.clustered else self.kernel.rows()
        rounded = self.quantizer(before, True, self.values)
        # XLA makes NaN of a channel that is all zeros.
        return self.kernel.restored(ops.where(ops.isnan(rounded), self._masked(), rounded))

    def _masked(self):
        mask = self.values.get("sparsity_mask")
        return self.kernel.rows() if mask is None else self.kernel.rows() * mask

    def beginnings(self):
        """By `kernel_key` the kernel that clusters were found in."""
        return dict(self._beginning)

    @property
    def variable(self):
        """The kernel in floats."""
        return self.kernel.variable

    def finished(self):
        """The kernel in floats with the zeros and clusters that the quantizer keeps."""
        if self.clustered:
            self.now()  # which puts the centroids in their places
        return self.kernel.restored(self._masked())


class Rounded(keras.layers.Layer):
    """A convolution or dense layer with its normalization and ReLU, which a file makes one operator of.

    Args:
        layer: a layer for which `has_kernel` holds.
        kernel: its `RoundedKernel`.
        mode: the model's `Mode`.
        norm: the `BatchNormalization` behind it, or None.
        activation: the function behind both, or None.
    """

    def __init__(self, layer, kernel, mode, norm=None, activation=None, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.layer = layer
        self.rounded = kernel
        self.mode = mode
        self.norm = norm
        self.activation = activation
        self.activity = layers.Identity(activity_regularizer=layer.activity_regularizer, dtype="float32")
        self.constants = None  # while a file is made
        self.built = True

    def call(self, inputs, training=None):
        if self.constants is not None:
            return self._with_constants(inputs)
        scope = nullcontext()
        if self.mode.now == ROUND:
            # In this scope the layer reads the rounded kernel in its variable's place, and gradients pass through it.
            scope = keras.StatelessScope(state_mapping=[(self.rounded.kernel.variable, self.rounded.now())])
        with scope:
            outputs = self.layer.call(inputs)
        outputs = self.activity(outputs)
        if self.norm is not None:
            outputs = self.norm(outputs, training=training)
        return outputs if self.activation is None else self.activation(outputs)

    def _with_constants(self, inputs):
        kernel, bias = self.constants
        mapping = [(self.rounded.kernel.variable, kernel)]
        inside = self.rounded.kernel.bias is not None
        if inside:
            mapping.append((self.rounded.kernel.bias, bias))
        with keras.StatelessScope(state_mapping=mapping):
            outputs = self.layer.call(inputs)
        if self.norm is not None and not inside:
            outputs = ops.add(outputs, bias)
        return outputs if self.activation is None else self.activation(outputs)

    def fold(self):
        """(kernel, bias) in NumPy with the normalization in them: rounding by channel stays rounding."""
        what = self.rounded.kernel
        kernel = ops.convert_to_numpy(self.rounded.now())
        bias = np.zeros(what.channels, "float32") if what.bias is None else ops.convert_to_numpy(what.bias)
        if self.norm is None:
            return kernel, bias
        norm = self.norm
        scale = 1 / np.sqrt(ops.convert_to_numpy(norm.moving_variance) + norm.epsilon)
        scale = scale * ops.convert_to_numpy(norm.gamma) if norm.scale else scale
        bias = (bias - ops.convert_to_numpy(norm.moving_mean)) * scale
        bias = bias + ops.convert_to_numpy(norm.beta) if norm.center else bias
        kernel = ops.convert_to_numpy(what.restored(rows(kernel, what.place) * scale.astype("float32")))
        return kernel, bias.astype("float32")

    def compute_output_spec(self, inputs, training=None):
        return self.layer.compute_output_spec(inputs)
