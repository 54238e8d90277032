"""What a network sees on the way: its maps at several strides, for detection and segmentation."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import keras

from keraslayers import _checks, _keras, _rewrite

SIDE = 1024
DEFAULT = (4, 8, 16, 32)
STAGE = re.compile(r"stem_|stage(\d+)_|[cs](\d)$")  # the last are LeNet-5's, from its paper


def features(model: keras.Model, strides: Sequence[int] | None = None) -> keras.Model:
    """Returns a model of the same layers that gives the last maps of each stage.

    The layers and their weights are shared with `model`: training one trains the other. A stage is what the builders
    of `keraslayers.models` name `stem_...`, `stage1_...`, `stage2_...`; of several of one stride the last counts.

    Args:
        model: a Functional or Sequential model whose layers are named by stage, with or without top.
        strides: input pixels per step of the maps, in the order in which the maps are wanted. Default: of 4, 8, 16
            and 32 those that the model has; where it has none of them, its largest.

    Returns:
        A keras.Model with the input of `model` and a list of outputs, one a stride.

    Raises:
        TypeError: if `model` is no keras.Model, or `strides` no list of whole numbers.
        ValueError: if `model` takes no images, no layer is named by stage, or no stage has such a stride.

    Source: Lin et al. 2017, Feature pyramid networks, arXiv:1612.03144, section 3: "we choose the output of the last
    layer of each stage".
    """
    maps = seen("features", "model", model, strides)
    return keras.Model(_rewrite.graph_of(model).input, maps, name=f"{model.name}_features")


def seen(who, argument, model, strides):
    """The tensors that `features` gives, for functions that call their model otherwise."""
    _rewrite.check_graph(who, model, argument)
    if any(len(tensor.shape) != 4 for tensor in model.inputs):
        shapes = ", ".join(str(tensor.shape) for tensor in model.inputs)
        raise ValueError(f"`{who}`: `{argument}` must take images, of 4 axes; {model.name!r} takes {shapes}.")
    if strides is not None and (not isinstance(strides, list | tuple) or not strides):
        raise TypeError(f"`{who}`: `strides` must be a list of whole numbers, such as (8, 16, 32); got {strides!r}.")
    maps = maps_of(who, argument, model)
    if strides is None:
        strides = [stride for stride in DEFAULT if stride in maps] or [max(maps)]
    strides = [_checks.positive_int(who, "strides", stride) for stride in strides]
    for stride in strides:
        if stride not in maps:
            raise ValueError(
                f"`{who}`: `{argument}` {model.name!r} has no stage of stride {stride}; its stages have the strides "
                f"{', '.join(map(str, sorted(maps)))}."
            )
    return [maps[stride] for stride in strides]


def stride_of(model, tensor):
    """The stride of maps that a model gives somewhere."""
    return _strides(model, {"maps": tensor})["maps"]


def strides_of(who, argument, model):
    """The strides of which a model has maps; raises as `features` does."""
    return set(maps_of(who, argument, model))


def maps_of(who, argument, model):
    """The last tensor of the last stage of each stride."""
    ends = {}
    operations = _rewrite.graph_of(model).operations  # in the order of the calls
    for operation in operations:
        found = STAGE.match(operation.name)
        if found and len(operation.output.shape) == 4:
            ends[int(found[1] or found[2] or 0)] = operation.name
    if not ends and any(STAGE.match(operation.name) for operation in operations):
        raise ValueError(
            f"`{who}`: `{argument}` {model.name!r} has tokens in its stages and no maps; build it with "
            "include_top=False, which ends in maps."
        )
    if not ends:
        raise ValueError(
            f"`{who}`: `{argument}` {model.name!r} has no layers named `stage1_...`, by which stages are found; choose "
            "layers yourself: keras.Model(model.inputs, [model.get_layer(name).output for name in names])."
        )
    tensors = {operation.name: operation.output for operation in operations if operation.name in ends.values()}
    strides = _strides(model, tensors)
    return {strides[name]: tensors[name] for _, name in sorted(ends.items())}


def _strides(model, tensors):
    """By name the stride of the maps."""
    side, operations = model.inputs[0].shape[1], _rewrite.graph_of(model).operations
    if side and any(isinstance(operation, keras.layers.Reshape) for operation in operations):
        # Tokens become maps of one size alone.
        return {name: _stride(side, maps.shape[1]) for name, maps in tensors.items()}
    # Of images of SIDE pixels, whatever the model's own: small ones lose borders.
    probe = keras.Model(_rewrite.graph_of(model).input, tensors)
    image = keras.KerasTensor((1, SIDE, SIDE, model.inputs[0].shape[-1]))

    def shape_of(operation, *args, **kwargs):
        return operation.compute_output_spec(*args, **kwargs)

    shapes = _keras.run(probe, keras.tree.map_structure(lambda _: image, probe.input), shape_of)
    return {name: _stride(SIDE, maps.shape[1]) for name, maps in shapes.items()}


def _stride(side, height):
    # Borders are lost, or rounded up.
    return 2 ** round(math.log2(side / height))
