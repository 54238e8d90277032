"""What no file can be made of: which layer of the Keras model it is, and what to write in its place."""

import re

from keraslayers.export.file import edit
from keraslayers.export.source.interface import FIXED
from keraslayers.export.source.layer_names import namer

# By TensorFlow's operator, where there is another way than to leave it out.
INSTEAD = {
    "Acos": "write keras.ops.arctan2(keras.ops.sqrt(1 - x * x), x)",
    "Asin": "write keras.ops.arctan2(x, keras.ops.sqrt(1 - x * x))",
    "Atan": "write keras.ops.arctan2(x, 1)",
    "AvgPool3D": "write AveragePooling2D over the images one by one",
    "CombinedNonMaxSuppression": "write tf.image.non_max_suppression_padded(..., pad_to_max_output_size=True)",
    "Conv2DBackpropInput": "write dilation_rate=1",
    "Cosh": "write (keras.ops.exp(x) + keras.ops.exp(-x)) / 2",
    "CropAndResize": "write slices and keras.ops.image.resize",
    "Cumprod": "write keras.ops.exp(keras.ops.cumsum(keras.ops.log(x))), if x is above zero",
    "DenseBincount": "write a sum of keras.ops.one_hot",
    "Erf": "write keras.activations.gelu, if it is of that",
    "ExtractImagePatches": "write keras.ops.image.extract_patches in place of tf.image's",
    "LowerBound": "write keras.ops.digitize",
    "MaxPool3D": "write MaxPooling2D over the images one by one",
    "MaxPoolWithArgmax": "write keraslayers.MaxPoolWithIndices2D",
    "ResizeBicubic": "write interpolation='bilinear'",
    "ScaleAndTranslate": "write interpolation='bilinear'",
    "Sinh": "write (keras.ops.exp(x) - keras.ops.exp(-x)) / 2",
    "StatelessRandomGetKeyCounter": "give random numbers to the model as an input",
    "Tan": "write keras.ops.sin(x) / keras.ops.cos(x)",
}
LEAVE_OUT = "leave it out of the model: what it computes, the app computes before the model, or behind it"


def refused_layers(words, model):
    """Names the layers whose operators TFLite lacks, as a sentence behind the converter's own; empty if none is told.

    Args:
        words: of the converter's error. Each operator without a kernel has a line with its place, as
            `fused["MaxPool3D:", "model_1/pool_1/MaxPool3D@__inference_serve_5"]`.
        model: the Keras model.
    """
    layer_of = namer(model)
    found, nameless = {}, {}
    for line in words.splitlines():
        told = re.search(r'"([^"@]+)@.*\'tf\.(\w+)\' op is neither a custom op nor a flex op', line)
        if told and (layer := layer_of(told[1])):
            found.setdefault(layer, {})[told[2]] = None  # in their order, each once
        elif told:
            nameless[told[2]] = None
    parts = []
    for layer, operators in found.items():
        remedy = next((INSTEAD[name] for name in operators if name in INSTEAD), LEAVE_OUT)
        parts.append(f"layer `{layer}` ({', '.join(operators)}): {remedy}")
    if nameless:  # the code of a subclassed model
        remedy = next((INSTEAD[name] for name in nameless if name in INSTEAD), LEAVE_OUT)
        parts.append(f"{', '.join(nameless)}: {remedy}")
    return f". TFLite has no kernel for {'; '.join(parts)}" if parts else ""


def refused_node(words, blob, model):
    """Names the layer of the operator that a kernel of LiteRT refused while ranges were measured, in a sentence.

    Args:
        words: of the error, which tells it by its number: `Node number 208 (STRIDED_SLICE) failed to prepare.`
        blob: the file in floats that was run; None where there was none.
        model: the Keras model.
    """
    told = re.search(r"Node number (\d+) \((\w+)\)", words)
    operators = edit.read(blob).main.operators if told and blob is not None else ()
    if not told or int(told[1]) >= len(operators) or operators[int(told[1])].name != told[2]:
        return ""
    tensor = operators[int(told[1])].output.name
    layer = namer(model)(tensor)
    where = f"layer `{layer}`" if layer else repr(tensor)
    return f" It is {where}: take precision='dynamic' or 'float16', which measure no ranges, or write it otherwise."


def refuse_open_outputs(who, blob, graph, model):
    """Refuses a file that ends in as many boxes as its numbers say: apps and runtimes plan for outputs of one size.

    Args:
        who: function to name in errors.
        blob: the file.
        graph: what `read_graph` says of it.
        model: the Keras model.

    Raises:
        RuntimeError: which names the output.
    """
    if not any(name.startswith("NON_MAX_SUPPRESSION") for name in graph.operators):
        return
    for name, tensor in edit.read(blob).signatures[0].outputs.items():
        if tensor.open:
            raise RuntimeError(
                f"`{who}`: output `{name}` of model {model.name!r} has as many elements as the numbers say; {FIXED}"
            )
