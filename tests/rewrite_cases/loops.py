"""Loops, branches, states, and what is computed of constants."""

import numpy as np

from keraslayers.export.file.edit import Tensor
from tests.file_tools import Made, scales
from tests.rewrite_cases import Case

UNITS, STEPS = 4, 6


class Called(Made):
    """A graph that another one calls, in the making."""

    def __init__(self, caller, name, *like):
        super().__init__()
        self.graph.name = name
        caller.file.graphs.append(self.graph)
        self.inputs = [self.input(t.shape, t.dtype, t.name, t.scale, t.zero_point) for t in like]

    def gives(self, *outputs):
        self.graph.outputs.extend(outputs)
        return self.graph


def several(f, kind, inputs, outputs, **options):
    """An operator of several outputs."""
    f.add(kind, inputs, outputs[0], **options)
    operator = outputs[0].maker
    f.graph.remove(operator)
    operator.outputs = tuple(outputs)
    f.graph.insert(operator)


def call(f, kind, inputs, like, **options):
    """An operator that calls, with an output like each of some tensors."""
    outputs = [Tensor(f"{kind.lower()}_{i}", t.shape, t.dtype, t.quantization) for i, t in enumerate(like)]
    several(f, kind, inputs, outputs, **options)
    return outputs


def loop(f, state, most, body):
    """WHILE i < most, i being the first of the state; body(graph, i, *others) gives what comes of the others."""
    condition = Called(f, "condition", *state)
    counter = condition.inputs[0]
    condition.gives(condition.new("LESS", (counter, condition.integers(most)), (), "bool"))
    inside = Called(f, "body", *state)
    counter, *others = inside.inputs
    following = inside.new("ADD", (counter, inside.integers(1)), ())
    inside.gives(following, *body(inside, counter, *others))
    graphs = {"condSubgraphIndex": condition.graph, "bodySubgraphIndex": inside.graph}
    return call(f, "WHILE", state, state, **graphs)


def cell(g, x, h, seed=0):
    """tanh(W x + U h), of rows."""
    random = np.random.default_rng(seed)
    parts = []
    for tensor in (x, h):
        kernel = g.weights(random.normal(size=(UNITS, tensor.shape[-1])).astype("float32"))
        parts.append(g.new("FULLY_CONNECTED", (tensor, kernel, None), (1, UNITS)))
    return g.new("TANH", (g.new("ADD", parts, (1, UNITS)),), (1, UNITS))


def row(g, x, i):
    return g.new("GATHER", (x, i), x.shape[1:], axis=0)


def write(g, many, i, h):
    """As the stock converter writes h into a list at i: what is before, h, what is behind."""
    axes = len(many.shape)

    def places(of, rest):
        one = g.new("RESHAPE", (of, g.integers([1])), (1,), newShape=[1])
        return g.new("CONCATENATION", (one, g.integers([rest] * (axes - 1))), (axes,), axis=0)

    def part(begin, size):
        made = g.new("SLICE", (many, begin, size), (1, *many.shape[1:]))
        made._table.shapeSignature = [-1] * axes
        return made

    before = part(g.integers([0] * axes), places(i, -1))
    behind = part(places(g.new("ADD", (i, g.integers(1)), ()), 0), g.integers([-1] * axes))
    shape = (1, *many.shape[1:])
    new = g.new("RESHAPE", (h, g.integers(shape)), shape, newShape=list(shape))
    return g.new("CONCATENATION", (before, new, behind), many.shape, axis=0)


def zeros(f, *shape):
    return f.weights(np.zeros(shape, "float32"))


def recurrent(f, x, h, steps=STEPS, seed=0):
    """(The outputs of all steps, the last), of x [steps, 1, size]."""

    def body(g, i, many, h, x):
        new = cell(g, row(g, x, i), h, seed)
        return write(g, many, i, new), new, x

    _, many, last, _ = loop(f, (f.integers(0), zeros(f, steps, 1, UNITS), h, x), steps, body)
    return many, last


def as_rows(f, x, steps=STEPS):
    return f.new("RESHAPE", (x, f.integers([steps, 1, 3])), (steps, 1, 3), newShape=[steps, 1, 3])


def as_batch(f, x, steps=STEPS):
    return f.new("RESHAPE", (x, f.integers([1, steps, UNITS])), (1, steps, UNITS), newShape=[1, steps, UNITS])


def list_written(steps=STEPS):
    f = Made()
    x = f.input((1, steps, 3))
    many, _ = recurrent(f, as_rows(f, x, steps), zeros(f, 1, UNITS), steps)
    return f.done(f.new("RELU", (as_batch(f, many, steps),), (1, steps, UNITS)))


def state_given():
    f = Made()
    x, h = f.input((1, STEPS, 3)), f.input((1, UNITS), name="h")
    many, last = recurrent(f, as_rows(f, x), h)
    return f.done(as_batch(f, many), last)


def two_in_a_row():
    f = Made()
    x = f.input((1, STEPS, 3))
    many, _ = recurrent(f, as_rows(f, x), zeros(f, 1, UNITS))
    _, last = recurrent(f, many, zeros(f, 1, UNITS), seed=1)
    return f.done(last)


def masked():
    """A step counts where the mask says so."""
    f = Made()
    x = f.input((1, STEPS, 3))
    above = f.new("GREATER", (x, f.weights(np.float32(0))), x.shape, "bool")
    mask = f.new("REDUCE_ANY", (above, f.integers([2])), (1, STEPS), "bool", keepDims=False)
    mask = f.new("RESHAPE", (mask, f.integers([STEPS, 1, 1])), (STEPS, 1, 1), newShape=[STEPS, 1, 1])

    def body(g, i, h, x, mask):
        new = cell(g, row(g, x, i), h)
        return g.new("SELECT_V2", (row(g, mask, i), new, h), h.shape, "float32"), x, mask

    _, last, _, _ = loop(f, (f.integers(0), zeros(f, 1, UNITS), as_rows(f, x), mask), STEPS, body)
    return f.done(last)


def columns():
    """A step reads a part of the second axis."""
    f = Made()
    x = f.input((1, 4, 3))

    def body(g, i, h, x):
        begin = g.new("PACK", (g.integers(0), i, g.integers(0)), (3,), axis=0, valuesCount=3)
        part = g.new("SLICE", (x, begin, g.integers([1, 2, 3])), (1, 2, 3))
        return g.new("ADD", (h, part), h.shape), x

    _, last, _ = loop(f, (f.integers(0), zeros(f, 1, 2, 3), x), 3, body)
    return f.done(last)


def unaligned():
    """Parts of tensors that have no row in common, behind each other."""
    f = Made()
    x, z = f.input((1, 8)), f.input((1, 9), name="z")

    def body(g, i, h, x, z):
        parts = []
        for tensor, first, size in ((x, 2, 4), (z, 3, 6)):
            place = g.new("ADD", (i, g.integers(first)), ())
            begin = g.new("PACK", (g.integers(0), place), (2,), axis=0, valuesCount=2)
            parts.append(g.new("SLICE", (tensor, begin, g.integers([1, size])), (1, size)))
        return g.new("NEG", (g.new("CONCATENATION", parts, (1, 10), axis=1),), (1, 10)), x, z

    _, last, _, _ = loop(f, (f.integers(0), zeros(f, 1, 10), x, z), 1, body)
    return f.done(last)


def chosen(shape):
    """A step takes one of two by a mask that is known; the one taken may be spread over the other's shape."""
    f = Made()
    x = f.input((1, UNITS))
    mask = np.array([True, False, True, False]).reshape(4, 1, 1)

    def body(g, i, h, x):
        new = g.new("TANH", (h,), h.shape)
        one = g.weights(np.full(shape, 0.5, "float32"))
        taken = row(g, g.constant(mask), i)
        return g.new("SELECT_V2", (taken, g.new("ADD", (new, x), h.shape), one), h.shape, "float32"), x

    _, last, _ = loop(f, (f.integers(0), zeros(f, 1, UNITS), x), 4, body)
    return f.done(last)


def updated():
    """A list that is written by DYNAMIC_UPDATE_SLICE, and read where it was written."""
    f = Made()
    x = f.input((1, UNITS))

    def body(g, i, h, many):
        new = cell(g, h, h)
        part = g.new("RESHAPE", (new, g.integers([1, 1, UNITS])), (1, 1, UNITS), newShape=[1, 1, UNITS])
        start = g.new("PACK", (i, g.integers(0), g.integers(0)), (3,), axis=0, valuesCount=3)
        many = g.new("DYNAMIC_UPDATE_SLICE", (many, part, start), many.shape)
        return row(g, many, i), many

    _, last, many = loop(f, (f.integers(0), x, zeros(f, 3, 1, UNITS)), 3, body)
    return f.done(last, f.new("RESHAPE", (many, f.integers([1, 3, UNITS])), (1, 3, UNITS), newShape=[1, 3, UNITS]))


def integers():
    """In int8; numbers that are moved keep their scale."""
    f = Made()
    x = f.input((1, STEPS, 8), "int8", scale=0.1, zero_point=3)
    rows = f.new(
        "RESHAPE", (x, f.integers([STEPS, 1, 8])), (STEPS, 1, 8), scale=0.1, zero_point=3, newShape=[STEPS, 1, 8]
    )
    h = f.input((1, 8), "int8", "h", scale=0.1, zero_point=3)

    def body(g, i, h, x):
        part = g.new("GATHER", (x, i), (1, 8), scale=0.1, zero_point=3, axis=0)
        return g.new("ADD", (part, h), (1, 8), scale=0.1, zero_point=3), x

    _, last, _ = loop(f, (f.integers(0), h, rows), STEPS, body)
    return f.done(last)


def nested():
    """A loop of loops, whose inner one goes as far as the outer one has come."""
    f = Made()
    x = f.input((1, UNITS))

    def outer(g, i, h):
        counted = loop(g, (g.integers(0), h, i), 3, lambda inner, j, h, i: (cell(inner, h, h), i))
        f.file.graphs.extend(g.file.graphs[1:])
        return (counted[1],)

    _, last = loop(f, (f.integers(0), x), 2, outer)
    return f.done(last)


def never():
    f = Made()
    x = f.input((1, UNITS))
    _, last = loop(f, (f.integers(9), x), 5, lambda g, i, h: (cell(g, h, h),))
    return f.done(f.new("RELU", (last,), (1, UNITS)))


def until_it_is_small():
    """Of a length that the numbers say."""
    f = Made()
    x = f.input((1, UNITS))
    condition, body = Called(f, "condition", x), Called(f, "body", x)
    (h,) = condition.inputs
    largest = condition.new("REDUCE_MAX", (h, condition.integers([0, 1])), (), keepDims=False)
    condition.gives(condition.new("GREATER", (largest, condition.weights(np.float32(0.1))), (), "bool"))
    (h,) = body.inputs
    body.gives(body.new("MUL", (h, body.weights(np.float32(0.5))), h.shape))
    graphs = {"condSubgraphIndex": condition.graph, "bodySubgraphIndex": body.graph}
    return f.done(*call(f, "WHILE", (x,), (x,), **graphs))


def too_long():
    f = Made()
    x = f.input((1, UNITS))
    return f.done(loop(f, (f.integers(0), x), 257, lambda g, i, h: (g.new("TANH", (h,), h.shape),))[1])


def of_another_scale():
    """A body that takes the same integers for other numbers."""
    f = Made()
    x = f.input((1, 8), "int8", scale=0.1)
    other = Tensor("other", (1, 8), "int8", scales(0.2))
    body = Called(f, "body", f.integers(0), other)
    condition = Called(f, "condition", f.integers(0), other)
    condition.gives(condition.new("LESS", (condition.inputs[0], condition.integers(3)), (), "bool"))
    i, h = body.inputs
    body.gives(body.new("ADD", (i, body.integers(1)), ()), body.new("RELU", (h,), (1, 8), scale=0.2))
    graphs = {"condSubgraphIndex": condition.graph, "bodySubgraphIndex": body.graph}
    return f.done(call(f, "WHILE", (f.integers(0), x), (f.integers(0), other), **graphs)[1])


def branches(condition):
    f = Made()
    x = f.input((1, UNITS))
    graphs = []
    for kind in ("TANH", "RELU"):
        branch = Called(f, kind, x)
        graphs.append(branch.gives(branch.new(kind, tuple(branch.inputs), x.shape)))
    which = f.constant(np.asarray(condition)) if isinstance(condition, bool) else f.new(*condition(f, x))
    graphs = dict(zip(("thenSubgraphIndex", "elseSubgraphIndex"), graphs, strict=True))
    return f.done(*call(f, "IF", (which, x), (x,), **graphs))


def branch_of_numbers():
    def condition(f, x):
        largest = f.new("REDUCE_MAX", (x, f.integers([0, 1])), (), keepDims=False)
        return "GREATER", (largest, f.weights(np.float32(0))), (), "bool"

    return branches(condition)


def handle(g, name=b"seed"):
    return g.new("VAR_HANDLE", (), (), "resource", container=b"", sharedName=name)


def assign(g, variable, value):
    operator = g.new("ASSIGN_VARIABLE", (variable, value), ()).maker
    operator.outputs = ()


def state(f, values, name=b"seed"):
    """A variable that is set when the file is loaded."""
    start = Called(f, "start")
    assign(start, handle(start, name), start.constant(values))
    f.new("CALL_ONCE", (), (), "float32", initSubgraphIndex=start.graph).maker.outputs = ()
    return handle(f, name)


def seed():
    """As of dropout: counted up in each call, and read by nothing else."""
    f = Made()
    x = f.input((1, UNITS))
    variable = state(f, np.array([7, 0], "int64"))
    y = f.new("TANH", (x,), x.shape)
    for _ in range(2):
        read = f.new("READ_VARIABLE", (variable,), (2,), "int64")
        assign(f, variable, f.new("ADD", (read, f.constant(np.array([0, 1], "int64"))), (2,)))
    return f.done(y)


def weights_in_a_variable():
    f = Made()
    x = f.input((1, UNITS))
    variable = state(f, np.arange(UNITS, dtype="float32")[None])
    read = f.new("READ_VARIABLE", (variable,), (1, UNITS), "float32")
    return f.done(f.new("MUL", (x, read), x.shape))


def weights_beside_a_counter():
    """A variable that an output depends on, and one that never changes."""
    f = Made()
    x = f.input((1, UNITS))
    counter = state(f, np.zeros((1, UNITS), "float32"), b"counter")
    y = f.new("ADD", (x, f.new("READ_VARIABLE", (counter,), x.shape, "float32")), x.shape)
    assign(f, counter, y)
    weights = state(f, np.arange(UNITS, dtype="float32")[None], b"weights")
    return f.done(f.new("MUL", (y, f.new("READ_VARIABLE", (weights,), x.shape, "float32")), x.shape))


def handed_on(given):
    """Its handle is given, or read by what may do anything with it."""

    def make():
        f = Made()
        x = f.input((1, UNITS))
        variable = state(f, np.arange(UNITS, dtype="float32")[None])
        y = f.new("MUL", (x, f.new("READ_VARIABLE", (variable,), x.shape, "float32")), x.shape)
        return f.done(y, variable if given else f.new("RESHAPE", (variable,), (1,), "resource"))

    return make


def counted():
    """A state that an output depends on."""
    f = Made()
    x = f.input((1, UNITS))
    variable = state(f, np.zeros((1, UNITS), "float32"))
    read = f.new("READ_VARIABLE", (variable,), (1, UNITS), "float32")
    y = f.new("ADD", (x, read), x.shape)
    assign(f, variable, y)
    return f.done(y)


def dense_of_zeros():
    f = Made()
    x = f.input((1, UNITS))
    return f.done(f.new("ADD", (x, cell(f, zeros(f, 1, UNITS), zeros(f, 1, UNITS))), x.shape))


def plus(values, **options):
    f = Made()
    x = f.input((1, UNITS))
    y = f.new("ADD", (f.weights(np.float32(values)), f.new("TANH", (x,), x.shape)), x.shape, **options)
    return f.done(f.new("RELU", (y,), x.shape))


def size_known():
    """SHAPE of a tensor whose sizes are known, and what is reckoned of it."""
    f = Made()
    x = f.input((1, 6, UNITS))
    sizes = f.new("SHAPE", (x,), (3,), "int32", outType=2)
    last = f.new("SLICE", (sizes, f.integers([1]), f.integers([2])), (2,))
    return f.done(f.new("RESHAPE", (x, last), (6, UNITS)))


def weights_of_16_bits():
    """Which are widened when the file is loaded, and stay as they are."""
    f = Made()
    x = f.input((1, UNITS))
    kernel = f.new("DEQUANTIZE", (f.constant(np.ones((UNITS, UNITS), "float16")),), (UNITS, UNITS), "float32")
    return f.done(f.new("FULLY_CONNECTED", (x, kernel, None), x.shape))


def part_unread(dtype, scale):
    """A gate that nobody reads, as that of forgetting in the first step."""
    f = Made()
    y = f.new("RELU", (f.input((1, 8), dtype, scale=scale),), (1, 8), scale=scale)
    parts = [Tensor(f"part_{i}", (1, 2), dtype, scales(scale)) for i in range(4)]
    several(f, "SPLIT", (f.integers(1), y), parts, numSplits=4)
    return f.done(*(f.new("RELU", (part,), (1, 2), scale=scale) for part in parts[1:]))


def many_channels(count):
    """As the queries, keys and values of a large transformer; split evenly in three."""
    f = Made()
    y = f.new("RELU", (f.input((1, count)),), (1, count))
    parts = [Tensor(f"part_{i}", (1, count // 3), "float32", scales(None)) for i in range(3)]
    several(f, "SPLIT", (f.integers(1), y), parts, numSplits=3)
    return f.done(*(f.new("RELU", (part,), (1, count // 3)) for part in parts))


CASES = [
    Case("lower_split", "part_unread", lambda: part_unread("int8", 0.1)),
    Case("lower_split", "many_channels", lambda: many_channels(3840)),
    Case("lower_split", "as_many_as_were_right", lambda: many_channels(3072), "PROVEN", stays=True),
    Case("lower_split", "part_unread_of_floats", lambda: part_unread("float32", None), "PROVEN", stays=True),
    Case("unroll_loops", "list_written", list_written),
    Case("unroll_loops", "many_steps", lambda: list_written(40)),
    Case("unroll_loops", "state_given", state_given),
    Case("unroll_loops", "two_in_a_row", two_in_a_row),
    Case("unroll_loops", "masked", masked),
    Case("unroll_loops", "columns", columns),
    Case("unroll_loops", "unaligned", unaligned),
    Case("unroll_loops", "chosen", lambda: chosen((1, UNITS))),
    Case("unroll_loops", "chosen_and_spread", lambda: chosen((1, 1))),
    Case("unroll_loops", "updated", updated),
    Case("unroll_loops", "integers", integers),
    Case("unroll_loops", "nested", nested),
    Case("unroll_loops", "never", never),
    Case("unroll_loops", "until_it_is_small", until_it_is_small, stays=True),
    Case("unroll_loops", "too_long", too_long, stays=True),
    Case("unroll_loops", "of_another_scale", of_another_scale, stays=True),
    Case("inline_branches", "true", lambda: branches(True)),
    Case("inline_branches", "false", lambda: branches(False)),
    Case("inline_branches", "branch_of_numbers", branch_of_numbers, stays=True),
    Case("drop_state", "seed", seed),
    Case("drop_state", "weights_in_a_variable", weights_in_a_variable),
    Case("drop_state", "weights_beside_a_counter", weights_beside_a_counter, runtime=""),
    Case("drop_state", "counted", counted, stays=True),
    Case("drop_state", "given", handed_on(True), stays=True),
    Case("drop_state", "handed_on", handed_on(False), stays=True),
    Case("fold_constants", "dense_of_zeros", dense_of_zeros),
    Case("fold_constants", "size_known", size_known),
    Case("fold_constants", "plus_zeros", lambda: plus([[0] * UNITS]), "PROVEN"),
    Case("fold_constants", "plus_one", lambda: plus([[0, 1, 0, 0]]), "PROVEN", stays=True),
    Case("fold_constants", "plus_zeros_and_relu", lambda: plus([0], fusedActivationFunction=1), "PROVEN", stays=True),
    Case("fold_constants", "weights_of_16_bits", weights_of_16_bits, stays=True),
]
