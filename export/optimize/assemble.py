"""Builds the model that trains with rounding: where kernels and activations are rounded, and which share a range."""

import keras
from keras import layers, ops

from keraslayers import _keras
from keraslayers.export.optimize.bounded_deformable import Product
from keraslayers.export.optimize.config_wrapper import ConfigWrapper
from keraslayers.export.optimize.constant import ConstantKernel
from keraslayers.export.optimize.ends import ends
from keraslayers.export.optimize.floats import Floats, Kept, call_kept, compute_kept
from keraslayers.export.optimize.identity_convolution import IdentityConvolution
from keraslayers.export.optimize.kernels import Rounded, has_kernel, kernel_of, plain
from keraslayers.export.optimize.ranges import Range
from keraslayers.export.optimize.rules import (
    CONVOLUTIONS,
    FIXED,
    OWN,
    TAKES_RELU,
    computes_anew,
    described,
    keeps_scale,
    moves,
    operation_name,
    registered,
)
from keraslayers.export.optimize.scales import Scales
from keraslayers.export.passes._graph import borrow, owner
from keraslayers.export.passes._relu import relu_kind


def assemble(who, model, cls, parts):
    """Builds the quantized model of a lowered one.

    Args:
        who: the function that quantizes, for messages.
        model: what `lower` gives.
        cls: the class of the model to build.
        parts: a `Parts`: what makes quantizers.

    Returns:
        The model.

    Raises:
        ValueError: if a call has no rule.
    """
    return _Assembly(who, model, parts).build(cls)


class _Assembly:
    def __init__(self, who, model, parts):
        self.who, self.model, self.parts = who, model, parts
        self.nodes = _keras.nodes(model)
        self.users = {}
        for node in self.nodes:
            for tensor in node.input_tensors:
                self.users.setdefault(id(tensor), []).append(node)
        self.ends = ends(self.nodes, self.users)  # ids of nodes that join numbers of several scales, in floats
        self.outs = {id(tensor) for tensor in keras.tree.flatten(model.outputs)}
        self.names = {tensor.name for tensor in model.inputs}
        self.scales = Scales()
        self.scales.made.update(id(tensor) for tensor in model.inputs)
        self.ranges = {}
        self.rounded = {}
        self.fused = {}  # by id of the first node of a group its (normalization, activation, last node)
        self.inner = set()  # ids of nodes that belong to a group of another
        self.quiet = set()  # ids of tensors that no file stores
        self.layers = {}  # by id of a node what it calls
        self.raw = set()  # ids of tensors between layers in floats, which nobody rounds

    def build(self, cls):
        for node in self.nodes:
            if id(node) not in self.inner:
                self._read(node)
        # By now it is known who shares a scale.
        old, new = self.model.inputs, []
        for tensor in old:
            new.append(keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name))
        found = {}
        for before, now in zip(old, new, strict=True):
            found[id(before)] = self._range(before, before.name)(now)
        for node in self.nodes:
            if id(node) not in self.inner:
                self._write(node, found)
        inputs = keras.tree.pack_sequence_as(self.model.input, new)
        outputs = keras.tree.map_structure(lambda tensor: found[id(tensor)], self.model.output)
        return cls(inputs, outputs, name=self.model.name)

    # --- reading

    def _alone(self, tensor):
        """The only call that takes a tensor, or None."""
        users = self.users.get(id(tensor), [])
        return users[0] if len(users) == 1 and id(tensor) not in self.outs else None

    def _kept(self, node, layer):
        return isinstance(layer, Kept) or id(node) in self.ends

    def _read(self, node):
        layer, (out, *rest) = owner(node.operation), node.outputs
        if isinstance(layer, Kept) and moves(layer.layer) and not any(id(x) in self.raw for x in node.input_tensors):
            layer = layer.layer  # numbers that are rounded already are none others when they have moved
        self.layers[id(node)] = layer
        kind = operation_name(layer)
        if self._kept(node, layer):
            for tensor in node.outputs:
                if all(self._kept(user, owner(user.operation)) for user in self.users.get(id(tensor), ())):
                    self.raw.add(id(tensor))
                self.scales.made[id(tensor)] += 1
            return
        if rest:
            raise ValueError(
                f"{self._where(layer)} gives several tensors, for which there is no rule. {self._remedy(layer)}"
            )
        if registered(layer) is not None:
            self.scales.made[id(out)] += 1
        elif has_kernel(layer) or type(layer) is layers.BatchNormalization:
            self._group(node, layer)
        elif keeps_scale(layer):
            if not node.input_tensors:
                raise ValueError(f"{self._where(layer)} has no input that is computed.")
            self.scales.join(out, node.input_tensors)
            if self.scales.find(out) == id(out):
                self.scales.made[id(out)] += 1
        elif kind in FIXED:
            self.scales.fixed[id(out)] = FIXED[kind]
        elif kind in OWN or _relu(layer):
            if kind in CONVOLUTIONS and len(node.input_tensors) > 1:
                raise ValueError(
                    f"{self._where(layer)} has a kernel that is computed, for which there are no integer kernels. "
                    f"{self._remedy(layer)}"
                )
            relu = self._alone(out)
            if kind in TAKES_RELU and relu is not None and _relu(owner(relu.operation)):
                self.quiet.add(id(out))
            else:
                self.scales.made[id(out)] += 1
        else:
            raise ValueError(f"{self._where(layer)} has no rule for 8-bit integers. {self._remedy(layer)}")

    def _group(self, node, layer):
        norm, activation, last = None, None, node
        if type(layer) is layers.BatchNormalization:
            norm = layer
            shape = node.input_tensors[0].shape
            if None in shape[1:] and len(shape) != 4:
                raise ValueError(f"{self._where(norm)} normalizes a tensor of open size: {shape}. {self._remedy(norm)}")
        elif _linear(layer):
            after = self._alone(last.outputs[0])
            if after is not None and type(owner(after.operation)) is layers.BatchNormalization:
                norm, last = owner(after.operation), after
        if norm is not None and norm.axis not in (-1, len(last.outputs[0].shape) - 1):
            raise ValueError(
                f"{self._where(norm)} normalizes axis {norm.axis}; 8-bit kernels are made for the last, the channels. "
                "Build the model with data_format='channels_last'."
            )
        after = self._alone(last.outputs[0])
        # `IdentityConvolution` reshapes what is no image behind itself, so that the converter would not find the ReLU.
        joins = norm is not layer or len(last.outputs[0].shape) == 4
        if after is not None and _relu(owner(after.operation)) and joins and (norm is not None or _linear(layer)):
            activation, last = _relu(owner(after.operation)), after
            self.inner.add(id(after))
        if norm is not None and norm is not layer:
            self.inner.add(id(self._alone(node.outputs[0])))
        self.fused[id(node)] = (norm, activation, last)
        if hasattr(layer, "span"):
            self.scales.fixed[id(last.outputs[0])] = layer.span
        self.scales.made[id(last.outputs[0])] += 1

    # --- writing

    def _fresh(self, name):
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name

    def _floats(self, value, name):
        """The same numbers, where the converter makes no integers of them."""
        return Floats(name=self._fresh(f"{name}_floats"))(value)

    def _in_floats(self, layer, name):
        keep = call_kept if isinstance(layer, keras.layers.Layer) else compute_kept
        return lambda *args, **kwargs: keep(layer, lambda _: name, *args, **kwargs)

    def _range(self, tensor, name):
        """The `Range` of a tensor, one for all of a scale, which is named after the first call that needs it."""
        root = self.scales.find(tensor)
        if root not in self.ranges:
            fixed = self.scales.fixed.get(root)
            quantizer = self.parts.range_quantizer(fixed, shared=self.scales.made[root] > 1)
            self.ranges[root] = Range(quantizer, self.parts.mode, name=self._fresh(f"{name}_range"))
        return self.ranges[root]

    def _write(self, node, found):
        layer, out = self.layers[id(node)], node.outputs[0]
        root = self.scales.find(out)
        name, kept = self._fresh(layer.name), self._kept(node, layer)

        def now(tensor):
            if not isinstance(tensor, keras.KerasTensor):
                return tensor
            # What has a scale laid down is rounded anew where it goes to where another rules.
            if keeps_scale(layer) and not kept and self.scales.find(tensor) != root:
                return self._range(out, name)(found[id(tensor)])
            # A mean of integers, say, would be one of integers.
            apart = kept and not (isinstance(layer, Kept) and _multiplies(layer.layer)) and id(tensor) not in self.raw
            return self._floats(found[id(tensor)], name) if apart else found[id(tensor)]

        args, kwargs = keras.tree.map_structure(now, (node.arguments.args, node.arguments.kwargs))
        if kept:
            call = borrow(layer, name) if isinstance(layer, Kept) else self._in_floats(layer, name)
            values = keras.tree.flatten(call(*args, **kwargs))
            for tensor, value in zip(node.outputs, values, strict=True):
                if id(tensor) not in self.raw:
                    value = self._range(tensor, name)(self._floats(value, name))
                found[id(tensor)] = value
            return
        if registered(layer) is not None:
            wrapped = ConfigWrapper(layer, registered(layer), self.parts.mode, name=name)
            value = wrapped(*args, **kwargs)
            quantizer = wrapped.output_quantizer
            if quantizer is not None:
                value = Range(quantizer, self.parts.mode, name=self._fresh(f"{name}_range"))(value)
        elif id(node) in self.fused:
            norm, activation, last = self.fused[id(node)]
            out = last.outputs[0]
            value = self._rounded(layer, name, norm, activation)((args or tuple(kwargs.values()))[0])
            value = self._range(out, name)(value)
        else:
            if operation_name(layer) in CONVOLUTIONS:
                given = {**dict(zip(("inputs", "kernel"), args, strict=False)), **kwargs}
                axes = len(given["kernel"].shape) - CONVOLUTIONS[operation_name(layer)]
                value = ConstantKernel(layer, given["kernel"], axes, self.parts.mode, name=name)(given["inputs"])
            else:
                value = borrow(layer, name)(*args, **kwargs)
            if (not keeps_scale(layer) or computes_anew(layer)) and id(out) not in self.quiet:
                value = self._range(out, name)(value)
        found[id(out)] = value

    def _rounded(self, layer, name, norm, activation):
        """The `Rounded` of a group, which shares its rounded kernel with all other groups of the same layer."""
        if norm is layer:
            # A normalization that stands alone is that of a convolution which changes nothing.
            layer = IdentityConvolution(name=f"{name}_identity")
            layer.build(norm.get_build_config()["input_shape"])
        variable = kernel_of(layer).variable
        if id(variable) not in self.rounded:
            self.rounded[id(variable)] = self.parts.rounded_kernel(plain(layer), self._fresh(f"{name}_kernel"))
        return Rounded(layer, self.rounded[id(variable)], self.parts.mode, norm, activation, name=name)

    def _where(self, layer):
        return f"`{self.who}`: {described(layer)}"

    def _remedy(self, layer):
        return self.parts.origins.remedy(layer.name)


def _multiplies(layer):
    """Whether it sums products, which in integers have a scale of their own: the converter hands on none."""
    return has_kernel(layer) or type(layer) is Product


def _linear(layer):
    activation = getattr(getattr(layer, "view", layer), "activation", None)
    return activation in (None, keras.activations.linear)


def _relu(layer):
    """The function of a layer or operation that is a ReLU or ReLU6, else None."""
    kind = relu_kind(layer)
    if kind is None and operation_name(layer) == "ReLU" and not layer.negative_slope and not layer.threshold:
        kind = {None: "relu", 6: "relu6"}.get(layer.max_value)
    return {"relu": ops.relu, "relu6": ops.relu6}.get(kind)
