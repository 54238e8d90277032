"""From a Keras model to the bytes of a .tflite file, by way of a SavedModel."""

import contextlib
import threading

import keras
import numpy as np

from keraslayers._quiet import quiet
from keraslayers._rewrite import graph_of
from keraslayers.export.convert import converter
from keraslayers.export.convert.deadly import deadly_layer
from keraslayers.export.convert.four_bits import four_bits
from keraslayers.export.convert.refusals import refused_layers, refused_node
from keraslayers.export.convert.spelled import spelled
from keraslayers.export.file.arranged import arranged
from keraslayers.export.precisions import IO
from keraslayers.export.scratch import scratch
from keraslayers.export.source.interface import interface_of
from keraslayers.export.source.layer_names import labels_of, scope, scoped

# Spellings and names are of the whole process: one thread at a time.
_tracing = threading.RLock()


def convert(interface, model, shapes, precision, io):
    """Converts a Keras model to a file whose ranges need no samples.

    Args:
        interface: of the user's model: gives names and order.
        model: what to convert in its place.
        shapes: by input name the static shape, batch included.
        precision: one of `precisions.PRECISIONS`; of integers only where the model holds trained ranges.
        io: dtype of inputs and outputs.

    Returns:
        The bytes of a .tflite file.

    Raises:
        RuntimeError: if the converter refuses the model, in its own words.
    """
    with saved(interface, model, shapes) as ask:
        blob = ask(
            "convert",
            types="float16" if precision == "float16" else None,
            io=io if IO[io] == precision else "float32",
            optimize=precision not in ("float32", "int4"),  # those of 4 bits are made of a file in floats
        )
    return four_bits(blob) if precision == "int4" else blob


@contextlib.contextmanager
def saved(interface, model, shapes, samples=None, search=True):
    """Writes a model down for the converter; see `convert` for the arguments.

    Args:
        samples: by input name arrays of (samples, ...), where ranges are to be measured.
        search: whether to look for the layer, where the converter dies.

    Returns:
        A function to have something done with it: `ask(do, given=None, **request)`, as `converter.ask`; `given` are the
        bytes of a file to do it with. It returns the file that was made, or what else the converter's answer is.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"`to_tflite`: needs the TensorFlow backend, Keras runs on {keras.backend.backend()!r}. Save the model, "
            "then export it in a process with KERAS_BACKEND=tensorflow: `keraslayers export model.keras`."
        )
    import tensorflow as tf

    signature = [tf.TensorSpec(shapes[entry.name], entry.dtype, scope(entry.name)) for entry in interface.inputs]
    names = {}  # those that TensorFlow would not take, by what stands for them meanwhile
    inputs, outputs = [entry.name for entry in interface.inputs], []  # in the model's order

    def serve(*tensors):
        made = interface(tensors, model)
        outputs[:] = made
        names.update((scope(name), name) for name in [*outputs, *inputs] if name != scope(name))
        return {scope(name): value for name, value in made.items()}

    with scratch() as folder:
        try:
            with _tracing, quiet(), spelled(), scoped(model, labels_of(interface.model)):
                holder, function = _served(tf, interface, model, serve, signature)
                with _plainly_named(function.variables):
                    tf.saved_model.save(holder, str(folder), function)
        except Exception as error:  # of whatever class the model's own code raises
            error.add_note(
                f"`to_tflite`: TensorFlow cannot write model {interface.model.name!r} down as a graph.{_code(error)}"
            )
            raise
        if names:
            _rename(folder / "saved_model.pb", names)
        if samples is not None:
            # With a sign before it no name is that of an argument.
            np.savez(folder / "samples.npz", **{f"={name}": values for name, values in samples.items()})
        made = folder / "model.tflite"

        def ask(do, given=None, **request):
            made.unlink(missing_ok=True)
            if given is not None:
                (folder / "given.tflite").write_bytes(given)
            try:
                result = converter.ask(folder, do, **request)
            except converter.ConverterError as error:
                died = search and do == "convert" and isinstance(error, converter.ConverterDeathError)
                words, user = str(error), interface.model
                where = _deadly(user, model, shapes) if died else ""
                raise RuntimeError(
                    f"`to_tflite`: the TFLite converter refused model {user.name!r}: {_gist(words)}{where}"
                    f"{refused_layers(words, user)}{refused_node(words, given, user)}"
                ) from error
            return arranged(made.read_bytes(), inputs, outputs) if made.exists() else result

        yield ask


def _deadly(user, model, shapes):
    """Which layer the converter dies of, as a sentence; empty where it is not found."""
    if graph_of(model) is None:
        return ""

    def dies(part):
        with saved(interface_of("to_tflite", part), part, shapes, search=False) as ask:
            try:
                ask("convert", types=None, io="float32", optimize=False)
            except RuntimeError as error:
                return isinstance(error.__cause__, converter.ConverterDeathError)
        return False

    try:
        layer = deadly_layer(model, user, dies)
    except Exception:  # whatever it is: how the converter died must be told
        return ""
    return f". It dies of layer `{layer}`: write it in another way, or leave it out of the model" if layer else ""


@contextlib.contextmanager
def _plainly_named(variables):
    """Within it, variables have names that TensorFlow can write down; a layer called `my conv` gave them others.

    Of a name it makes a scope when it saves, and it lets nobody set one: hence the private attribute.
    """
    odd = {id(v): (v, v._handle_name) for v in variables if any(scope(part) != part for part in v.name[:-2].split("/"))}
    try:
        for variable, name in odd.values():
            variable._handle_name = "/".join(map(scope, name.removesuffix(":0").split("/"))) + ":0"
        yield
    finally:
        for variable, name in odd.values():
            variable._handle_name = name


def _rename(path, names):
    """Gives inputs and outputs of a SavedModel's signature their own names, which may be any text."""
    from tensorflow.core.protobuf import saved_model_pb2

    written = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in written.meta_graphs:
        for signature in graph.signature_def.values():
            for side in (signature.inputs, signature.outputs):
                for name in names.keys() & set(side):
                    side[names[name]].CopyFrom(side[name])
                    del side[name]
    path.write_bytes(written.SerializeToString())


def _served(tf, interface, model, serve, signature):
    """What to save: (an object that holds all that `serve` uses, the function by the name of its signature).

    keras.export.ExportArchive traces the model three times and writes down every layer of it: it takes three times as
    long.
    """
    function = tf.function(serve, input_signature=signature, autograph=False).get_concrete_function()
    holder = tf.Module()
    holder.held = list(function.variables)
    handles = {id(variable.handle) for variable in holder.held}
    # Tables of preprocessing layers are no variables; their layers hold them.
    if any(x.dtype == tf.resource and id(x) not in handles for x in function.captured_inputs):
        holder.owners = [model, interface.preprocessing]
    return holder, function


# What code asks of a tensor that has no numbers yet, by TensorFlow's words, and what to write in its place.
ASKS = {
    "Iterating over a symbolic": (
        "loops over a tensor, or unpacks one: write Python's `range`, slices or `keras.ops.unstack` where the size is "
        "known, `keras.ops.while_loop` where it is not; or decorate its `call` with `@tf.function`"
    ),
    "as a Python `bool`": (
        "decides by a tensor: write `keras.ops.where` or `keras.ops.cond`; or decorate its `call` with `@tf.function`"
    ),
    "to a numpy array": "hands a tensor to NumPy: write the function of `keras.ops`",
    "has no attribute 'numpy'": "asks a tensor for its numbers: write functions of `keras.ops`",
}


def _code(error):
    """What to do about code that asks for the numbers of a tensor; empty about other errors."""
    asked = next((remedy for words, remedy in ASKS.items() if words in str(error)), "")
    return asked and f" Its code {asked}."


def _gist(words):
    """The lines of a converter error that say something: which operators it has no kernels for, else its errors."""
    lines = [line.strip() for line in words.splitlines()]
    lacking = [line for line in lines if line.startswith(("TF Select ops:", "Custom ops:"))]
    return " ".join(lacking or [line for line in lines if "error:" in line][:3])[:600] or words[:600]
