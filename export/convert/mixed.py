"""Files of integers: a conversion to floats, rewritten, its ranges measured, quantized but for what stays in floats."""

import contextlib
import functools
from collections import Counter, defaultdict

import keras

from keraslayers import _checks
from keraslayers.export.convert.convert import saved
from keraslayers.export.convert.fit_integers import fit_integers, part_biases
from keraslayers.export.convert.floats import in_floats
from keraslayers.export.convert.layer_errors import LayerError, decibels
from keraslayers.export.convert.narrow_ranges import narrow_ranges, set_ranges
from keraslayers.export.convert.observe import COUNTED, observe
from keraslayers.export.convert.several_scales import several_scales
from keraslayers.export.convert.widen import widen
from keraslayers.export.file import edit
from keraslayers.export.file.graph import WITH_KERNEL
from keraslayers.export.measures import signal
from keraslayers.export.progress import each, step
from keraslayers.export.proof.proof import chosen
from keraslayers.export.rewrites.rewrite import rewrite
from keraslayers.export.rewrites.unroll_loops import MOST_STEPS
from keraslayers.export.source.layer_names import labels_of, layers_of, namer, operations_of
from keraslayers.export.targets import TARGETS

# What a layer costs takes a quantization and a run to know; of larger models several layers are measured together.
MOST_GROUPS = 32


class Calibrated:
    """A file in floats, ready for the quantizer, from which files of integers are made in no time.

    Attributes:
        given: its bytes.
        rewrites: what was rewritten in it, by name the places, as `rewrite` tells.
        growth: how many times larger that made it.
        kept: names of the layers of which operators stay in floats, whatever else is asked for.
        tail: names of the last layer with a kernel that does not, the classifier as a rule, and of what comes before it
            behind the last but one; empty where no two have one.
    """

    def __init__(self, ask, model, precision, io, batch, target, samples):
        self._ask, self._precision, self._io, self._batch = ask, precision, io, batch
        made = ask("convert", types=None, io="float32", optimize=False)
        # The converter's quantizer dies of loops. What GPUs want comes after it, as it does in files of other tools.
        # Of integers the parts of a kernel are summed as floats, and channels are repeated as they are.
        blob, self.rewrites = rewrite(made, TARGETS["cpu"], precision, but=("part_kernels", "repeat_channels"))
        self.growth = len(blob) / len(made)
        file, layer_of = _told_apart(edit.read(blob)), namer(model)
        self._merged = _merged(edit.read(made).main, file.main, layer_of)
        if precision == "int16x8":
            part_biases(file.main)
        _refuse_loops(file.main, model, layer_of)
        self.given, floats = file.write(), set()
        with step("what layers compute on samples"):
            # How far all numbers reach is asked for ranges of 8 bits alone.
            observed = observe(self.given, samples if precision == "int8" else chosen(samples, COUNTED))
        self._fitted = observed.fitted
        if precision == "int8":
            if not observed.ranges or _remembers(file.main):
                file = edit.read(ask("calibrate", given=self.given, batch=batch))
            set_ranges(file.main, observed.ranges)
            widen(file.main)
            if "cpu" in target.kinds:  # a microcontroller's file has integers alone
                floats = several_scales(file.main, io)
            narrow_ranges(file.main, observed.histograms, observed.part)
            _forget_ranges(floats)
            self._ranged = file.write()
        if "cpu" in target.kinds:
            floats |= in_floats(file.main, io)
        self._nodes, self._floats, self.kept = defaultdict(list), [], set()
        kernels = []
        for operator in file.main.operators:
            for tensor in operator.outputs:
                layer = layer_of(tensor.name) or tensor.name
                (self._floats if operator in floats else self._nodes[layer]).append(tensor.name)
                if operator in floats:
                    self.kept.add(layer)
                elif operator.name in WITH_KERNEL:
                    kernels.append(layer)
        before, layers = [layer for layer in kernels if layer != kernels[-1]], list(self._nodes)
        self.tail = layers[layers.index(before[-1]) + 1 :] if before else []

    @functools.cached_property
    def errors(self):
        """A tuple of `LayerError`, the worst first."""
        found = (
            LayerError(layer, self._decibels([layer]))
            for layer in each(list(self._nodes), "what int8 costs, layer by layer")
        )
        return tuple(sorted(found, key=lambda error: error.snr_db))

    @functools.cached_property
    def groups(self):
        """Groups of layers that follow one another, few enough to measure each, those that cost most first."""
        layers = list(self._nodes)
        size = -(-len(layers) // MOST_GROUPS) or 1
        groups = [layers[start : start + size] for start in range(0, len(layers), size)]
        costs = [self._decibels(group) for group in each(groups, "what int8 costs, layer by layer")]
        return [groups[i] for i in sorted(range(len(groups)), key=costs.__getitem__)]

    @functools.cached_property
    def worst(self):
        """The name of the layer that costs most, looked for in the group that does: `errors` takes a run of each."""
        of_group = self.groups[0] if self.groups else ()
        found = each(of_group, "what int8 costs, layer by layer")
        return min(found, key=lambda layer: self._decibels([layer]), default=None)

    def _decibels(self, layers):
        """The signal over the error of these layers in int8, all others in floats; of the worst output."""
        every = [*self._floats, *(tensor for nodes in self._nodes.values() for tensor in nodes)]
        nodes = [tensor for layer in layers for tensor in self._nodes[layer]]
        losses = self._ask("lose", given=self._ranged, batch=self._batch, nodes=nodes, every=every)
        return min(decibels(error, signal(*powers)) for error, *powers in losses)

    def file(self, floats=()):
        """Bytes of the file; of one in int8 with the layers of those names in floats."""
        if self._precision == "int16x8":
            blob = self._ask("quantize_shorts", given=self.given, io=self._io, batch=self._batch)
            return fit_integers(blob, self._fitted)
        nodes = [tensor for layer, tensors in self._nodes.items() if layer in floats for tensor in tensors]
        for tensor, layer in (self._merged[layer] for layer in floats if layer in self._merged):
            nodes.append(tensor)
            self.kept.add(layer)
        nodes = [*self._floats, *nodes]
        blob = self._ask("quantize", given=self._ranged, io=self._io, nodes=nodes)
        if names := torn(blob):
            nodes += names
            blob = self._ask("quantize", given=self._ranged, io=self._io, nodes=nodes)
        if _left_in_floats(blob, nodes):
            file = edit.read(self._ranged)
            _forget_rejoined(file.main)
            again = self._ask("quantize", given=file.write(), io=self._io, nodes=nodes)
            blob = blob if _left_in_floats(again, nodes) else again
        return fit_integers(blob, self._fitted)


# What a step of some operators is by definition. Kernels refuse others.
STEP = {"LOGISTIC": 1 / 256, "LOG_SOFTMAX": 1 / 16, "SOFTMAX": 1 / 256, "TANH": 1 / 128}


def torn(blob):
    """What operators compute whose step is none of theirs: at times the quantizer takes that of who moves it."""
    computed = {op.output: STEP[op.name] for op in edit.read(blob).main.operators if op.name in STEP}
    return [tensor.name for tensor, step in computed.items() if tensor.dtype == "int8" and tensor.scale != step]


def _forget_ranges(operators):
    """Takes the ranges from what operators in floats make for others in floats.

    The quantizer would round what they read to these, as all that is put side by side in integers has one scale.
    """
    for operator in operators:
        for tensor in operator.outputs:
            if operators.issuperset(tensor.readers):
                tensor.quantize(None)


def _remembers(graph):
    """Whether an operator has a state, whose range only the converter's calibrator finds."""
    return any(tensor is not None and tensor.variable for op in graph.operators for tensor in op.inputs)


def _merged(before, after, layer_of):
    """By the layer of each convolution that became part of another the tensor that it is part of, and its layer."""
    stand, found, layers = {tensor.name for op in after.operators for tensor in op.outputs}, {}, {}
    for operator in reversed(before.operators):
        for tensor in operator.outputs:
            made = [output.name for reader in tensor.readers for output in reader.outputs]
            if tensor.name in stand or len(made) != 1:
                continue
            whole = made[0] if made[0] in stand else found.get(made[0])
            if whole is not None:
                found[tensor.name] = whole
                if operator.name in WITH_KERNEL:
                    layers[layer_of(tensor.name) or tensor.name] = whole, layer_of(whole) or whole
    return layers


def _left_in_floats(blob, nodes):
    """Whether an operator with a kernel is in floats though nobody asked for that."""
    return any(
        op.name in WITH_KERNEL and op.output.dtype == "float32" and op.output.name not in nodes
        for op in edit.read(blob).main.operators
    )


def _forget_rejoined(graph):
    """Takes the ranges from what puts a tensor beside parts of itself, as padding at the edge does: they are its own.

    With them the quantizer may leave in floats what else moves that tensor, and what reads this; without them it may
    round more.
    """

    def source(tensor):
        while tensor.maker is not None and tensor.maker.name in ("SLICE", "STRIDED_SLICE"):
            tensor = tensor.maker.inputs[0]
        return tensor

    for operator in graph.operators:
        if operator.name == "CONCATENATION" and len({source(x) for x in operator.inputs}) == 1:
            operator.output.quantize(None)


def _refuse_loops(graph, model, layer_of):
    for operator in graph.operators:
        if operator.name == "WHILE":
            tensor = operator.output.name
            raise RuntimeError(
                f"`to_tflite`: model {model.name!r} has a loop that cannot be quantized, in "
                f"{f'layer `{layer}`' if (layer := layer_of(tensor)) else repr(tensor)}: it has more than {MOST_STEPS} "
                "steps, or goes on as its numbers say. Give it a shorter input of a fixed length, or take "
                "precision='dynamic', which keeps it in floats."
            )


def _told_apart(file):
    """The same file, in which every operator's outputs have a name, and one of their own.

    The quantizer goes by the names, and knows none of an operator whose outputs have several.
    """
    seen = Counter()
    for operator in file.main.operators:
        if operator.outputs:
            name = operator.output.name
            seen[name] += 1
            for tensor in operator.outputs:
                tensor.name = name if seen[name] == 1 else f"{name};{seen[name]}"
    return file


@contextlib.contextmanager
def calibrated(interface, model, shapes, samples, precision, io, target):
    """Converts a model to floats and measures ranges; see `convert.convert` for the arguments. Returns a `Calibrated`.

    In files in int8 for phones what XNNPACK has no kernels of integers for stays in floats.
    """
    with saved(interface, model, shapes, samples) as ask:
        yield Calibrated(ask, interface.model, precision, io, next(iter(shapes.values()))[0], target, samples)


def find_layers(who, skip, model):
    """The labels (`layer_names.labels_of`) of the layers that `skip` means: names, names of classes, or classes.

    Raises:
        TypeError: if an entry is neither.
        ValueError: if the model has no such layer.
    """
    layers, labels = [*layers_of(model), *operations_of(model)], labels_of(model)
    names = {layer.name for layer in layers} | set(labels.values())
    classes = {type(layer).__name__ for layer in layers}
    found = set()
    for entry in [skip] if isinstance(skip, str | type) else skip:
        if isinstance(entry, type) and issubclass(entry, keras.layers.Layer):
            matching = {labels[id(layer)] for layer in layers if isinstance(layer, entry)}
            if not matching:
                raise ValueError(f"`{who}`: `skip`: model {model.name!r} has no layer of the class {entry.__name__}.")
        elif isinstance(entry, str):
            _checks.choice(who, "skip", entry, [*sorted(names | classes)])
            matching = {
                labels[id(layer)] for layer in layers if entry in (layer.name, labels[id(layer)], type(layer).__name__)
            }
        else:
            raise TypeError(f"`{who}`: `skip` must hold names or classes of layers; got {entry!r}.")
        found |= matching
    return found
