"""What a phone told of a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """What a phone tells of a file.

    Attributes:
        device: the phone and its Android.
        accelerator: what was asked for.
        delegated, operators: how many operators it took, of how many; None where the tool does not say so.
        threads: of the CPU.
        runs: how many were timed.
        median_ms: of a call, in milliseconds; None from tools that are too old to tell.
        mean_ms, std_ms, min_ms, max_ms: of a call.
        first_ms: the first call.
        init_ms: reading the file, and compiling it for the accelerator.
        memory_mb: what all that took, in megabytes, by the tool's own estimate; None where it does not tell.
    """

    device: str
    accelerator: str
    delegated: int | None
    operators: int | None
    threads: int
    runs: int
    median_ms: float | None
    mean_ms: float
    std_ms: float
    min_ms: float
    max_ms: float
    first_ms: float
    init_ms: float
    memory_mb: float | None

    def __str__(self) -> str:
        taken = "" if self.delegated is None else f", {self.delegated} of {self.operators} operators"
        calls = (
            f"{self.mean_ms:.2f} ms a call" if self.median_ms is None else f"{self.median_ms:.2f} ms a call (median)"
        )
        memory = "" if self.memory_mb is None else f", {self.memory_mb:.0f} MB"
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return (
            f"{self.device}: {self.accelerator}{taken}, {threads}: {calls}, {self.min_ms:.2f} to {self.max_ms:.2f} in "
            f"{self.runs} runs; the first {self.first_ms:.2f}, to begin {self.init_ms:.1f}{memory}"
        )
