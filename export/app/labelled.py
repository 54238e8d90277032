"""A .tflite file with its labels in it, which computes what it did without."""

from keraslayers.export.app import metadata
from keraslayers.export.app.attach import attach
from keraslayers.export.file.graph import read_graph
from keraslayers.export.progress import step
from keraslayers.export.runtimes import cpu
from keraslayers.export.source.samples import make_up


def labelled(who, blob, *, boxes=None, **told):
    """Returns the bytes of the file with metadata; see `metadata.describe_classifier` for what is told.

    Args:
        who: function to name in errors.
        blob: the file.
        boxes: of a detector what the four numbers of a box are.
        **told: what else there is to tell.

    Raises:
        TypeError, ValueError: if what is told does not fit the file.
        RuntimeError: if the file with labels is read or runs otherwise than the one without.
    """
    graph = read_graph(blob)
    if boxes is None:
        about = metadata.describe_classifier(who, graph, **told)
    else:
        about = metadata.describe_detector(who, graph, _order(blob), boxes=boxes, **told)
    labels = "\n".join(about.labels).encode()
    made = attach(blob, metadata.encode(about), {metadata.LABELS: labels})
    with step("running the file with its labels"):
        samples = make_up(graph.inputs)
        inputs = {t.name: t.quantize(samples[t.name]).reshape(-1, *t.shape) for t in graph.inputs}
        before, after = (cpu.run_reference(file, graph, inputs) for file in (blob, made))
    if read_graph(made) != graph or _bytes(before) != _bytes(after):
        raise RuntimeError(f"`{who}`: with `labels` in it the file is not the same any more; nothing was written.")
    return made


def _order(blob):
    """The numbers of the output tensors in the order of the graph; that of a signature may be another."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.Model.GetRootAsModel(blob, 0).Subgraphs(0).OutputsAsNumpy().tolist()


def _bytes(outcome):
    return outcome.outputs and {name: values.tobytes() for name, values in outcome.outputs.items()}
