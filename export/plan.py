"""What an export will do, decided before any work: all that is knowable early fails here, in words."""

from dataclasses import dataclass

import keras

from keraslayers import _checks
from keraslayers._depth import make_room
from keraslayers._rewrite import calls, graph_of
from keraslayers.export.convert import four_bits
from keraslayers.export.convert.mixed import find_layers
from keraslayers.export.optimize.deploy import deployable
from keraslayers.export.precisions import INTEGER, IO, PRECISIONS
from keraslayers.export.source.auxiliary import drop_auxiliary
from keraslayers.export.source.in_float32 import in_float32, layer_in_float32
from keraslayers.export.source.interface import Interface, interface_of
from keraslayers.export.source.preprocessing import check_preprocessing, take_pixels
from keraslayers.export.source.samples import make_up, name_samples
from keraslayers.export.targets import Target, find_target


@dataclass(frozen=True)
class Plan:
    """What an export will do; `to_tflite` says what its arguments mean.

    Attributes:
        who: the function that exports, for messages.
        target, precision, io, preprocessing, evaluate, max_drop, prefer, layer_errors: as asked for.
        auto: whether layers in floats are to be found; the precision is then int8.
        model: what is exported of the user's model.
        interface: of `model`.
        theirs: of the user's model, with its own dtype policies.
        trained: whether it holds trained ranges.
        dropped: how many auxiliary outputs it left behind.
        others: how many of its layers computed in other floats than float32.
        floats: names of the layers to leave in floats.
        samples: by input name arrays; made up where none were given.
        given: whether they were.
        shapes: by input name the file's.
    """

    who: str
    target: Target
    precision: str
    auto: bool
    io: str
    model: object
    interface: Interface
    theirs: Interface
    trained: bool
    dropped: int
    others: int
    floats: tuple[str, ...]
    samples: dict
    given: bool
    shapes: dict
    preprocessing: object
    evaluate: object
    max_drop: float | None
    prefer: str | None
    layer_errors: bool

    @property
    def pixels(self):
        """Whether the file takes pixels of 0 to 255 as they are."""
        return self.preprocessing is not None


def planned(
    who,
    model,
    *,
    target,
    precision,
    samples,
    io,
    batch_size,
    preprocessing,
    skip,
    evaluate,
    max_drop,
    prefer,
    layer_errors,
):
    """Returns the `Plan`; for the arguments and what is raised see `to_tflite`."""
    target = find_target(who, target)
    _checks.choice(who, "precision", precision, (*PRECISIONS, "auto"))
    auto, precision = precision == "auto", "int8" if precision == "auto" else precision
    _checks.choice(who, "io", io, IO)
    _check_mixed(who, auto, precision, skip, evaluate, max_drop, layer_errors)
    _check_prefer(who, prefer, auto, io, target)
    batch_size = _checks.positive_int(who, "batch_size", batch_size)
    pixels = preprocessing is not None
    if IO[io] not in (None, precision) and not (pixels and io == "uint8" and precision not in INTEGER):
        raise ValueError(f"`{who}`: `io`={io!r} needs precision={IO[io]!r}; got precision={precision!r}.")
    if target.types and io not in target.types:
        raise ValueError(
            f"`{who}`: `io`={io!r} does not go with target {target.name!r}, whose files take and give "
            f"{', '.join(target.types)}. Leave it at 'float32', or take 'uint8' with precision='int8'."
        )
    if precision == "int4" and (lacking := four_bits.available()):
        raise ImportError(f"`{who}`: precision='int4' needs {lacking}")
    interface_of(who, model, samples)  # which says what is no model
    if graph_of(model) is not None:
        make_room(sum(1 for _ in calls(model)))
    floats = tuple(sorted(find_layers(who, skip, model))) if skip else ()
    model, trained = deployable(who, model, precision, pixels)
    if trained and (auto or floats or layer_errors):
        raise ValueError(
            f"`{who}`: `model` {model.name!r} was trained for int8; `skip`, `layer_errors` and precision='auto' are "
            "for ordinary models. What shall stay in floats stays out of the training: quantize_aware(model, skip=...)."
        )
    model, dropped = drop_auxiliary(who, model)
    theirs = interface_of(who, model, samples)
    model, others = (model, 0) if trained else in_float32(who, model)
    interface = interface_of(who, model, samples) if others else theirs
    if pixels:
        dtype = "uint8" if io == "uint8" and precision != "int8" else "float32"
        theirs = take_pixels(who, theirs, preprocessing, dtype)
        preprocessing = layer_in_float32(who, preprocessing)
        interface = take_pixels(who, interface, preprocessing, dtype)
    _check_numbers(who, interface, precision)
    given = samples is not None
    if not given and precision in INTEGER and not trained:
        raise ValueError(
            f"`{who}`: precision={precision!r} needs `samples` to measure ranges on: some hundred typical inputs, "
            "prepared as for training: samples=x_train[:200], an array of "
            f"(samples, {_sizes(interface.inputs[0].shape)})."
        )
    if given:
        samples = name_samples(who, samples, interface.inputs, pixels)
    shapes = _static_shapes(who, interface, samples, batch_size)
    if pixels:
        check_preprocessing(who, interface, shapes)
    return Plan(
        who=who,
        target=target,
        precision=precision,
        auto=auto,
        io=io,
        model=model,
        interface=interface,
        theirs=theirs,
        trained=trained,
        dropped=dropped,
        others=others,
        floats=floats,
        samples=samples if given else make_up(interface.inputs, pixels=pixels),
        given=given,
        shapes=shapes,
        preprocessing=preprocessing,
        evaluate=evaluate,
        max_drop=max_drop,
        prefer=prefer,
        layer_errors=layer_errors,
    )


def _check_numbers(who, interface, precision):
    """Refuses inputs of text, which the runtimes of phones do not read, and ids where the quantizer has none."""
    for entry in interface.inputs:
        if precision == "int16x8" and entry.dtype.startswith(("int", "uint", "bool")):
            raise ValueError(
                f"`{who}`: precision='int16x8' is for inputs of floats: the quantizer of 16 bits can neither look up "
                f"nor convert integers. Input `{entry.name}` of `model` {interface.model.name!r} is {entry.dtype}: "
                "take precision='int8', or leave what reads it out of the model and give the file what it computes."
            )
        if entry.dtype == "string":
            readers = [
                layer.name
                for layer, args, kwargs in calls(interface.model)
                if any(getattr(x, "dtype", None) == "string" for x in keras.tree.flatten([args, kwargs]))
            ]
            raise ValueError(
                f"`{who}`: `model` {interface.model.name!r} takes text in input `{entry.name}`, which runtimes of "
                f"phones do not read. Leave {' and '.join(f'`{name}`' for name in readers)} out of the model: the app "
                "turns text into numbers, and the file takes those."
            )


def _check_mixed(who, auto, precision, skip, evaluate, max_drop, layer_errors):
    """What belongs to int8 alone, or to "auto" alone, comes with it."""
    if auto:
        if not callable(evaluate):
            raise TypeError(
                f"`{who}`: precision='auto' needs `evaluate`, a function of a function: evaluate=lambda predict: "
                f"accuracy(predict(x_test), y_test); got {evaluate!r}."
            )
        if max_drop is None or not max_drop >= 0:
            raise ValueError(
                f"`{who}`: precision='auto' needs `max_drop`, how far the number that `evaluate` gives may fall: "
                f"max_drop=0.01; got {max_drop!r}."
            )
        if skip:
            raise ValueError(f"`{who}`: `skip` is for precision='int8': 'auto' finds the layers itself; got {skip!r}.")
    elif evaluate is not None or max_drop is not None:
        raise ValueError(f"`{who}`: `evaluate` and `max_drop` are for precision='auto'; got precision={precision!r}.")
    if skip and precision != "int8":
        raise ValueError(f"`{who}`: `skip` is for precision='int8'; got precision={precision!r}.")
    if layer_errors and precision not in ("int8", "float16"):
        raise ValueError(f"`{who}`: `layer_errors` is for precision='int8' or 'float16'; got precision={precision!r}.")


def _check_prefer(who, prefer, auto, io, target):
    if prefer is None:
        return
    _checks.choice(who, "prefer", prefer, ("latency", "size"))
    if not auto:
        raise ValueError(f"`{who}`: `prefer` is for precision='auto': one precision is one file; got {prefer!r}.")
    if io != "float32":
        raise ValueError(f"`{who}`: with `prefer` files in floats are tried, too, which need io='float32'; got {io!r}.")
    if prefer == "latency" and target.kinds[0] != "cpu":
        raise ValueError(
            f"`{who}`: `prefer`='latency' is measured on a CPU; target {target.name!r} begins with {target.kinds[0]}, "
            "which a driver in software may stand for here. Take target='cpu', or prefer='size'."
        )


def _static_shapes(who, interface, samples, batch_size):
    """The file's shapes: the model's, with the batch set, and sizes the model leaves open taken from the samples."""
    shapes = {}
    for entry in interface.inputs:
        sizes = entry.shape[1:]
        if None in sizes:
            if samples is None:
                raise ValueError(
                    f"`{who}`: `model` {interface.model.name!r} leaves the size of input `{entry.name}` open: "
                    f"{entry.shape}. A file has one size: give `samples` of that size, or build the model with it."
                )
            sizes = samples[entry.name].shape[1:]
        shapes[entry.name] = (batch_size, *sizes)
    return shapes


def _sizes(shape):
    return ", ".join("any" if size is None else str(size) for size in shape[1:])
