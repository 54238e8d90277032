"""Pruning: the smallest weights become zero while the model trains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from keraslayers import _checks
from keraslayers.export.optimize._state import State
from keraslayers.export.optimize._tfmot import tfmot
from keraslayers.export.optimize.layout import image, restored
from keraslayers.export.optimize.model import Optimized
from keraslayers.export.optimize.rebuild import chosen, kernel_name, replaced, source_of
from keraslayers.export.optimize.rules import check_skip
from keraslayers.export.source.in_float32 import float32_policy


class PrunedKernel(keras.layers.Layer):
    """A kernel without its smallest weights, which tfmot's `Pruning` chooses step by step.

    Args:
        kernel: a `Found`.
        pruning: makes tfmot's `Pruning` of (function of the step, variables).
    """

    def __init__(self, kernel, pruning):
        super().__init__(name=kernel_name(kernel), dtype="float32")
        self.kernel = kernel
        self.pruning = pruning
        state = State(self)
        self.mask = state.add("mask", np.ones(self._image().shape, "float32"))
        self.threshold = state.add("threshold", np.zeros((), "float32"))
        self.step = state.add("step", np.zeros((), "int64"))
        self.built = True

    def _image(self):
        return image(self.variable.value, self.kernel.place)

    def now(self):
        """The kernel with zeros, also where an optimizer's last step may have moved it."""
        return self.variable.value * restored(self.mask.value, self.variable.shape, self.kernel.place)

    finished = now

    def advance(self):
        """Counts a step, renews the mask if it is due, and sets to zero what it masks."""
        self.step.assign_add(1)
        self.pruning(
            lambda: self.step.value, [(self._image(), self.mask.value, self.threshold.value)]
        ).conditional_mask_update()
        self.variable.assign(self.now())

    def beginnings(self):
        """Nothing but weights is needed to go on."""
        return {}

    @property
    def variable(self):
        """The kernel."""
        return self.kernel.variable


@float32_policy()
def prune(
    model: keras.Model,
    *,
    sparsity: float | dict[str, Any] | Any = 0.5,
    pattern: str | None = None,
    block: Sequence[int] = (1, 1),
    skip: Iterable[str | keras.layers.Layer] = (),
) -> Optimized:
    """Gives a model that trains while its smallest weights become zero.

    It is a Keras 3 model with weights of its own: compile it, fit it, then `strip` it or hand it on to `cluster` or
    `quantize_aware`, which keep the zeros. The kernels of Conv1D, Conv2D, Conv2DTranspose, Dense, EinsumDense,
    PaddedConv2D and SpatialSeparableConv2D are pruned, and the pointwise ones of SeparableConv1D and SeparableConv2D,
    each by itself, those of layers within other layers too; what is frozen stays as it is.

    Args:
        model: a trained Functional or Sequential model; it stays as it is.
        sparsity: the part of the weights to become zero, within (0, 1), from the first step on; or a schedule, a dict
            of `initial_sparsity`, `final_sparsity`, `begin_step`, `end_step` and optionally `power` and `frequency`
            (tfmot's `PolynomialDecay`) or of `target_sparsity`, `begin_step` and optionally `end_step` and `frequency`
            (`ConstantSparsity`), or such an object. Steps are counted from 1; `frequency` is 1 in dicts, since the 100
            of tfmot prunes nothing in a run of fewer steps.
        pattern: `"2:4"`: two of any four weights in a row of input channels become zero, at the first step, and
            `sparsity` is left alone; `"m:n"` for any others. Where the input channels are no multiple of four, the
            last four are filled up with zeros, which count: a kernel of 3 channels keeps two of three.
        block: (rows, columns) of the blocks that become zero together; of Dense layers alone.
        skip: names of layers, or layers, to leave as they are.

    Returns:
        An `Optimized` model.

    Raises:
        ImportError: if tensorflow-model-optimization is not installed.
        TypeError: if `model` is no Keras 3 model.
        ValueError: if it is subclassed, or has nothing to prune, or an argument
            does not fit.

    Source: Zhu and Gupta 2017, arXiv:1710.01878; tfmot's `Pruning`.
    """
    who = "prune"
    parts = tfmot(who)
    options = {
        "sparsity": _described(who, parts, sparsity),
        "pattern": _pattern(who, pattern),
        "block": _block(who, block),
    }
    if options["pattern"] and options["block"] != [1, 1]:
        raise ValueError(f"`{who}`: `pattern` and `block` exclude each other; got {pattern!r} and {block!r}.")
    source, before = source_of(who, model)
    if before is not None and before.clustered:
        raise ValueError(f"`{who}`: `model` {model.name!r} is clustered already. Prune first, then cluster.")
    options["skip"] = sorted(check_skip(who, before.source if before else model, skip))
    return build(who, source, options)


def build(who, source, options):
    """The model that `prune` gives, around a copy of the user's, of options that `Plan` holds."""
    parts = tfmot(who)
    found = chosen(who, source, options["skip"])
    if options["block"] != [1, 1]:
        found = [kernel for kernel in found if len(kernel.variable.shape) == 2]
        if not found:
            raise ValueError(
                f"`{who}`: `block` is of Dense layers alone, and `model` {source.name!r} has none to prune."
            )
    kind, values = options["sparsity"]
    m_by_n = tuple(options["pattern"]) if options["pattern"] else None

    def pruning(step, variables):
        schedule = getattr(parts.schedules, kind)(**values)
        return parts.pruning.Pruning(step, variables, schedule, options["block"], "AVG", m_by_n)

    made = [(kernel, PrunedKernel(kernel, pruning)) for kernel in found]
    return replaced(source, "prune", options, made, {kernel.label for kernel in found}, ())


def _described(who, parts, sparsity):
    """A schedule as (name of tfmot's class, its arguments)."""
    if isinstance(sparsity, parts.schedules.PruningSchedule):
        config = sparsity.get_config()
        if not hasattr(parts.schedules, config["class_name"]):
            raise ValueError(
                f"`{who}`: `sparsity` must be a schedule of tfmot's, which a file can name; got {config['class_name']}."
            )
        return [config["class_name"], config["config"]]
    if isinstance(sparsity, dict):
        kind = "ConstantSparsity" if "target_sparsity" in sparsity else "PolynomialDecay"
        values = {"frequency": 1, **sparsity}
        try:
            getattr(parts.schedules, kind)(**values)
        except (TypeError, ValueError) as error:
            raise ValueError(f"`{who}`: `sparsity` {sparsity!r} is no {kind} schedule: {error}") from error
        return [kind, values]
    if isinstance(sparsity, bool) or not isinstance(sparsity, int | float) or not 0 < sparsity < 1:
        raise ValueError(f"`{who}`: `sparsity` must be a number within (0, 1) or a schedule; got {sparsity!r}.")
    return ["ConstantSparsity", {"target_sparsity": float(sparsity), "begin_step": 0, "frequency": 1}]


def _pattern(who, pattern):
    if pattern is None:
        return None
    found = re.fullmatch(r"(\d+):(\d+)", pattern) if isinstance(pattern, str) else None
    if not found or not 0 < int(found[1]) < int(found[2]):
        raise ValueError(f"`{who}`: `pattern` must be 'm:n', m zeros of n weights, such as '2:4'; got {pattern!r}.")
    return [int(found[1]), int(found[2])]


def _block(who, block):
    sizes = list(block) if isinstance(block, tuple | list) else [block]
    if len(sizes) != 2:
        raise ValueError(f"`{who}`: `block` must be (rows, columns); got {block!r}.")
    return [_checks.positive_int(who, "block", size) for size in sizes]
