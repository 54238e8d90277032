"""What a page carries of a proof, so that any device that opens it is proven, too: inputs, and what they must give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keraslayers._hints import Array
from keraslayers.export import measures
from keraslayers.export.proof import match, parts
from keraslayers.export.proof.proof import calls_of, tests_nothing, values_of
from keraslayers.export.runtimes import cpu

# So many samples at most, and of these as many as fit so many bytes; one, if it is no larger than the second.
MOST_SAMPLES, MOST_BYTES, MOST_OF_ONE = 16, 2**21, 2**23


@dataclass(frozen=True)
class Evidence:
    """A few samples, and what is known of them.

    Attributes:
        samples: by input name arrays of (samples, ...).
        expected: by output name what the Keras model gives; None where there is none.
        precision: what the file was made for.
        trained: whether the Keras model rounds as the file does.
        made_up: whether nobody gave the samples.
    """

    samples: dict[str, Array]
    expected: dict[str, Array] | None = None
    precision: str | None = None
    trained: bool = False
    made_up: bool = False

    def few(self, count: int = MOST_SAMPLES) -> Evidence:
        """The first of them, which are spread over all, as `proof.chosen` has them; copies, so that the rest goes."""

        def cut(arrays):
            return {name: np.array(values[:count]) for name, values in arrays.items()}

        expected = None if self.expected is None else cut(self.expected)
        return Evidence(cut(self.samples), expected, self.precision, self.trained, self.made_up)


def packed(evidence, blob, graph):
    """What the page needs to judge by itself: (what is told of it as JSON can hold it, the arrays' bytes).

    Each array stands at a multiple of eight bytes: the inputs as the file takes them, then what Keras gives, in float32
    or, of ids and counts, float64, then what LiteRT's built-in kernels give of it, where the rules ask for that.

    Returns:
        ({"why": words}, b"") where nothing can be carried.
    """
    inputs, count = calls_of(evidence.samples, graph)
    bytes_each = sum(values.nbytes for values in inputs.values()) / count
    bytes_each += sum(8 * int(np.prod(tensor.shape)) for tensor in graph.outputs)
    if bytes_each > MOST_OF_ONE:
        return {"why": "one sample is too large for a page"}, b""
    evidence = evidence.few(int(np.clip(MOST_BYTES // bytes_each, 1, MOST_SAMPLES)))
    inputs, count = calls_of(evidence.samples, graph)
    expected, meaning = evidence.expected, None
    if expected is None or graph.integer:
        outcome = cpu.run_reference(blob, graph, inputs)
        if outcome.outputs is None:
            return {"why": f"LiteRT's built-in kernels do not run the file: {outcome.reason}"}, b""
        meaning = outcome.outputs
    shapes = {name: values.shape for name, values in values_of(meaning or _empty(graph, inputs), graph, count).items()}
    arrays = [inputs[tensor.name] for tensor in graph.inputs]
    if expected is not None:
        kinds = {tensor.name: "float64" if tensor.counted else "float32" for tensor in graph.outputs}
        arrays += [np.asarray(expected[tensor.name], kinds[tensor.name]) for tensor in graph.outputs]
    if meaning is not None:
        arrays += [np.asarray(meaning[tensor.name]) for tensor in graph.outputs]
    told = _told(evidence, graph, inputs, count, shapes, expected is not None, meaning is not None)
    told["arrays"] = [{"dtype": str(values.dtype), "size": values.size} for values in arrays]
    return told, b"".join(values.tobytes() + bytes(-values.nbytes % 8) for values in arrays)


def _empty(graph, inputs):
    """Outputs of the file's shapes for as many calls: zeros, since any number may lie where nothing was written."""
    calls = len(next(iter(inputs.values())))
    return {tensor.name: np.zeros((calls, *tensor.shape), tensor.dtype) for tensor in graph.outputs}


def _told(evidence, graph, inputs, count, shapes, expected, meaning):
    alone = evidence.expected is None
    return {
        "why": "",
        "samples": count,
        "calls": len(next(iter(inputs.values()))),
        "reference": "LiteRT's built-in kernels" if alone else "the Keras model",
        "made_up": evidence.made_up,
        "precision": None if alone else evidence.precision,
        "limits": None if alone else limits(evidence.precision),
        "expected": expected,
        "meaning": meaning,
        "rounded": graph.integer or graph.hybrid,
        "drawn": any(name in graph.operators for name in match.RANDOM),
        "most_steps": match.MAX_TRAINED_STEPS if evidence.trained else None,
        "untested": tests_nothing(inputs, graph, count),
        "outputs": [
            {
                "shape": shapes[tensor.name],
                **{key: getattr(tensor, key) for key in ("name", "counted", "joined", "step", "scale", "zero_point")},
            }
            for tensor in graph.outputs
        ],
        "rules": rules(),
    }


def limits(precision):
    """How far a file of a precision may be from the model, as `match.js` wants it."""
    least, part, factor, equal = match.limits(precision)
    rough = precision not in ("float32", "float16")
    return {"name": precision, "least": least, "part": part, "factor": factor, "equal": equal, "rough": rough}


def rules():
    """The figures of `match.py`, `parts.py` and `measures.py`, as `match.js` calls them."""
    return {
        "resolution": measures.ROUNDING,
        "constant": measures.CONSTANT,
        "rounding": parts.ROUNDING,
        "varies": parts.VARIES,
        "unlikely": parts.UNLIKELY,
        "least_correlation": parts.LEAST_CORRELATION,
        "fewest": parts.FEWEST,
        "drowned": parts.DROWNED,
        "drowned_of_joined": parts.DROWNED_OF_JOINED,
        "below": parts.BELOW,
        "more": parts.MORE,
        "explained": parts.EXPLAINED,
        "chance": parts.CHANCE,
        "typical": parts.TYPICAL,
        "least_typical": parts.LEAST_TYPICAL,
        "lost_samples": parts.LOST_SAMPLES,
        "part": match.PART,
        "frequent": match.FREQUENT,
        "nothing_db": match.NOTHING_DB,
        "max_float_difference": match.MAX_FLOAT_DIFFERENCE,
        "max_integer_difference": match.MAX_INTEGER_DIFFERENCE,
        "part_of_integers": match.PART_OF_INTEGERS,
        "max_steps": match.MAX_STEPS,
        "tiny": match.TINY,
        "none": match.NONE,
        "kernels": match.KERNELS,
        "no_numbers": match.NO_NUMBERS,
        "drawn": match.DRAWN,
        "floats": limits("float32"),
        "integers": limits("int8"),
    }
