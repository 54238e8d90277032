"""What a target is: the runtimes its files must be proven on, and the passes a model needs for them."""

from dataclasses import dataclass

from keraslayers import _checks
from keraslayers.export.runtimes import RUNTIMES


@dataclass(frozen=True)
class Target:
    """A kind of device.

    Attributes:
        name: what `to_tflite(target=...)` calls it.
        runtimes: the runtimes on which a file for it must be PROVEN, the main one first.
        description: one line for people.
    """

    name: str
    runtimes: tuple[str, ...]
    description: str


TARGETS = {
    target.name: target
    for target in (
        Target("cpu", ("cpu",), "phone, desktop or single-board CPU: LiteRT with XNNPACK"),
        # An app that asks for the GPU falls back to the CPU where there is none: the file must be right on both.
        Target("gpu", ("gpu", "cpu"), "phone GPU: LiteRT's GPU accelerator, every operator on it"),
        Target("micro", ("micro",), "microcontroller: TensorFlow Lite for Microcontrollers, in one block of memory"),
    )
}


def find_target(who, target):
    """Returns the target of that name; a Target passes through. Unknown names raise, with the nearest named."""
    if isinstance(target, Target):
        for runtime in target.runtimes:
            _checks.choice(who, f"target {target.name!r}: runtimes", runtime, RUNTIMES)
        if not target.runtimes:
            raise ValueError(f"`{who}`: `target` {target.name!r} names no runtimes: nothing would be proven.")
        return target
    return TARGETS[_checks.choice(who, "target", target, TARGETS)]
