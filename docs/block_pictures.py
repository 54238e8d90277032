"""A picture of a block of each family of networks, drawn from the graph of the Keras model."""

import io
import re
from collections import Counter
from itertools import pairwise

import keras
from matplotlib import rc_context
from matplotlib.figure import Figure
from pictures import BLUE, GREEN, GREY, RED, STYLE

from keraslayers import models

UNIT = re.compile(r"stage\d+_(unit|block)\d+")
WHOLE = 12  # operations of a network that is drawn whole
# What is drawn of a family in place of its largest unit, and the options that it is built with.
OTHERS = {"mobilevit": ("stage3", {"blocks": (0, 0, 1, 0, 0), "dims": (0, 0, 64, 0, 0)})}
WIDTH, HEIGHT = 2.3, 0.42  # of a place, in inches
# Colours tell what has kernels, what joins, and what moves numbers alone.
KINDS = (
    (BLUE, ("Conv", "Dense", "Attention", "SqueezeExcite", "Embedding")),
    (RED, ("Add", "Concatenate", "Multiply", "Subtract", "Average", "Pooling", "Maxout")),
    (GREEN, ("Reshape", "Permute", "Shuffle", "GetItem", "ZeroPadding", "Cropping", "Flatten", "Resample", "Window")),
)


def block_of(family, specs):
    """Returns (what the names of a block's operations begin with, those operations in their order).

    The block is the unit of most operations, the first of several; of networks without units their second stage; of
    small ones all.
    """
    begin, options = OTHERS.get(family, (None, {}))
    with keras.StatelessScope(initialize_variables=False):  # weights are not looked at
        model = models.create(specs[0].name, **{**specs[0].references[0].options, **options})
    operations = [one for one in model.operations if not isinstance(one, keras.layers.InputLayer)]
    counts = Counter(
        found[0]
        for one in operations
        if (found := UNIT.match(one.name)) and not isinstance(one, keras.layers.ZeroPadding2D)
    )
    if begin is None and len(operations) > WHOLE:
        begin = max(counts, key=counts.get) if counts else "stage2"
    if begin is None:
        return "", operations
    return begin, [one for one in operations if one.name == begin or one.name.startswith(f"{begin}_")]


def block_picture(family, specs):
    """Returns (how the model calls the block, its picture as the text of an SVG)."""
    begin, operations = block_of(family, specs)
    rows, edges = placed(operations)
    lanes = max(map(len, rows))
    with rc_context(STYLE):
        figure = Figure((WIDTH * lanes, HEIGHT * len(rows) + 0.2))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-lanes / 2, lanes / 2), ylim=(len(rows) - 0.3, -0.7))
        axes.axis("off")
        places = {node: (i - (len(row) - 1) / 2, y) for y, row in enumerate(rows) for i, node in enumerate(row)}
        for start, end in edges:
            axes.plot(*zip(places[start], places[end], strict=True), color=GREY, linewidth=1, zorder=1)
        for node, (x, y) in places.items():
            if not isinstance(node, tuple):  # a bend of a line has no box
                label, colour = _label(node)
                box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 1.2}
                axes.text(x, y, label, ha="center", va="center", fontsize=8, color="#333333", bbox=box, zorder=2)
        page = io.StringIO()
        figure.savefig(page, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return begin, page.getvalue()


def placed(operations):
    """Returns (rows of nodes from above, pairs of nodes of neighbouring rows that a line joins).

    A node is an operation, or a tuple where a line passes a row; "input" is what comes into the block.
    """
    inside, depth = set(operations), {"input": 0}
    before = {}
    for one in operations:
        makers = [tensor._keras_history.operation for node in one._inbound_nodes for tensor in node.input_tensors]
        before[one] = list(dict.fromkeys(maker if maker in inside else "input" for maker in makers))
        depth[one] = 1 + max(depth[maker] for maker in before[one])
    rows = [[] for _ in range(max(depth.values()) + 1)]
    for one, row in depth.items():
        rows[row].append(one)
    edges = []
    for one in operations:
        for maker in before[one]:
            last = maker
            for row in range(depth[maker] + 1, depth[one]):
                bend = (maker, one, row)
                rows[row].append(bend)
                edges.append((last, bend))
                last = bend
            edges.append((last, one))
    for above, row in pairwise(rows):
        middle = {node: (place - (len(above) - 1) / 2) for place, node in enumerate(above)}
        row.sort(key=lambda node: _mean([middle[start] for start, end in edges if end is node and start in middle]))
    return rows, edges


def _mean(numbers):
    return sum(numbers) / len(numbers)


def _label(node):
    """What stands in a box, and its colour."""
    if node == "input":
        return "input", GREY
    kind = type(node).__name__
    size = getattr(node, "kernel_size", getattr(node, "pool_size", None))
    words = [kind.removesuffix("2D")]
    if size:
        words.append("x".join(map(str, size if isinstance(size, tuple) else (size, size))))
    if max(getattr(node, "strides", None) or (1,)) > 1:
        words.append(f"/{max(node.strides)}")
    if getattr(node, "groups", 1) > 1:
        words.append(f"groups {node.groups}")
    activation = getattr(getattr(node, "activation", None), "__name__", "linear")
    if activation != "linear":
        words = [activation] if kind == "Activation" else [*words, activation]
    colour = next((colour for colour, parts in KINDS if any(part in kind for part in parts)), GREY)
    return " ".join(words), colour
