"""Padding of many axes."""

from keraslayers.export.rewrites._blocks import MOST_AXES, around, is_wide
from keraslayers.export.rewrites._each import each


def narrow_pad(graph):
    """Pads a tensor of more than four axes in four.

    What is not padded goes with the axis before it; mirroring needs the padded axes as they are. Where more than four
    axes are left, they are padded one by one.

    Given:   x [1, 2, 2, 16, 8] -> PAD (1 before axis 3) -> y [1, 2, 2, 17, 8]
    Result:  x -> RESHAPE [4, 128] -> PAD (8 before axis 1) -> RESHAPE -> y
    """
    return each(graph, ("MIRROR_PAD", "PAD", "PADV2"), _narrow)


def _narrow(build, operator):
    x, amounts, *value = operator.inputs
    mirrors = operator.name == "MIRROR_PAD"
    if not is_wide(operator) or amounts.values is None or x.channelwise or 0 in x.shape:
        return False
    groups = []  # of axes that are one: the size, what is put before and behind
    for size, pair in zip(x.shape, amounts.values.tolist(), strict=True):
        if size == 1 and not any(pair):
            continue
        joins = groups and not any(pair) and not (mirrors and any(groups[-1][1]))
        if joins:
            whole, (before, behind) = groups.pop()
            groups.append((whole * size, [before * size, behind * size]))
        else:
            groups.append((size, pair))
    if len(groups) <= MOST_AXES:
        made = _padded(build, operator, x, groups, value)
    else:
        made, sizes = x, [size for size, _ in groups]
        for axis, (_, pair) in enumerate(groups):
            if any(pair):
                before, size, behind = around(sizes, axis)
                lone = [(before, [0, 0]), (size, pair), (behind, [0, 0])]
                made = _padded(build, operator, made, lone, value)
                sizes[axis] += sum(pair)
    build.finish(build.reshape(made, operator.output.shape))
    return True


def _padded(build, operator, x, groups, value):
    """The tensor in axes of some sizes, with what is put before and behind each."""
    groups = [(1, [0, 0])] * (MOST_AXES - len(groups)) + groups
    shape = [size for size, _ in groups]
    whole = [size + sum(pair) for size, pair in groups]
    inputs = (build.reshape(x, shape), build.integers([pair for _, pair in groups]), *value)
    made = operator.twin(inputs, (build.tensor(whole, operator.output),))
    build.graph.insert(made, operator)
    return made.output
