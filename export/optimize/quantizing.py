"""Quantization-aware training."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import keras
import numpy as np
from keras import ops

from keraslayers import _checks, _keras
from keraslayers._hints import Samples, TargetName
from keraslayers._rewrite import graph_of, laid_open
from keraslayers.export.measures import differing, snr_db
from keraslayers.export.optimize._tfmot import tfmot
from keraslayers.export.optimize.assemble import assemble
from keraslayers.export.optimize.floats import keep
from keraslayers.export.optimize.kernels import RoundedKernel, kernel_of
from keraslayers.export.optimize.lower import lower
from keraslayers.export.optimize.model import Optimized, Plan, check, copy, differs, plan_of
from keraslayers.export.optimize.origins import Origins
from keraslayers.export.optimize.preserving_quantizers import preserving_quantizer
from keraslayers.export.optimize.ranges import FLOAT, MEASURE, ROUND, Mode
from keraslayers.export.optimize.rebuild import every_kernel
from keraslayers.export.optimize.rules import IN_FLOATS, check_skip
from keraslayers.export.optimize.stripping import strip
from keraslayers.export.passes.prepare import prepare
from keraslayers.export.proof.match import FEW
from keraslayers.export.source.auxiliary import drop_auxiliary
from keraslayers.export.source.in_float32 import float32_policy, in_float32
from keraslayers.export.source.interface import interface_of
from keraslayers.export.source.samples import name_samples
from keraslayers.export.targets import TARGETS

# How far the model may be from the user's before anything is rounded, as a part of the outputs' size: two orders of
# summing the same float32 numbers differ by less. Where one unit in the last place of the inputs moves the user's model
# further, so may they; but never by as much as the other.
SAME, NOISY = 1e-5, 1e-4
# What an int8 file must reach; training begins above that, or has much to regain.
POOR_DB = 10.0
BATCH = 32


@float32_policy()
def quantize_aware(
    model: keras.Model, *, samples: Samples, skip: Iterable[str | keras.layers.Layer] = (), target: TargetName = "gpu"
) -> Optimized:
    """Gives a model that trains with the rounding that int8 does to it.

    It is a Keras 3 model with weights of its own: compile it, fit it with any optimizer, callback or loop, a few epochs
    at a small learning rate. Then `to_tflite(it, precision="int8")` exports it with the ranges it was trained with.
    Kernels are rounded by channel and every activation that a file stores by tensor, through quantizers of
    tensorflow-model-optimization: `Default8BitConvWeightsQuantizer`,
    `MovingAverageQuantizer`, and `AllValuesQuantizer` where a file stores several tensors with one scale. Ranges begin
    with those of the samples.

    Of a model that `prune` or `cluster` gave, zeros stay zero and clusters stay clusters, through tfmot's
    `PrunePreserve...` and `ClusterPreserve...WeightsQuantizer`.

    Args:
        model: a trained Functional or Sequential model with float inputs, channels last; or what `prune` or `cluster`
            gave. It stays as it is; of one in mixed precision a copy in float32 trains.
        samples: some hundred typical inputs, prepared as for training, as `to_tflite` takes them.
        skip: names of layers, or layers, to leave in floats, those within other layers too. A file with one of them is
            no longer all integers.
        target: the name of what files will be made for, as in `to_tflite`. It decides which operators train: `"gpu"`
            gives files for the CPU too.

    Returns:
        An `Optimized` model. Auxiliary outputs (`AuxiliaryOutput`) are left out.

    Raises:
        ImportError: if tensorflow-model-optimization is not installed.
        TypeError: if `model` is no Keras 3 model.
        ValueError: if it is subclassed, or has a call that 8-bit integers have no rule for; or the samples do not fit.
        RuntimeError: if it computes something else than the model, or Keras runs on another backend than TensorFlow.

    Source: Jacob et al. 2018, arXiv:1712.05877; tfmot, https://www.tensorflow.org/model_optimization.
    """
    who = "quantize_aware"
    tfmot(who)
    check(who, model)
    _checks.choice(who, "target", target, TARGETS)
    before = plan_of(model)
    if before is not None and before.kind == "quantize":
        raise ValueError(f"`{who}`: `model` {model.name!r} is quantized already; go on training it.")
    skip = check_skip(who, before.source if before else model, skip)
    user, _ = drop_auxiliary(who, strip(model) if before else in_float32(who, model)[0])
    interface = interface_of(who, user)
    for entry in interface.inputs:
        if not entry.dtype.startswith("float"):
            raise ValueError(
                f"`{who}`: input `{entry.name}` is of dtype {entry.dtype}; only numbers can be rounded. Quantize the "
                "part of the model behind its embedding."
            )
    samples = name_samples(who, samples, interface.inputs)
    source = copy(who, user)
    options = {"skip": sorted(skip), "target": target}
    made = build(who, source, options, *((before.sparse, before.clustered) if before else ()))
    _calibrate(made, interface, samples)
    made.plan = replace(made.plan, difference=_difference(who, made, user, interface, samples))
    return made


def build(who, source, options, sparse=(), clustered=()):
    """The quantized model around a source model, which it takes over; its ranges are not measured yet.

    Args:
        who: the function that quantizes, for messages.
        source: a copy of the user's model.
        options: `skip` and `target`.
        sparse, clustered: labels of layers whose kernels are so.
    """
    origins = Origins(source, options["skip"])
    # Nested models laid open; the layers stay the source's own.
    lowered = keep(laid_open(source), origins.kept, IN_FLOATS)
    # Twice, as layers of the user's that are opened hold sums and products of which runtimes compute some wrongly.
    for _ in range(2):
        lowered = lower(who, prepare(lowered, TARGETS[options["target"]], "int8")[0], origins)
    mode = Mode()
    labels = {id(kernel.variable): kernel.label for kernel in every_kernel(source)}
    parts = Parts(tfmot(who), mode, origins, labels, frozenset(sparse), frozenset(clustered))
    own = {id(variable) for variable in source.variables}
    for layer in _keras.flatten_layers(lowered, include_self=False):
        # What passes put in is the same for ever.
        if layer.variables and not any(id(variable) in own for variable in layer.variables):
            layer.trainable = False
    model = assemble(who, lowered, Optimized, parts)
    # Losses and metrics are given, and outputs of a file called, by these.
    model.output_names = list(graph_of(source).output_names)
    reached = {id(variable) for variable in model.variables}
    for layer in _keras.flatten_layers(source):
        trained, _ = _keras.own_variables(layer)
        lost = [v.path for v in trained if v.trainable and id(v) not in reached]
        if lost:
            raise ValueError(
                f"`{who}`: layer {layer.name!r} ({type(layer).__name__}) computes with its weights {lost} in a way "
                f"that cannot be followed. {origins.remedy(origins.holder(layer))}"
            )
    model.plan = Plan("quantize", source, options, parts.sparse, parts.clustered, tuple(parts.kernels), mode)
    mode.model = model
    return model


@dataclass
class Parts:
    """What makes quantizers.

    Attributes:
        tfmot: its parts.
        mode: of the model.
        origins: which of the user's layers calls come from.
        labels: by the id of a kernel's variable the label of the user's layer.
        sparse, clustered: labels of layers whose zeros or clusters shall stay.
        kernels: the `RoundedKernel`s made so far.
    """

    tfmot: object
    mode: Mode
    origins: Origins
    labels: dict
    sparse: frozenset
    clustered: frozenset
    kernels: list = field(default_factory=list)

    def range_quantizer(self, fixed, shared):
        """Of a range that is laid down, one of several tensors, or one of one."""
        quantizers = self.tfmot.quantizers
        if fixed is not None:
            return quantizers.FixedQuantizer(8, *fixed, narrow_range=False)
        # A moving average over several tensors would be that of none.
        kind = quantizers.AllValuesQuantizer if shared else quantizers.MovingAverageQuantizer
        return kind(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)

    def rounded_kernel(self, layer, name):
        """The `RoundedKernel` of a layer."""
        quantizer, stand_in = self.tfmot.default.Default8BitConvWeightsQuantizer(), None
        label = self.labels.get(id(kernel_of(layer).variable))
        if label in self.sparse | self.clustered:
            kept = label in self.sparse, label in self.clustered
            quantizer, stand_in = preserving_quantizer(self.tfmot, kernel_of(layer), layer.name, *kept)
        made = RoundedKernel(layer, quantizer, label, stand_in, name=name)
        self.kernels.append(made)
        return made


def _calibrate(model, interface, samples):
    """Measures the ranges of all activations on the samples, in floats."""
    mode = model.plan.mode
    mode.now = MEASURE
    try:
        for batch in _batches(interface, samples):
            model(batch, training=False)
    finally:
        mode.now = ROUND


def _difference(who, made, user, interface, samples):
    """How far the model is from the user's before it rounds; raises if that is far, warns if rounding costs much.

    That it costs much is no fault: it is what training is for.
    """
    mode = made.plan.mode
    wanted = _outputs(user, interface, samples)
    mode.now = FLOAT
    try:
        off = differs(wanted, _outputs(made, interface, samples))
    finally:
        mode.now = ROUND
    limit = SAME
    if not off <= SAME:
        moved = {name: np.asarray(values) * np.float32(1 + 2**-23) for name, values in samples.items()}
        limit = min(NOISY, max(SAME, differs(wanted, _outputs(user, interface, moved))))
    if not off <= limit:
        raise RuntimeError(
            f"`{who}`: what was made of `model` {user.name!r} differs from it by {off:.2g} of its outputs' size before "
            "anything is rounded. That is a fault of this library, or of a layer that computes otherwise every time."
        )
    # A network that says nearly the same of every sample, as untrained ones do, has nothing to lose.
    rounded = _outputs(made, interface, samples)
    pairs = [(a, b) for a, b in zip(wanted, rounded, strict=True) if differing(a) >= FEW]
    worst = min((ratio for a, b in pairs if (ratio := snr_db(a, b)) is not None), default=None)
    if worst is not None and not worst >= POOR_DB:
        alike = ""
        if len(wanted) == 1 and wanted[0].ndim == 2 and wanted[0].shape[1] > 1:
            same = np.mean(np.argmax(wanted[0], -1) == np.argmax(rounded[0], -1))
            alike = f", its largest class the same for {100 * same:.0f} % of the samples,"
        warnings.warn(
            f"`{who}`: rounded to 8 bits, `model` {user.name!r} is {worst:.1f} dB over its error{alike} before "
            "training: there is much for training to regain. Were the samples prepared as for training?",
            stacklevel=3,
        )
    return off


def _outputs(model, interface, samples):
    """Each output on all samples, in float64."""
    calls = [keras.tree.flatten(model(batch, training=False)) for batch in _batches(interface, samples)]
    return [
        np.concatenate([ops.convert_to_numpy(part) for part in parts]).astype("float64")
        for parts in zip(*calls, strict=True)
    ]


def _batches(interface, samples):
    arrays = [samples[entry.name] for entry in interface.inputs]
    for start in range(0, len(arrays[0]), BATCH):
        tensors = [ops.convert_to_tensor(np.asarray(values[start : start + BATCH])) for values in arrays]
        yield keras.tree.pack_sequence_as(interface.structure, tensors)
