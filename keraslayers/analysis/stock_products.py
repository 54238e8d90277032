"""What Keras's layers cost that multiply matrices: Dense, einsum, attention."""

import math

from keraslayers import _keras
from keraslayers.analysis import cost
from keraslayers.analysis.cost import EVERYWHERE, Cost, Window


def dense(layer, inputs, outputs, axes):
    # Of a vector every number sees all; of maps every place sees its own.
    return cost.dense(inputs[0][-1], outputs[0], EVERYWHERE if len(inputs[0]) == 2 else Window())


def einsum(equation, shapes, output_shape):
    """The products of an einsum: the sizes of all its letters together."""
    operands, made = equation.replace(" ", "").split("->")
    sizes = {}
    for letters, shape in zip([*operands.split(","), made], [*shapes, output_shape], strict=True):
        head, dots, tail = letters.partition("...")
        sizes.update(zip(head, shape, strict=False))
        sizes.update(zip(tail[::-1], shape[::-1], strict=False))
        if dots:
            sizes["..."] = math.prod(shape[len(head) : len(shape) - len(tail)])
    return math.prod(sizes.values())


def einsum_dense(layer, inputs, outputs, axes):
    products, elements = einsum(layer.equation, [inputs[0], layer.kernel.shape], outputs[0]), math.prod(outputs[0])
    seen, _, made = layer.equation.replace(" ", "").replace(",", "->").split("->")
    # Where only the last axes meet the kernel, each place sees its own.
    alone = len(inputs[0]) > 2 and seen.replace("...", "")[:-1] == made.replace("...", "")[:-1]
    return Cost(multiply_adds=products, flops=2 * products - elements, window=Window() if alone else EVERYWHERE)


def attention(layer, inputs, outputs, axes):
    """Query and value, or query, value and key: scores of every pair, and a sum of the values weighted by them."""
    query, value = inputs[0], inputs[1]
    pairs = math.prod(query[:-1]) * value[-2]
    products = pairs * (query[-1] + value[-1])
    return Cost(multiply_adds=products, activation_products=products, window=EVERYWHERE)


def multi_head_attention(layer, inputs, outputs, axes):
    """Four projections, or five with a gate; scores of every pair, and a sum of the values weighted by them."""
    query, value = inputs[:2]
    attended = {axis % len(query) for axis in layer.attention_axes}
    asked, held = (math.prod(shape[axis] for axis in attended) for shape in (query, value))
    batch = math.prod(query[:-1]) // asked  # along the other axes each place attends to its own
    of_query, of_key, of_value, of_output = (
        math.prod(part.kernel.shape)
        for part in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
    )
    of_gate = sum(math.prod(part.kernel.shape) for part in _keras.gates(layer))
    projections = asked * (of_query + of_output + of_gate) + held * (of_key + of_value)
    products = asked * held * layer.num_heads * (layer.key_dim + (layer.value_dim or layer.key_dim))
    window = tuple(EVERYWHERE if axis in attended else Window() for axis in range(1, len(query) - 1))
    return Cost(multiply_adds=batch * (projections + products), activation_products=batch * products, window=window)


def group_query_attention(layer, inputs, outputs, axes):
    """As multi-head attention; heads of the query share those of key and value."""
    query, value = inputs[:2]
    asked, held = query[0] * query[1], value[0] * value[1]
    of_query, of_value = _keras.projections(layer)
    projections = sum(
        count * math.prod(part.kernel.shape) for count, parts in ((asked, of_query), (held, of_value)) for part in parts
    )
    products = asked * value[1] * layer.num_query_heads * 2 * layer.head_dim
    return Cost(multiply_adds=projections + products, activation_products=products, window=EVERYWHERE)


def dot(layer, inputs, outputs, axes):
    axes = layer.axes if isinstance(layer.axes, int) else layer.axes[0]
    products = math.prod(outputs[0]) * inputs[0][axes]
    return Cost(multiply_adds=products, activation_products=products, window=EVERYWHERE)
