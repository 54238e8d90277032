"""What a target is: the runtimes its files must be proven on, the passes a model needs for them, their limits."""

from __future__ import annotations

from dataclasses import dataclass

from keraslayers import _checks
from keraslayers._hints import Precision
from keraslayers.export import runtimes
from keraslayers.export.runtimes.elsewhere import Runtime


@dataclass(frozen=True)
class Target:
    """A kind of device.

    Attributes:
        name: what `to_tflite(target=...)` calls it.
        runtimes: the runtimes on which a file for it must be PROVEN, the main one first: names, or `ssh(...)`.
        description: one line for people.
    """

    name: str
    runtimes: tuple[Runtime, ...]
    description: str

    def passes(self, precision: Precision) -> tuple[str, ...]:
        """The names of the passes that prepare a model for a file of that precision, in their order."""
        from keraslayers.export.passes import PASSES  # here, as `prove` needs no Keras

        return tuple(name for name, (_, wanted) in PASSES.items() if wanted(self, precision))

    def rewrites(self, precision: Precision) -> tuple[str, ...]:
        """The names of the rewrites of a file of that precision, in their order."""
        from keraslayers.export.rewrites import REWRITES

        return tuple(name for name, (_, wanted) in REWRITES.items() if wanted(self, precision))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the runtimes that its files are made for: `"cpu"` where they are proven on a board's, too."""
        return tuple(runtimes.kind(runtime) for runtime in self.runtimes)

    @property
    def types(self) -> tuple[str, ...] | None:
        """The types that its runtimes take and give, of inputs and outputs; None where they have all."""
        return next((runtimes.of(each).TYPES for each in self.runtimes if hasattr(runtimes.of(each), "TYPES")), None)

    @property
    def limits(self) -> tuple[str, ...]:
        """What no file for it may hold, whatever the passes do: a line for each limit of a runtime."""
        return tuple(f"{runtime}: {limit}" for runtime in self.runtimes for limit in runtimes.of(runtime).LIMITS)


TARGETS = {
    target.name: target
    for target in (
        Target("cpu", ("cpu",), "phone, desktop or single-board CPU: LiteRT with XNNPACK"),
        # An app that asks for the GPU falls back to the CPU where there is none: the file must be right on both.
        # Phones' GPUs compute in 16-bit floats; the file must be right in 32, too, for those that have none, and for
        # apps that ask for them.
        Target("gpu", ("gpu", "gpu-fp16", "cpu"), "phone GPU: LiteRT's GPU accelerator, in 16-bit floats and in 32"),
        Target("gpu-fp32", ("gpu", "cpu"), "phone GPU, for apps that ask it for 32-bit floats"),
        Target("browser", ("browser",), "web page: LiteRT.js in WebAssembly"),
        # As above: a page that asks for WebGPU falls back where there is none.
        Target("browser-gpu", ("browser-gpu", "browser"), "web page: LiteRT.js on WebGPU, every operator on it"),
        Target("micro", ("micro",), "microcontroller: TensorFlow Lite for Microcontrollers, in one block of memory"),
    )
}


def find_target(who, target):
    """Returns the target of that name; a Target passes through. Unknown names raise, with the nearest named."""
    if isinstance(target, Target):
        for runtime in target.runtimes:
            runtimes.check(who, f"target {target.name!r}: runtimes", runtime)
        if not target.runtimes:
            raise ValueError(f"`{who}`: `target` {target.name!r} names no runtimes: nothing would be proven.")
        return target
    return TARGETS[_checks.choice(who, "target", target, TARGETS)]
