"""Node data for Model Explorer, which colors the nodes of a graph by a value each.

Its format: a dict by the name of the graph, of `results` by the name of a tensor that a node gives, each a `value`, and
of a `gradient` of colors from the lowest to the highest number. A file holds one value a node.
"""

from __future__ import annotations

import json

from keraslayers.export.file import files

# What a viewer is told of equal numbers, whose decibels are endless.
EQUAL_DB = 200.0
BAD, MIDDLE, GOOD = "#d73027", "#fee08b", "#1a9850"
# From the lowest to the highest: decibels are good where they are high, times where they are low.
RISING, FALLING = (BAD, MIDDLE, GOOD), (GOOD, MIDDLE, BAD)
# What is told of each operator of a profile.
OF_PROFILE = ("verdict", "dB", "ms", "floors")
# The colors of words, as of a report's page.
VERDICTS = {"PROVEN": "#1a7f37", "WRONG": "#c62828", "REJECTED": "#c62828", "UNTESTED": "#9a6700"}


def of_profile(profile):
    """By the ending of a file's name, one of `OF_PROFILE`, what it holds of a `Profile`."""
    rows = [row for row in profile.operators if row.tensor]
    ratios = {row.tensor: row.ratio for row in rows}
    return {
        "verdict": words("verdict", {row.tensor: str(row.verdict) for row in rows}),
        "dB": decibels("dB alone", {row.tensor: row.snr_db for row in rows}),
        "ms": numbers("ms alone", {row.tensor: row.ms for row in rows}, FALLING),
        "floors": numbers("times its floor", ratios, FALLING),
    }


def words(name, values):
    """A word a tensor, in its color."""
    told = {
        tensor: {"value": word, "bgColor": VERDICTS[word], "textColor": "#ffffff"} for tensor, word in values.items()
    }
    return {"name": name, "results": told}


def numbers(name, values, colors):
    """A number a tensor; those without one stay white."""
    stops = [{"stop": i / (len(colors) - 1), "bgColor": color} for i, color in enumerate(colors)]
    told = {tensor: {"value": value} for tensor, value in values.items() if value is not None}
    return {"name": name, "results": told, "gradient": stops}


def decibels(name, values):
    """Decibels a tensor, infinity as `EQUAL_DB`."""
    return numbers(name, {t: None if value is None else min(value, EQUAL_DB) for t, value in values.items()}, RISING)


def text(graph, data):
    """A file of node data."""
    return json.dumps({graph: data}, indent=1).encode()


def paths(who, argument, path, endings):
    """By ending the files beside `path`, of `net.json` and `ms` `net.ms.json`; raises what `files.writable` does."""
    path = files.writable(who, argument, path, ".json")
    return {ending: files.writable(who, argument, path.with_suffix(f".{ending}.json")) for ending in endings}


def save(who, path, graph, told):
    """Writes one file an ending, and returns their paths."""
    places = paths(who, "path", path, told)
    files.write({places[ending]: text(graph, data) for ending, data in told.items()})
    return tuple(places.values())
