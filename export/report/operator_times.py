"""Where a file's time goes, operator by operator, beside the least that each can take."""

from __future__ import annotations

import json
import pathlib
from dataclasses import asdict, dataclass
from typing import Any

from keraslayers._hints import Path
from keraslayers.export.file import files
from keraslayers.export.proof.proof import Verdict
from keraslayers.export.report import node_data
from keraslayers.export.runtimes.peaks import Peaks


@dataclass(frozen=True)
class OperatorTime:
    """An operator of a file, run alone.

    Attributes:
        tensor: the name of what it computes.
        operator: its own, as the format calls it.
        layer: the layer that the tensor's name tells of.
        output_shape: of its first output.
        multiply_adds: as `analyze_file` counts them; None where its cost is not known.
        moved_bytes: what it has to read and to write at least.
        floor_ms: the least milliseconds that these can take here; see `Peaks`.
        ms: median milliseconds of a call, without what any call takes; None if it does not run alone.
        xnnpack: whether XNNPACK takes it; if not, LiteRT's built-in kernels do.
        verdict: PROVEN if alone it gives what LiteRT's built-in kernels give of the same inputs, which the file's
            samples bring to it; WRONG, or UNTESTED if it does not run alone.
        snr_db: signal over difference there, in decibels; infinity if equal, None if UNTESTED.
        reason: why it is not PROVEN; empty if it is.
    """

    tensor: str
    operator: str
    layer: str
    output_shape: tuple[int, ...]
    multiply_adds: int | None
    moved_bytes: int
    floor_ms: float
    ms: float | None
    xnnpack: bool
    verdict: Verdict
    snr_db: float | None
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times its floor it takes; None where that is nothing, or it was not timed."""
        return None if self.ms is None or not self.floor_ms else self.ms / self.floor_ms


@dataclass(frozen=True)
class Profile:
    """Where a file's time goes.

    Attributes:
        name: of the file.
        latency_ms: median milliseconds of a call of the whole file, as its operators are timed.
        operators: an `OperatorTime` each, in the order of the file; without those that only widen a constant, which is
            done when the file is loaded.
        peaks: what the machine reaches at best, and which it is.
        graph: name of the file's graph.
    """

    name: str
    latency_ms: float
    operators: tuple[OperatorTime, ...]
    peaks: Peaks
    graph: str

    @property
    def ms(self) -> float:
        """The sum of what its operators take alone."""
        return sum(row.ms or 0.0 for row in self.operators)

    @property
    def floor_ms(self) -> float:
        """The sum of their floors."""
        return sum(row.floor_ms for row in self.operators)

    @property
    def ratio(self) -> float | None:
        """How many times that sum the whole file takes; None of a file without work."""
        return self.latency_ms / self.floor_ms if self.floor_ms else None

    @property
    def costliest(self) -> list[OperatorTime]:
        """The operators, the costliest first."""
        return sorted(self.operators, key=lambda row: -(row.ms or 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, strings, lists and dicts, as JSON takes them; infinity as `"inf"`."""
        told = asdict(self)
        for row, given in zip(self.operators, told["operators"], strict=True):
            given["ratio"] = row.ratio
            given["snr_db"] = "inf" if row.snr_db == float("inf") else row.snr_db
        totals = {what: getattr(self, what) for what in ("ms", "floor_ms", "ratio")}
        return json.loads(json.dumps({**told, **totals}))

    def to_html(self, path: Path) -> None:
        """Writes the profile as one HTML page that needs no other file.

        Args:
            path: ends in `.html`.

        Raises:
            ImportError: if the extra `keraslayers[report]` is not installed.
            ValueError: if the path has another ending, or is a device.
            OSError: if the path cannot be written.
        """
        from keraslayers.export.report import page, profile_pictures, profile_table
        from keraslayers.export.report.report import PAGES

        path = files.writable("Profile.to_html", "path", path, PAGES)
        made = page.render("profile.html", profile=self, pictures=profile_pictures, table=profile_table)
        files.write({path: made.encode()})

    def save_node_data(self, path: Path) -> tuple[pathlib.Path, ...]:
        """Writes what is known of each operator for Model Explorer, which colors the nodes of the file by it.

        A file of node data holds one value a node: of `net.json` four are made, `net.verdict.json`, `net.dB.json`,
        `net.ms.json` and `net.floors.json`, how many times its floor each takes. Open the .tflite file in Model
        Explorer and upload them as custom node data, all together.

        Args:
            path: what their names are made of, ending in .json.

        Returns:
            The paths.

        Raises:
            OSError: if they cannot be written.
            ValueError: if it does not end in .json.
        """
        return node_data.save("Profile.save_node_data", path, self.graph, node_data.of_profile(self))

    def __str__(self) -> str:
        from keraslayers.export.report import profile_table, tables

        return tables.to_text(profile_table.of_profile(self))
