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
ROWS = "tests/test_rewrites.py -k '(outputs_stay or names_and_signature or what_stays or stands_between)"
RUNS = "tests/test_rewrites.py -k '(refused_is or in_pieces)"
# Left out: what makes files, which takes a converter each.
MADE = "(int8 or file or wanted or sizes_of or tells or sigmoid)"
# Of verdicts what needs no file of a converter's: the whole adversary takes minutes for each fault.
NUMBERS = (
    "parts or differs or too_far or test_snr or whatever or agreement or samples_go or real_values_become or boxes or "
    "column or near_1e or class_ids or beside_which or spread_over or roundings"
)
WINDOWS = "tests/test_receptive_field.py -k 'chain or branches or join or places_differ'"
PARTS = "tests/test_blame.py -k 'beginning or no_operator or named or names or remedy or seen or words'"
# Left out of optimize's: what trains for long, or makes a file.
LONG = (
    "(its_file or proven or trains_it or regains or before_training or it_trains or decodes or agrees or rms_ or "
    "two_of_four or blocks_of or quantization_keeps or holds_through or half_of or applications or any_shape or "
    "skipped_layers or stays_as_it_was or several_devices or sixteen or goes_on or trains_with)"
)
GROUPS = (
    Group("rewrites", ("export/rewrites/[!_]*.py",), 2, ROWS + " and {name}-'", RUNS + " and {name}-'"),
    Group("rewrites, shared", ("export/rewrites/_[!_]*.py",), 4, ROWS + "'"),
    Group("passes", ("export/passes/*.py",), 4, f"tests/test_pass_stays.py tests/test_passes.py -k 'not {MADE}'"),
    Group("graph", ("export/file/graph.py",), 24, "tests/test_edit.py tests/test_analyze_file.py"),
    Group(
        "cost",
        ("keraslayers/analysis/cost.py",),
        24,
        WINDOWS,
        "tests/test_analysis.py tests/test_receptive_field.py -k 'not sees_more and not classic'",
    ),
    Group(
        "match",
        ("export/proof/match.py", "export/proof/parts.py"),
        26,
        f"tests/test_parts.py tests/test_adversary.py tests/test_proof.py -k '{NUMBERS}'",
    ),
    Group("proof", ("export/proof/proof.py",), 16, "tests/test_adversary.py", "tests/test_proof.py"),
    Group("blame", ("export/proof/blame.py",), 16, PARTS, "tests/test_blame.py tests/test_float16_runtime.py"),
    Group(
        "optimize",
        ("export/optimize/*.py",),
        2,
        "tests/test_optimize.py tests/test_optimize_layers.py tests/test_optimize_sparse.py "
        f"tests/test_optimize_skip.py tests/test_optimize_errors.py -k 'not {LONG}'",
        "tests/test_optimize_rules.py tests/test_optimize.py tests/test_optimize_skip.py "
        "-k 'its_file_is or stays_as or decodes or agrees or skipped_layers'",
    ),
)
# The runners of rewrites, which no row is of.
OTHERS = ("__init__.py", "fix_sizes.py", "rewrite.py")


def modules(group, root):
    """The files of a group, as paths under the root, in the order of the alphabet."""
    found = {path.relative_to(root) for pattern in group.modules for path in Path(root).glob(pattern)}
    return sorted(path for path in found if path.name not in OTHERS)
