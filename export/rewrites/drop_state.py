"""Variables of a file that nothing depends on go, as the seeds of layers that are random in training alone."""


def drop_state(graph):
    """Takes away variables that influence no output, and makes constants of those that nobody changes.

    A recurrent layer with dropout brings the state of its seed along, counts it up in every call, and computes nothing
    with it.

    Given:   CALL_ONCE: seed = 7; seed -> + 1 -> seed; x -> a -> y
    Result:  x -> a -> y
    """
    file = graph.file
    states = {}
    for called in file.graphs:
        _collect(called, states)
    return [*_fixed(file, states), *_dropped(file, states)]


class _State:
    """A variable: what reads it, and what assigns to it, (graph, operator) each; whether that is all."""

    def __init__(self):
        self.reads, self.assigns, self.escapes = [], [], False


def _key(handle):
    """What two handles of one variable have in common; None of a tensor that is no handle made here."""
    maker = None if handle is None else handle.maker
    if maker is None or maker.name != "VAR_HANDLE":
        return None
    return (maker.options.container or b"", maker.options.sharedName or b"")


def _collect(graph, states):
    for operator in graph.operators:
        for place, tensor in enumerate(operator.inputs):
            key = _key(tensor)
            if key is None:
                continue
            state = states.setdefault(key, _State())
            if operator.name == "READ_VARIABLE":
                state.reads.append((graph, operator))
            elif operator.name == "ASSIGN_VARIABLE" and place == 0:
                state.assigns.append((graph, operator))
            else:
                state.escapes = True
    for tensor in graph.outputs:
        if (key := _key(tensor)) is not None:
            states.setdefault(key, _State()).escapes = True


def _starters(file):
    """The graphs that are run once, before anything else."""
    return {op.options.initSubgraphIndex for graph in file.graphs for op in graph.operators if op.name == "CALL_ONCE"}


def _fixed(file, states):
    """Makes constants of variables that are only ever assigned one when a file is loaded."""
    starters, places = _starters(file), []
    for state in states.values():
        if state.escapes or len(state.assigns) != 1:
            continue
        (graph, assign) = state.assigns[0]
        value = assign.inputs[1]
        if graph not in starters or not value.constant:
            continue
        for reader, read in list(state.reads):
            if not reader.given(read.output) and read.output.readers and read.output.shape == value.shape:
                places.append((read.name, read.output.name))
                reader.redirect(read.output, value.twin())
    return places


def _dropped(file, states):
    """Takes away assignments to variables that no output depends on, and all that was for them alone."""
    live = {key for key, state in states.items() if state.escapes}
    while True:
        found = {key for graph in file.graphs for key in _read(graph, live)} | live
        if found == live:
            break
        live = found
    dead = [state for key, state in states.items() if key not in live]
    places = []
    for state in dead:
        for graph, assign in state.assigns:
            places.append((assign.name, assign.inputs[0].name))
            graph.remove(assign)
    for graph in file.graphs:
        graph.sweep()
    for graph in file.graphs:
        for operator in list(graph.operators):
            if operator.name == "CALL_ONCE" and not operator.options.initSubgraphIndex.operators:
                graph.remove(operator)
    return places


def _read(graph, live):
    """Variables that a graph's outputs depend on, or what else it changes, if those in `live` count as outputs."""
    wanted, found = {*graph.outputs, *graph.kept}, set()
    for operator in reversed(graph.operators):
        if operator.name == "ASSIGN_VARIABLE":
            needed = _key(operator.inputs[0]) in live or _key(operator.inputs[0]) is None
        else:
            needed = operator.effects or not wanted.isdisjoint(operator.outputs)
        if needed:
            wanted.update(operator.inputs)
            if operator.name == "READ_VARIABLE":
                found.add(_key(operator.inputs[0]))
    return found - {None}
