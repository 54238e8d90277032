"""A formula and a picture of every layer, drawn from what the layer itself computes."""

import io

import keras
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

import keraslayers

BLUE, RED, GREEN, GREY = "#3b7dd8", "#c8553d", "#3b9d78", "#7a7a7a"
# Readable on a light page and on a dark one.
STYLE = {
    "text.color": GREY, "axes.labelcolor": GREY, "axes.edgecolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
    "axes.titlecolor": GREY, "svg.hashsalt": "keraslayers",
}  # fmt: skip


def draw(name):
    """The picture of a layer as the text of an SVG."""
    _, width, height, picture = PICTURES[name]
    with rc_context(STYLE):
        figure = Figure((width, height), layout="constrained")
        picture(figure)
        page = io.StringIO()
        figure.savefig(page, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return page.getvalue()


def _values(layer, x):
    return np.asarray(layer(np.asarray(x, "float32")))


def _curves(curves, low=-6.0, high=6.0):
    """Curves of elementwise layers or functions: (label, what, colour, style)."""

    def picture(figure):
        axes = figure.add_subplot()
        x = np.linspace(low, high, 601, dtype="float32")
        for label, what, colour, style in curves:
            axes.plot(x, np.asarray(what(x)), style, color=colour, label=label)
        axes.grid(alpha=0.3)
        axes.legend(labelcolor=GREY, framealpha=0)

    return picture


def _grid(axes, values, title, texts=True, cmap="Blues", **options):
    """A small image, its numbers in its pixels."""
    values = np.asarray(values)
    axes.imshow(values, cmap=cmap, **options)
    if texts:
        middle = (values.max() + values.min()) / 2
        for (row, column), value in np.ndenumerate(values):
            dark = value > middle and cmap == "Blues"
            axes.text(column, row, f"{value:g}", ha="center", va="center", color="white" if dark else "black")
    axes.set(xticks=[], yticks=[], title=title)


def _boxes(figure, boxes, arrows):
    """A diagram: (x, y, words) boxes, and arrows between their numbers."""
    axes = figure.add_subplot()
    for x, y, words in boxes:
        axes.text(
            1.4 * x, y, words, ha="center", va="center", bbox={"boxstyle": "round,pad=0.5", "fc": "none", "ec": BLUE}
        )
    for start, end in arrows:
        (x0, y0, _), (x1, y1, _) = boxes[start], boxes[end]
        style = {"arrowstyle": "->", "color": GREY, "shrinkA": 36, "shrinkB": 36}
        axes.annotate("", (1.4 * x1, y1), (1.4 * x0, y0), arrowprops=style)
    xs, ys = zip(*[(x, y) for x, y, _ in boxes], strict=True)
    axes.set(xlim=(1.4 * min(xs) - 0.8, 1.4 * max(xs) + 0.8), ylim=(min(ys) - 0.5, max(ys) + 0.5))
    axes.set_axis_off()


def _shuffle(figure):
    before = np.arange(12)
    after = _values(keraslayers.ChannelShuffle(3, data_format="channels_last"), before.reshape(1, 1, 1, 12)).ravel()
    for axes, order, title in zip(figure.subplots(2), (before, after), ("three groups", "shuffled"), strict=True):
        axes.imshow(order[None] // 4, cmap="Set2", vmin=0, vmax=7)
        for place, channel in enumerate(order):
            axes.text(place, 0, int(channel), ha="center", va="center", color="black")
        axes.set(xticks=[], yticks=[], title=title)


def _squeeze(figure):
    boxes = [(0, 0, "maps"), (1, -1, "mean"), (2, -1, "1x1, fewer"), (3, -1, "1x1, sigmoid"), (4, 0, "times")]
    _boxes(figure, boxes, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)])


def _dynamic(figure):
    boxes = [(0, 0, "image"), (1.2, -1, "mean"), (2.4, -1, "1x1, softmax"), (1.8, 1, "4 convolutions"), (3.6, 0, "sum")]
    _boxes(figure, boxes, [(0, 1), (1, 2), (2, 4), (0, 3), (3, 4)])


def _auxiliary(figure):
    boxes = [(0, 0, "stages 1 to 4"), (1.6, 0, "stage 5"), (3.2, 0, "predictions"), (1.6, 1, "classifier")]
    boxes.append((3.2, 1, "AuxiliaryOutput:\nin training only"))
    _boxes(figure, boxes, [(0, 1), (1, 2), (0, 3), (3, 4)])


def _maxout(figure):
    x = np.linspace(-3, 3, 301, dtype="float32")
    pieces = np.stack([-x - 1.5, 0.2 * x, 1.2 * x - 1.5], axis=-1)
    axes = figure.add_subplot()
    axes.plot(x, pieces, "--", color=GREY, label=["three pieces", None, None])
    axes.plot(x, _values(keraslayers.Maxout(3, data_format="channels_last"), pieces), color=BLUE, label="Maxout(3)")
    axes.grid(alpha=0.3)
    axes.legend(labelcolor=GREY, framealpha=0)


def _response(figure):
    x = np.array([0.1, 0.2, 0.3, 3, 0.3, 0.2, 1, 1, 1, 1, 0.1, 0.2], "float32")
    layer = keraslayers.LocalResponseNormalization(2, bias=1, alpha=0.5, beta=0.75, data_format="channels_last")
    axes = figure.add_subplot()
    axes.bar(np.arange(12) - 0.2, x, 0.4, color=GREY, label="before")
    axes.bar(np.arange(12) + 0.2, _values(layer, x[None])[0], 0.4, color=BLUE, label="after")
    axes.set(xlabel="channel")
    axes.legend(labelcolor=GREY, framealpha=0)


def _photograph(side):
    """A disc on a slope: edges of all directions and a smooth part."""
    y, x = np.mgrid[:side, :side] / (side - 1) * 2 - 1
    return np.where(x**2 + y**2 < 0.45, 0.9 - 0.3 * x, 0.25 + 0.2 * y).astype("float32")


def _resample(figure):
    image = _photograph(8)[None, ..., None]
    ways = [("8 x 8", None), ("nearest", {"method": "nearest"}), ("bilinear", {}), ("down", {"size": 5})]
    ways.append(("down, antialias", {"size": 5, "antialias": True}))
    for axes, (title, options) in zip(figure.subplots(1, 5), ways, strict=True):
        layer = (
            None
            if options is None
            else keraslayers.Resample2D(**{"size": 24, "data_format": "channels_last", **options})
        )
        values = image[0, ..., 0] if layer is None else _values(layer, image)[0, ..., 0]
        _grid(axes, values, title, texts=False, cmap="gray", vmin=0, vmax=1)


def _soft_argmax(figure):
    y, x = np.mgrid[:9, :12]

    def peak(across, down, wide):
        return -((x - across) ** 2 + (y - down) ** 2) / wide

    two = np.maximum(peak(2, 2, 1), peak(9, 6, 1))
    for axes, (title, values) in zip(
        figure.subplots(1, 3),
        (("narrow", peak(3.3, 5.6, 0.6)), ("broad", peak(7.5, 3, 8)), ("of two peaks", two)),
        strict=True,
    ):
        layer = keraslayers.SoftArgmax(size=(9, 12), data_format="channels_last")
        (point,) = _values(layer, values[None, ..., None].astype("float32"))[0]
        _grid(axes, np.exp(values), title, texts=False, cmap="gray")
        axes.plot(*(point - 0.5), "+", color=BLUE, markersize=14, markeredgewidth=2)


def _unpooling(figure):
    image = np.array([[1, 5, 2, 0], [3, 2, 8, 1], [0, 4, 1, 6], [7, 1, 3, 2]], "float32")
    pooled, indices = keraslayers.MaxPoolWithIndices2D(data_format="channels_last")(image[None, ..., None])
    back = keraslayers.MaxUnpool2D(data_format="channels_last")([pooled, indices])
    parts = [image, *(np.asarray(part)[0, ..., 0] for part in (pooled, indices, back))]
    for axes, part, title in zip(figure.subplots(1, 4), parts, ("image", "pooled", "indices", "back"), strict=True):
        _grid(axes, part, title)


def _padding(figure):
    row = np.array([3, 1, 2], "float32").reshape(1, 1, 3, 1)
    modes = ("zeros", "reflect", "symmetric", "edge")
    for axes, mode in zip(figure.subplots(4), modes, strict=True):
        layer = keraslayers.PaddedConv2D(
            1, 1, padding=((0, 0), (2, 2)), padding_mode=mode, kernel_initializer="ones", data_format="channels_last"
        )
        _grid(axes, _values(layer, row)[0, ..., 0], mode)


def _kernels(figure):
    image = _photograph(48)[None, ..., None]
    names = ("identity", "box_blur", "edge_laplace", "sobel_x", "sobel_y")
    for axes, name in zip(figure.subplots(1, 5), names, strict=True):
        layer = keraslayers.ImageKernel2D(name, padding_mode="edge", data_format="channels_last")
        _grid(axes, _values(layer, image)[0, ..., 0], name, texts=False, cmap="gray")


def _separable(figure):
    conv = keras.layers.Conv2D(1, 5, use_bias=False)
    conv.build((None, None, None, 1))
    y, x = np.mgrid[-2:3, -2:3]
    kernel = np.exp(-(x**2) / 4 - y**2 / 2) + 0.1 * np.sin(x * y)
    conv.set_weights([kernel[..., None, None].astype("float32")])
    parts = [("5 x 5: 25 weights", kernel)]
    for rank in (1, 2):
        layer, error = keraslayers.separate(conv, rank=rank)
        column, row = (np.asarray(weight) for weight in layer.get_weights())
        made = column.reshape(5, rank) @ row.reshape(5, rank).T
        parts.append((f"rank {rank}: {10 * rank}, error {error:.0%}", made))
    for axes, (title, values) in zip(figure.subplots(1, 3), parts, strict=True):
        _grid(axes, values, title, texts=False)


def _deformable(figure):
    axes = figure.add_subplot()
    axes.imshow(_photograph(15), cmap="gray", alpha=0.6)
    taps = np.stack(np.meshgrid([5, 7, 9], [5, 7, 9]), -1).reshape(-1, 2).astype(float)
    offsets = np.random.default_rng(1).uniform(-1.8, 1.8, taps.shape)
    axes.plot(*taps.T, "s", color=BLUE, label="the grid")
    axes.plot(*(taps + offsets).T, "o", color=RED, label="where it looks")
    for (x, y), (dx, dy) in zip(taps, offsets, strict=True):
        axes.annotate("", (x + dx, y + dy), (x, y), arrowprops={"arrowstyle": "->", "color": GREY})
    axes.set(xticks=[], yticks=[])
    axes.legend(labelcolor="black", loc="lower right")


def _table(figure):
    _curves(
        [
            ("tanh", np.tanh, GREY, "--"),
            ("8 entries", keraslayers.TableActivation("tanh", -4, 4, entries=8), BLUE, "-"),
            ("256 entries", keraslayers.TableActivation("tanh", -4, 4), RED, ":"),
        ]
    )(figure)


_SWISH = [
    ("x sigmoid(x)", lambda x: x / (1 + np.exp(-x)), GREY, "--"),
    ("HardSwish", keraslayers.HardSwish(), BLUE, "-"),
]
_SIGMOID = [
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), GREY, "--"),
    *(
        (variant, keraslayers.HardSigmoid(variant), colour, "-")
        for variant, colour in (("mobilenet", BLUE), ("keras2", RED), ("binarynet", GREEN))
    ),
]
_TANH = [("tanh", np.tanh, GREY, "--"), ("HardTanh", keraslayers.HardTanh(), BLUE, "-")]
_LEAKY = [
    ("slope 13 / 2^7", keraslayers.ShiftLeakyReLU(), BLUE, "-"),
    ("slope 1 / 2^2", keraslayers.ShiftLeakyReLU(1, 2), RED, "-"),
]


def _affine(figure):
    x = np.random.default_rng(1).normal(size=(1, 8))
    layer = keraslayers.Affine()
    layer.build((1, 8))
    gamma, beta = np.linspace(0.4, 1.8, 8), np.linspace(1.0, -1.0, 8)
    layer.set_weights([gamma, beta])
    axes = figure.add_subplot()
    places = np.arange(8)
    axes.bar(places - 0.2, x[0], 0.4, color=BLUE, label="x")
    axes.bar(places + 0.2, _values(layer, x)[0], 0.4, color=RED, label="gamma x + beta")
    axes.set(xticks=places, xlabel="channel")
    axes.legend(labelcolor=GREY, framealpha=0)


def _layer_scale(figure):
    boxes = [
        (0, 0, "x"),
        (1, 0.8, "norm and\nattention"),
        (2, 0.8, "times gamma,\n1e-5 at first"),
        (3, 0, "+"),
    ]
    _boxes(figure, boxes, [(0, 1), (1, 2), (2, 3), (0, 3)])


def _class_token(figure):
    layer = keraslayers.ClassToken()
    tokens = np.arange(1, 7)[:, None] * np.ones(4)
    layer.build((1, 6, 4))
    before, after = figure.subplots(1, 2)
    _grid(before, tokens, "six tokens")
    _grid(after, _values(layer, tokens[None])[0], "behind a class token (0)")


def _positions(figure):
    side = keraslayers.LearnedPositions(4, prefix=0)
    side.build((1, 16, 1))
    learnt = np.random.default_rng(3).normal(size=(4, 4)).round(1)
    larger = keraslayers.LearnedPositions(7, prefix=0)
    larger.build((1, 49, 1))
    resized = larger.resized(learnt.reshape(16, 1).astype("float32")).reshape(7, 7)
    before, after = figure.subplots(1, 2)
    _grid(before, learnt, "one channel, learnt on 4x4 patches")
    _grid(after, resized, "resized to 7x7 patches", texts=False)


def _windows(figure):
    places = np.arange(64, dtype="float32").reshape(1, 8, 8, 1)
    for axes, shift in zip(figure.subplots(1, 2), (0, 2), strict=True):
        moved = np.roll(places, (-shift, -shift), (1, 2))
        windows = np.asarray(keraslayers.window_partition(moved, 4))[..., 0].astype(int)
        number = np.zeros(64, int)
        for window, inside in enumerate(windows):
            number[inside] = window + 1
        _grid(axes, number.reshape(8, 8), f"shifted by {shift}: the window of each place", cmap="Pastel1")


def _depthwise(figure):
    boxes = [
        (0, 0, "x"),
        (1, 0.8, "mean,\nor each place"),
        (2, 0.8, "two 1x1\nconvolutions"),
        (3, 0, "depthwise\nconvolution"),
    ]
    _boxes(figure, boxes, [(0, 1), (1, 2), (2, 3), (0, 3)])


# By layer: its formula in HTML, width and height in inches, and what draws it.
PICTURES = {
    "Affine": ("y = &gamma; · x + &beta;", 5, 3.2, _affine),
    "AuxiliaryOutput": ("y = x", 8, 2.6, _auxiliary),
    "ChannelShuffle": ("channel g·n + i moves to i·G + g, of G groups of n", 6, 2.2, _shuffle),
    "ClassToken": ("y = [token; x]", 6, 2.6, _class_token),
    "DeformableConv2D": (
        "y(p) = Σ<sub>k</sub> w<sub>k</sub> · m<sub>k</sub>(p) · x(p + k + Δ<sub>k</sub>(p))",
        4.2, 4.2, _deformable,
    ),
    "DynamicConv2D": (
        "y = Σ<sub>k</sub> π<sub>k</sub>(x) · (W<sub>k</sub> &lowast; x + b<sub>k</sub>)",
        8, 3, _dynamic,
    ),
    "DynamicDepthwiseConv2D": ("y(p) = Σ<sub>k</sub> w<sub>k</sub>(x, p) · x(p + k)", 8, 2.8, _depthwise),
    "HardSigmoid": ("y = relu6(x + 3) / 6", 5, 3.2, _curves(_SIGMOID)),
    "HardSwish": ("y = x · relu6(x + 3) / 6", 5, 3.2, _curves(_SWISH)),
    "HardTanh": ("y = min(max(x, &minus;1), 1)", 5, 3.2, _curves(_TANH)),
    "ImageKernel2D": ("y<sub>c</sub> = k &lowast; x<sub>c</sub>", 7.5, 2.1, _kernels),
    "LayerScale": ("y = &gamma; · x", 8, 2.8, _layer_scale),
    "LearnedPositions": ("y = x + positions", 6.5, 3.2, _positions),
    "LocalResponseNormalization": (
        "y<sub>i</sub> = x<sub>i</sub> / (b + &alpha; · Σ<sub>|j &minus; i| ≤ r</sub> x<sub>j</sub>²)<sup>&beta;</sup>",
        5, 3.2, _response,
    ),
    "MaxPoolWithIndices2D": ("the largest of a window, and where it was: y · width + x", 7, 2.3, _unpooling),
    "MaxUnpool2D": ("the values where the maxima were, zeros elsewhere", 7, 2.3, _unpooling),
    "Maxout": ("y = max<sub>j</sub> x<sub>j</sub> over the pieces of a unit", 5, 3.2, _maxout),
    "PaddedConv2D": ("⌊(n + before + after &minus; d · (k &minus; 1) &minus; 1) / s⌋ + 1 places", 5.5, 4.2, _padding),
    "ReLU6": ("y = min(max(x, 0), 6)", 5, 3.2, _curves([("ReLU6", keraslayers.ReLU6(), BLUE, "-")], -3, 9)),
    "Resample2D": ("output pixel i lies at (i + ½) · old / new &minus; ½ of the input", 7.5, 2.1, _resample),
    "ShiftLeakyReLU": ("y = max(x, 0) + min(x, 0) · m / 2<sup>s</sup>", 5, 3.2, _curves(_LEAKY)),
    "SoftArgmax": (
        "(x, y) = Σ<sub>p</sub> softmax(maps)<sub>p</sub> · (j<sub>p</sub> + ½, i<sub>p</sub> + ½) / (width, height)",
        7.5, 2.1, _soft_argmax,
    ),
    "SpatialSeparableConv2D": (
        "W ≈ Σ<sub>r</sub> v<sub>r</sub> h<sub>r</sub><sup>T</sup>: a column, then a row",
        7, 2.6, _separable,
    ),
    "SqueezeExcite": ("y = x · &sigma;(W₂ relu(W₁ mean(x) + b₁) + b₂)", 8, 2.8, _squeeze),
    "TableActivation": ("y = f(x) at equal distances, straight lines between", 5, 3.2, _table),
    "WindowAttention": ("y = softmax(q k<sup>T</sup> / √d + b) v, within each window", 7, 3.6, _windows),
}  # fmt: skip
