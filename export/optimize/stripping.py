"""The ordinary model inside an optimized one."""

from __future__ import annotations

import keras

from keraslayers.export.optimize.model import Optimized, copy, plan_of
from keraslayers.export.source.in_float32 import float32_policy


@float32_policy()
def strip(model: Optimized) -> keras.Model:
    """Gives the ordinary Keras 3 model with the weights that an optimized one has come to.

    It is made of the layers that the user's model was made of and has nothing of tfmot in it. Of a pruned model it has
    the zeros, of a clustered one the clusters, of a quantized one the trained weights before they are rounded.

    Args:
        model: what `quantize_aware`, `prune` or `cluster` gave; it stays as it is.

    Returns:
        A Functional or Sequential model, not compiled.

    Raises:
        TypeError: if `model` is no such model.
    """
    plan = plan_of(model)
    if plan is None:
        raise TypeError(
            f"`strip`: `model` must be one that `quantize_aware`, `prune` or `cluster` gave; got "
            f"{type(model).__name__} {getattr(model, 'name', '')!r}."
        )
    made = copy("strip", plan.source)
    twins = {id(theirs): mine for theirs, mine in zip(plan.source.variables, made.variables, strict=True)}
    for wrapper in plan.wrappers:
        if id(wrapper.variable) in twins:  # others belong to layers that stand for the user's in a file
            twins[id(wrapper.variable)].assign(wrapper.finished())
    return made
