"""LiteRT on the CPU with XNNPACK in 16-bit floats, which apps ask for on phones whose processors have them.

Here the processor may have them for storage alone (F16C of x86): XNNPACK computes with them all the same, and rounds
each number as it stores it.
"""

from dataclasses import replace

from keraslayers.export.runtimes import compiled, cpu

LIMITS = (*cpu.LIMITS, "numbers of 6e-8 to 65504, with 11 bits each")
PLAIN = False
FLOATS = 16
LIKE = "cpu"
load = compiled.load
available = compiled.available


def run(blob, graph, inputs, **elsewhere):
    """Runs a file with XNNPACK in 16-bit floats on one thread; `place` is where, by default here."""
    from keraslayers.export.runtimes.child import run_in_child

    options = {"gpu": False, "floats": FLOATS, "probe": compiled.probe()}
    outcome, _ = run_in_child(compiled.__file__, blob, graph, inputs, options=options, **elsewhere)
    if outcome.reason == compiled.NO_HALF:
        return replace(outcome, reason="XNNPACK does not compute in 16-bit floats on this processor", missing=True)
    return replace(outcome, operators=graph.total, device="XNNPACK in 16-bit floats, 1 thread")
