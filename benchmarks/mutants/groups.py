"""Which code faults are set into, and the tests that concern it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Group:
    """Some modules and their tests.

    Attributes:
        name: in the table.
        modules: patterns of files.
        faults: how many are drawn for each module.
        quick: what pytest is told for the tests in seconds; `{name}` stands for the module's name.
        whole: the same for those that a fault must pass, too, before it counts as not seen; empty if these are all.
    """

    name: str
    modules: tuple
    faults: int
    quick: str
    whole: str = ""


# A file's numbers on LiteRT's built-in kernels and what stays; the runtimes of a phone take the longer.
ROWS = "tests/test_rewrites.py -k '(outputs_stay or names_and_signature or what_stays)"
GROUPS = (
    Group("match", ("export/proof/match.py",), 24, "tests/test_match.py", "tests/test_proof.py tests/test_export.py"),
    Group("proof", ("export/proof/proof.py",), 16, "tests/test_match.py", "tests/test_proof.py"),
    Group("blame", ("export/proof/blame.py",), 16, "tests/test_blame.py"),
    Group(
        "graph", ("export/file/graph.py",), 24, "tests/test_edit.py tests/test_analyze_file.py", "tests/test_proof.py"
    ),
    Group("cost", ("keraslayers/analysis/cost.py",), 24, "tests/test_receptive_field.py tests/test_analysis.py"),
    Group("passes", ("export/passes/[!_]*.py",), 4, "tests/test_pass_stays.py tests/test_passes.py"),
    Group("rewrites", ("export/rewrites/[!_]*.py",), 2, ROWS + " and {name}-'"),
    Group("rewrites, shared", ("export/rewrites/_[!_]*.py",), 3, ROWS + "'"),
    Group(
        "optimize",
        ("export/optimize/[!_]*.py",),
        2,
        "tests/test_optimize.py tests/test_optimize_rules.py tests/test_optimize_sparse.py tests/test_optimize_skip.py",
        "tests/test_optimize_errors.py tests/test_optimize_deformable.py",
    ),
)


# The runners of rewrites, which no row is of.
OTHERS = ("__init__.py", "fix_sizes.py", "rewrite.py")


def modules(group, root):
    """The files of a group, as paths under the root, in the order of the alphabet."""
    found = {path.relative_to(root) for pattern in group.modules for path in Path(root).glob(pattern)}
    return sorted(path for path in found if path.name not in OTHERS)
