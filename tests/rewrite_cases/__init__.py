"""Files that a runtime refuses or gets wrong, by the rewrite that mends them; one module a group of kinds.

Each module has `CASES`: `Case` rows, whose `make` builds a file with `tests.file_tools.Made`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A row.

    Attributes:
        rewrite: the name of the rewrite in `REWRITES`.
        name: what is special about the file.
        make: gives the bytes of a file.
        without: what the file is without the rewrite: "REJECTED" or "WRONG" on the runtime; "PROVEN" where the rewrite
            is for what others leave behind, or for latency.
        runtime: on which; empty where what it leaves keeps runtimes from it.
        exact: whether outputs stay the same to the bit; else within `steps` of integers, or within rounding of floats.
        within: of floats, the largest difference as a part of the largest number, where it is more than rounding; with
            the reason in a comment at the row.
        steps: of integers, with the reason in a comment at the row.
        borders: whether its inputs and outputs change their shape.
        stays: whether the file is one that the rewrite must leave alone.
    """

    rewrite: str
    name: str
    make: Callable
    without: str = "REJECTED"
    runtime: str = "gpu"
    exact: bool = True
    within: float = 0.0
    steps: int = 0
    borders: bool = False
    stays: bool = False

    @property
    def id(self):
        return f"{self.rewrite}-{self.name}"


CASES = [
    case
    for module in pkgutil.iter_modules(__path__)
    for case in importlib.import_module(f"{__name__}.{module.name}").CASES
]
