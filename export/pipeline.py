"""From a Keras model to a file with proof: the way in."""

import dataclasses
import inspect
import warnings
from functools import partial

from keraslayers import _checks
from keraslayers.export.artifact import Artifact
from keraslayers.export.blame import find_culprit
from keraslayers.export.graph import read_graph
from keraslayers.export.precisions import INTEGER, IO, PRECISIONS, check_kernels
from keraslayers.export.progress import step
from keraslayers.export.proof import LOST, PROOF_SAMPLES, Verdict, prove_blob
from keraslayers.export.report import describe
from keraslayers.export.samples import make_up, name_samples
from keraslayers.export.targets import find_target

# Whether a report names the layer that a runtime fails on; to find it takes a dozen runs of parts of the file.
BLAME = True


def to_tflite(
    model,
    *,
    target="cpu",
    precision="float32",
    samples=None,
    io="float32",
    batch_size=1,
    preprocessing=None,
    skip=(),
    evaluate=None,
    max_drop=None,
    layer_errors=False,
):
    """Exports a Keras 3 model to TFLite and proves the file on the real runtimes.

    The model stays as it is. The names of its inputs and outputs become those of the file's signature.

    Args:
        model: a built `keras.Model`: Functional, Sequential, or subclassed and called once. One that
            `optimize.quantize_aware` gave takes the ranges it was trained with; of a pruned or clustered one the
            ordinary model inside is exported.
        target: `"cpu"`, `"gpu"` or `"micro"`, or a `Target`: the runtimes that the file is proven on.
        precision: `"float32"`; `"float16"` (weights of 16 bits); `"dynamic"` (weights of 8 bits, activations in
            floats); `"int4"` (weights of 4 bits, activations in floats; needs the extra `quantizer`); `"int8"` (all
            integer, but for products of two activations in files for phones; needs samples); `"int16x8"` (integer, with
            activations of 16 bits); `"auto"` (int8, with as many layers left in floats as it takes to keep the model's
            accuracy).
        samples: typical inputs, prepared as for training: an array of (samples, ...), a list of arrays for several
            inputs, a dict by input name, or a `tf.data.Dataset` (read up to 512 samples). Integer files take
            their ranges from all of them; the proof runs the first 16. Without them the proof makes inputs up.
        io: dtype of the file's inputs and outputs: `"int8"` and `"uint8"` go with int8 precision, `"int16"` with
            int16x8 only.
        batch_size: the file's batch; phones want 1.
        preprocessing: what training did to pixels of 0 to 255 before the one input of the model: a layer such as
            `keras.layers.Rescaling(1 / 255)`, or a function of tensors such as
            `keras.applications.mobilenet_v2.preprocess_input`; `keras.layers.Identity()` if the model does it. It
            becomes part of the file, and of what the file is compared with. The file then takes pixels as they are,
            and so must the samples be. With `io="uint8"` an int8 file's input has the scale 1 and the zero point 0;
            files of floats get an input of uint8, too, and keep their float outputs.
        skip: what an int8 file leaves in floats: names of layers, names of their classes, or the classes.
        evaluate: for `"auto"`: called as evaluate(predict), once for the Keras model and once for every file tried;
            predict(x) takes what `samples` may be and gives the outputs as an array, a dict by name of several;
            returns a number, more being better.
        max_drop: for `"auto"`: how far that number may fall below the Keras model's, 0.01 say.
        layer_errors: whether the report of a file in int8 or float16 ranks the layers by the error that each adds;
            takes about as long as the proof. `"auto"` always does.

    Returns:
        An `Artifact`. Its report tells whether the file is PROVEN; nothing is raised if it is not, see
        `Report.require`.

    Raises:
        TypeError, ValueError: if an argument does not fit; before any work is done.
        RuntimeError: if the converter refuses the model.
    """
    # Here, as `import keraslayers.export` comes before `prove`, which needs neither Keras nor TensorFlow.
    from keraslayers._rewrite import graph_of, sized
    from keraslayers.export import converter, four_bits
    from keraslayers.export.auto import model_predictor, score_of, search
    from keraslayers.export.auxiliary import drop_auxiliary
    from keraslayers.export.convert import convert
    from keraslayers.export.half import HALF, half_errors, largest_value
    from keraslayers.export.interface import interface_of
    from keraslayers.export.layer_names import layer_sizes
    from keraslayers.export.mixed import PRODUCT, calibrated, find_layers
    from keraslayers.export.optimize.deploy import check_integers, deployable, deployed
    from keraslayers.export.preprocessing import check_preprocessing, name_of, require_pixels, span, take_pixels

    who = "to_tflite"
    target = find_target(who, target)
    _checks.choice(who, "precision", precision, (*PRECISIONS, "auto"))
    auto, precision = precision == "auto", "int8" if precision == "auto" else precision
    _checks.choice(who, "io", io, IO)
    _check_mixed(who, auto, precision, skip, evaluate, max_drop, layer_errors)
    batch_size = _checks.positive_int(who, "batch_size", batch_size)
    pixels = preprocessing is not None
    if IO[io] not in (None, precision) and not (pixels and io == "uint8" and precision not in INTEGER):
        raise ValueError(f"`{who}`: `io`={io!r} needs precision={IO[io]!r}; got precision={precision!r}.")
    if precision == "int4" and (lacking := four_bits.available()):
        raise ImportError(f"`{who}`: precision='int4' needs {lacking}")
    interface = interface_of(who, model)
    floats = tuple(sorted(find_layers(who, skip, model))) if skip else ()
    model, trained = deployable(who, model, precision, pixels)
    if trained and (auto or floats or layer_errors):
        raise ValueError(
            f"`{who}`: `model` {model.name!r} was trained for int8; `skip`, `layer_errors` and precision='auto' are "
            "for ordinary models. What shall stay in floats stays out of the training: quantize_aware(model, skip=...)."
        )
    if model is not interface.model:
        interface = interface_of(who, model)
    model, dropped = drop_auxiliary(who, model)
    if dropped:
        interface = interface_of(who, model)
    if pixels:
        dtype = "uint8" if io == "uint8" and precision != "int8" else "float32"
        interface = take_pixels(who, interface, preprocessing, dtype)
    if samples is None and precision in INTEGER and not trained:
        raise ValueError(
            f"`{who}`: precision={precision!r} needs `samples` to measure ranges on: some hundred typical inputs, "
            "prepared as for training: samples=x_train[:200], an array of "
            f"(samples, {_sizes(interface.inputs[0].shape)})."
        )
    if samples is not None:
        samples = name_samples(who, samples, interface.inputs, pixels)
    shapes = _static_shapes(who, interface, samples, batch_size)
    if pixels:
        check_preprocessing(who, interface, shapes)

    converter.start()  # it imports TensorFlow meanwhile
    with step(f"preparing {model.name}"):
        # The passes of a model that trained with rounding come before the training.
        measure = samples and partial(interface.largest, samples)
        ready, passes = sized(model, shapes.values()), {}
        if not trained:
            ready, passes = prepare(ready, target, precision, measure)
        passes = {**({"drop_auxiliary": dropped} if dropped else {}), **passes}
    ranges = span(samples) if pixels and samples else samples
    errors, trials = (), ()
    on_phone = "cpu" in target.runtimes
    measured = partial(calibrated, interface, ready, shapes, ranges, io, on_phone)
    if auto or floats or (layer_errors and precision == "int8"):
        with measured() as made:
            if auto:
                score = score_of(who, evaluate, model_predictor(who, interface, pixels))
                blob, floats, trials = search(who, made, evaluate, max_drop, score)
            else:
                blob = made.file(set(floats))
            errors = made.errors if auto or layer_errors else ()
    else:
        with step(f"converting {model.name} to {precision}"), deployed(model):
            blob = convert(interface, ready, shapes, precision, None if trained else ranges, io)
            if precision == "int8" and on_phone and not trained and PRODUCT in read_graph(blob).operators:
                with measured() as made:
                    blob = made.file()
    graph = read_graph(blob)
    if trained:
        floats = check_integers(who, graph, model)
    elif not floats:
        check_kernels(who, graph, precision)
    if pixels:
        require_pixels(who, graph)
    if samples is None:
        samples = make_up(interface.inputs, pixels=pixels)
    with step(f"running {model.name} in Keras"):
        expected = interface.predict({name: values[:PROOF_SAMPLES] for name, values in samples.items()})
    proofs = prove_blob(blob, graph, samples, target.runtimes, expected=expected, precision=precision, trained=trained)
    if BLAME:
        proofs = tuple(_blamed(proof, blob, samples, model) for proof in proofs)
    half = None
    if (precision == "float16" or "gpu" in target.runtimes) and graph_of(model) is not None:
        half = largest_value(interface, samples)
        if half.value > HALF / 4:
            warnings.warn(f"`{who}`: model {model.name!r}: {half}.", stacklevel=2)
        if layer_errors and precision == "float16":
            errors = half_errors(interface, samples)
    report = describe(
        blob,
        graph,
        proofs,
        name=model.name,
        target=target.name,
        precision=precision,
        io=io,
        passes=passes,
        preprocessing=name_of(preprocessing),
        parameters=model.count_params(),
        largest=half,
        float_layers=floats,
        layer_sizes=layer_sizes(graph, model),
        layer_errors=errors,
        trials=trials,
    )
    return Artifact(blob, report)


def _blamed(proof, blob, samples, model):
    """The same proof; the reason why a runtime fails names the layer, where it is the runtime that does."""
    if proof.verdict not in (Verdict.WRONG, Verdict.REJECTED) or LOST in proof.reason:
        return proof
    culprit = find_culprit(blob, proof.runtime, samples=samples, model=model)
    return proof if culprit is None else dataclasses.replace(proof, reason=f"{proof.reason.rstrip('. ')}. {culprit}")


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


def prepare(model, target, precision, largest=None):
    """Applies the passes that the target and precision want.

    Args:
        model: a Keras model.
        target, precision: of the file.
        largest: what passes measure tensors with, as `Interface.largest` with the samples given; None without samples.

    Returns:
        (a model with the same outputs, the count of changes by pass). A subclassed model is code, not a graph: it
        passes through as it is.
    """
    from keraslayers._rewrite import graph_of
    from keraslayers.export.passes import PASSES

    done = {}
    if graph_of(model) is not None:
        for name, (function, wanted) in PASSES.items():
            if wanted(target, precision):
                measures = "largest" in inspect.signature(function).parameters
                model, count = function(model, largest) if measures else function(model)
                done |= {name: count} if count else {}
    return model, done


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
