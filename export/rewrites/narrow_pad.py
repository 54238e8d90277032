"""Padding of many axes."""

from keraslayers.export.rewrites._blocks import MOST_AXES, is_wide
from keraslayers.export.rewrites._each import each


def narrow_pad(graph):
    """Pads a tensor of more than four axes in four.

    What is not padded goes with the axis before it; mirroring needs the padded axes as they are.

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
    if len(groups) > MOST_AXES:
        return False
    groups = [(1, [0, 0])] * (MOST_AXES - len(groups)) + groups
    shape = [size for size, _ in groups]
    whole = [size + sum(pair) for size, pair in groups]
    inputs = (build.reshape(x, shape), build.integers([pair for _, pair in groups]), *value)
    made = operator.twin(inputs, (build.tensor(whole, operator.output),))
    build.graph.insert(made, operator)
    build.finish(build.reshape(made.output, operator.output.shape))
    return True
