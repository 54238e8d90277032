"""How names of a network elsewhere are told: our layer on the left, their module on the right, units in their order."""

import re
from collections.abc import Callable
from dataclasses import dataclass

UNIT = re.compile(r"(stage\d+_(?:unit|block)\d+)(?:_(.+))?")


@dataclass(frozen=True)
class Source:
    """One way in which a network's weights are named.

    Args:
        who: whose code it is, as errors say it.
        begins: a module that only these weights have.
        pairs: function of (names of our layers, their modules) that returns a dict of our layer to their module,
            or a tuple of theirs where several make one of ours; it has what both have.
        fits: (padding, bn_epsilon) with which these weights give their outputs, one or several; None is any.
        renames: (pattern, replacement) of their names, first of all.
        extras: pattern of what may be left over, such as heads that only training needs.
        refuses: function of our model that returns how to build it, where these weights would give other outputs; else
            None.
        backbone: whether the network stands on a backbone, which has options of its own.
    """

    who: str
    begins: str
    pairs: Callable
    fits: tuple = ((None, None),)
    renames: tuple = ()
    extras: str | None = None
    refuses: Callable = lambda model: None
    backbone: bool = False


def normalized(**pairs):
    """{layer: convolution, layer_bn: normalization} of each layer=(convolution, normalization)."""
    both = {}
    for layer, (convolution, normalization) in pairs.items():
        both |= {layer: convolution, f"{layer}_bn" if layer else "bn": normalization}
    return both


def wrapped(pairs, convolution="conv"):
    """The same of {layer: module}, where a module holds both: the convolution by that name, and `bn`."""
    return normalized(**{layer: (f"{at}.{convolution}", f"{at}.bn") for layer, at in pairs.items()})


def table(outside, units=None, *inside):
    """Returns the `pairs` of a `Source` out of tables.

    Args:
        outside: our layer to their module, of what belongs to no unit.
        units: pattern of the beginning of a unit's names; theirs are ours in the order of their numbers.
        inside: tables from the rest of our layer's name to the rest of their module's, one for each kind of unit; of
            a unit the first holds that has all of its layers, and whose modules are there.
    """

    def pairs(ours, theirs):
        found = {layer: module for layer, module in outside.items() if layer in ours}
        if units is None:
            return found
        places, begins = _units(ours), in_order(re.match(units, name) for name in theirs)
        for (place, parts), begin in zip(places.items(), begins, strict=False):
            for kind in inside:
                named = {f"{place}_{part}" if part else place: _at(begin, kind.get(part)) for part in parts}
                if all(module is not None and _present(module, theirs) for module in named.values()):
                    found |= named
                    break
        return found

    return pairs


def joined(*parts):
    """The `pairs` of a network of several parts, such as a backbone and what stands on it."""

    def pairs(ours, theirs):
        return {layer: at for part in parts for layer, at in part(ours, theirs).items()}

    return pairs


def in_order(matches):
    """What patterns matched, each once, by their numbers."""
    return sorted({match[0] for match in matches if match}, key=lambda name: (_numbers(name), name))


def _numbers(name):
    return [int(number) for number in re.findall(r"\d+", name)]


def modules(names):
    """The names of arrays, and all that they begin with."""
    return {".".join(name.split(".")[:count]) for name in names for count in range(1, name.count(".") + 2)}


def _present(module, theirs):
    return all(one in theirs for one in (module if isinstance(module, tuple) else (module,)))


def _units(ours):
    places = {}
    for layer in ours:
        match = UNIT.fullmatch(layer)
        if match:
            places.setdefault(match[1], []).append(match[2] or "")
    return places


def _at(begin, module):
    if module is None:
        return None
    if isinstance(module, tuple):
        return tuple(f"{begin}.{one}" for one in module)
    return f"{begin}.{module}"


def chain(*begins):
    """Returns the `pairs` of networks in a row: layers of ours and modules of theirs, one after the other.

    Args:
        begins: patterns of their modules, in the order of the network.
    """

    def pairs(ours, theirs):
        row = []
        for begin in begins:
            row += in_order(re.match(begin, name) for name in theirs)
        return dict(zip(ours, row, strict=False))

    return pairs


def steps(*names, unit="{}"):
    """A numbered table: each of `names` at its number, `.0` the convolution and `.1` its normalization.

    Args:
        unit: what a number is written into.
    """
    made = {}
    for number, name in enumerate(names):
        at = unit.format(number)
        if name == "squeeze_excite":
            made[name] = (f"{at}.fc1", f"{at}.fc2")
        else:
            made |= normalized(**{name: (f"{at}.0", f"{at}.1")})
    return made
