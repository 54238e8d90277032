"""Slices that drop axes, add some or run backwards, as slices that phones' GPUs take."""

from keraslayers.export.rewrites._each import each


def lower_indices(graph):
    """Writes a STRIDED_SLICE that says more than where to begin, to end and how far to step as one that does not.

    LiteRT's GPU runtime refuses a STRIDED_SLICE that drops axes, adds some, has steps below 0, leaves axes out, ends
    beyond them, or is of true and false. The class token of vision transformers is x[:, 0].

    Given:   x [1, 6, 8] -> STRIDED_SLICE x[:, 0] -> y [1, 8]       x -> STRIDED_SLICE x[:, ::-1] -> y
    Result:  x -> SLICE x[:, 0:1] -> RESHAPE [1, 8] -> y            x -> REVERSE_V2 -> y
    """
    return each(graph, ("STRIDED_SLICE",), _lower)


def _lower(build, operator):
    x, *bounds = operator.inputs
    if any(bound.values is None for bound in bounds) or operator.options.offset:
        return False
    begin, end, steps = (bound.values.reshape(-1).tolist() for bound in bounds)
    if x.dtype == "string" or x.channelwise or _is_plain(operator, begin, end, steps):
        return False
    places = places_of(operator.options, x.shape, begin, end, steps)
    if places is None or not all(places):
        return False
    build.finish(build.reshape(_taken(build, x, places), operator.output.shape))
    return True


def _is_plain(operator, begin, end, steps):
    """Whether the GPU takes it as it is."""
    x, options = operator.inputs[0], operator.options
    if options.ellipsisMask or options.newAxisMask or options.shrinkAxisMask or operator.inputs[1].dtype != "int32":
        return False
    if len(begin) != len(x.shape) or min(steps) < 0 or x.dtype == "bool":
        return False
    inside = (-size <= b <= size and -size <= e <= size for b, e, size in zip(begin, end, x.shape, strict=True))
    masked = (options.beginMask >> axis & options.endMask >> axis & 1 for axis in range(len(begin)))
    return all(fits or mask for fits, mask in zip(inside, masked, strict=True))


def places_of(options, shape, begin, end, steps):
    """What a STRIDED_SLICE takes along each axis of a shape, as ranges; None where it says more than the shape has."""
    new, dots = options.newAxisMask, options.ellipsisMask
    taken = sum(not (new | dots) >> i & 1 for i in range(len(begin)))
    places, axis = [], 0
    for i in range(len(begin)):
        if dots >> i & 1:
            count = len(shape) - taken
            places += [range(size) for size in shape[axis : axis + count]]
            axis += count
        elif not new >> i & 1:
            if axis >= len(shape):
                return None
            size = shape[axis]
            if options.shrinkAxisMask >> i & 1:
                if not -size <= begin[i] < size:
                    return None
                places.append(range(begin[i] % size, begin[i] % size + 1))
            else:
                first = None if options.beginMask >> i & 1 else begin[i]
                last = None if options.endMask >> i & 1 else end[i]
                places.append(range(size)[first : last : steps[i]])
            axis += 1
    return [*places, *(range(size) for size in shape[axis:])]


def _taken(build, x, places):
    """The numbers at some places along each axis."""
    turned = [axis for axis, taken in enumerate(places) if taken.step < 0 and len(taken) > 1]
    places = [taken[::-1] if taken.step < 0 else taken for taken in places]
    begin, size = [taken.start for taken in places], [len(taken) for taken in places]
    steps = [taken.step if len(taken) > 1 else 1 for taken in places]
    if set(steps) <= {1}:
        x = build.slice(x, begin, size)
    else:
        truth = x.dtype == "bool"
        x = build.cast(x, "float32") if truth else x
        end = [b + (n - 1) * step + 1 for b, n, step in zip(begin, size, steps, strict=True)]
        x = build.computed("STRIDED_SLICE", (x, *map(build.integers, (begin, end, steps))), size)
        x = build.cast(x, "bool") if truth else x
    for axis in turned:  # one at a time: not every kernel takes several
        x = build.computed("REVERSE_V2", (x, build.integers([axis])), size)
    return x
