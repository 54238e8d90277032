"""State dicts of torchvision, timm and their kin in our layers."""

import re

from keras import layers

from keraslayers.models.weights import fit, into, names, sources, tensors

# Counters, and what code computes anew; with its heads for distillation a network is another one.
COMPUTED = re.compile(r".*(num_batches_tracked|relative_position_index|attn_mask)")
TOP = re.compile(r"_?(classifier|heads?|fc|pre_logits|conv_head|norm_head)\b.*")  # without one of ours


class State(dict):
    """Arrays by their names, each of which is taken once."""

    def take(self, name):
        return self.pop(name)


def load(who, model, path):
    """Gives `model` the weights of a `.pth` or `.safetensors` file.

    Raises:
        ValueError: if the file holds weights of another network, or of one that was built with other options.
        Unreadable: see `tensors.read`.
    """
    state = {name: array for name, array in tensors.read(path).items() if not COMPUTED.fullmatch(name)}
    known = sources.of(who, sources.SOURCES) or ()
    source = next((one for one in known if one.begins in names.modules(state)), None)
    if source is None:
        raise ValueError(_unknown(who, path, known, state))
    for pattern, replacement in source.renames:
        state = {re.sub(pattern, replacement, name): array for name, array in state.items()}
    weighted = {layer.name: layer for layer in model.layers if layer.weights and layer.name != fit.SCALES}
    places = source.pairs(list(weighted), names.modules(state))
    # On another backbone options are the least: what the file lacks is told.
    alike = not source.backbone or len(places) > len(weighted) / 2
    if alike:
        check_fit(who, model, path, source.who, source.fits, backbone=source.backbone)
    if alike and source.refuses(model):
        raise ValueError(
            f"`{who}`: `weights` of {source.who} give their outputs with {source.refuses(model)}, which this model is "
            f"not built with, got {path!r}."
        )

    state, found, problems = State(state), {}, []
    for name, at in places.items():
        layer = weighted.get(name)
        if layer is None:
            continue
        try:
            arrays = into.arrays(layer, at, state)
        except KeyError as missing:
            problems.append(f"the file has no {missing.args[0]!r} for {name!r}")
            arrays = [variable.numpy() for variable in layer.weights]
        # Those of a layer's own weights, then of the layers in it.
        for inner, part in fit.named(layer, name):
            count = len(fit.own(part))
            found[inner], arrays = arrays[:count], arrays[count:]
    spare = [name for name in state if not (source.extras and re.match(source.extras, name))]
    if not fit.has_top(model):
        spare = [name for name in spare if not TOP.fullmatch(name)]
    without = "" if source.backbone else "; without classifier in the file build with include_top=False"
    fit.assign(
        who, path, model, found, left=spare, problems=problems,
        remedy=f"Build the network whose weights they are, of {source.who}, with its options{without}.",
    )  # fmt: skip


def _unknown(who, path, known, state):
    wanted = " or ".join(f"{one.who}'s, with {one.begins!r}" for one in known)
    return (
        f"`{who}`: `weights` must be {wanted or 'a file that Keras 3 wrote, as nobody else publishes this network'}; "
        f"got {path!r}, with {', '.join(map(repr, list(state)[:3]))}. Build the network whose weights they are."
    )


def check_fit(who, model, path, theirs, fits, *, backbone=False):
    """Raises unless the model has one of the paddings and epsilons with which the weights give their outputs."""
    padding, epsilon = padding_of(model), epsilon_of(model)
    for wanted, number in fits:
        if wanted in (None, padding) and (None in (number, epsilon) or abs(number - epsilon) < 1e-9):
            return
    told = " or ".join(
        ", ".join([f"padding={wanted!r}"] * (wanted is not None) + [f"bn_epsilon={number:g}"] * (number is not None))
        for wanted, number in fits
    )
    raise ValueError(
        f"`{who}`: `weights` of {theirs} give their outputs with {told}; the model has padding={padding!r}, "
        f"bn_epsilon={epsilon:g}, got {path!r}. Build it{' and its backbone' if backbone else ''} with these options."
    )


def padding_of(model):
    """ "same" where a layer that could pad on either side unequally does so as TensorFlow; else "symmetric"."""
    for layer in model.layers:
        averages = isinstance(layer, layers.AveragePooling2D)
        window = layer.pool_size if averages else getattr(layer, "kernel_size", (1, 1))
        if max(window) > 1 and (averages or max(layer.strides) > 1) and layer.padding == "same":
            return "same"
    return "symmetric"


def epsilon_of(model):
    """That of batch normalization, of a backbone where there is one; None without."""
    return next((layer.epsilon for layer in model.layers if isinstance(layer, layers.BatchNormalization)), None)
