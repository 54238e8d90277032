"""Classic networks as plain keras.Model, built from the tables of their papers."""

import difflib as _difflib
import inspect as _inspect

if __name__ != "keraslayers.models":
    # Under another name every builder and spec would exist twice.
    raise ImportError(
        f"This package is `keraslayers.models`; it was imported as `{__name__}`. "
        "Write `from keraslayers import models`, or `import keraslayers.models`."
    )

from keraslayers import _checks
from keraslayers.models import lenet, mobilenet_v3, shufflenet_v2
from keraslayers.models._spec import Reference, Spec
from keraslayers.models.lenet import LeNet5
from keraslayers.models.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small
from keraslayers.models.shufflenet_v2 import ShuffleNetV2

__all__ = [
    "LeNet5",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "Reference",
    "ShuffleNetV2",
    "Spec",
    "create",
    "names",
    "spec",
]


def _table(specs):
    table = {}
    for entry in specs:
        if entry.name in table:
            raise ValueError(f"`keraslayers.models`: two specs have the name {entry.name!r}; names are unique.")
        table[entry.name] = entry
    return table


_SPECS = _table((*lenet.SPECS, *mobilenet_v3.SPECS, *shufflenet_v2.SPECS))


def names():
    """Returns the names that `create` and `spec` take, sorted."""
    return sorted(_SPECS)


def spec(name):
    """Returns the `Spec` of a network: its paper, input shape and reference counts."""
    return _SPECS[_checks.choice("spec", "name", name, names())]


def create(name, /, **options):
    """Builds a network by name: create("lenet5", modern=True) is LeNet5(modern=True).

    Args:
        name: one of `names()`, by position, as `name=` is the option that names the model.
        **options: the builder's arguments.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if no network has this name.
        TypeError: if its builder has no such argument.
    """
    builder = _SPECS[_checks.choice("create", "name", name, names())].builder
    valid = tuple(_inspect.signature(builder).parameters)
    for option in options:
        if option not in valid:
            near = _difflib.get_close_matches(option, valid, n=1, cutoff=0.5)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            listed = ", ".join(f"`{argument}`" for argument in valid)
            raise TypeError(f"`create`: {name!r} has no option `{option}`; its options are {listed}.{hint}")
    return builder(**options)
