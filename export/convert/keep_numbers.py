"""Where int8 lost the numbers: the layers that lose most go back to floats, until the file is right."""

from keraslayers.export.convert.auto import fewest


def keep_numbers(calibrated, floats, right):
    """Finds the fewest layers in floats with which a file is right.

    Args:
        calibrated: a `mixed.Calibrated`.
        floats: names of layers that are in floats in any case.
        right: a function of a file's bytes: whether its numbers are right.

    Returns:
        The names of all layers in floats; None if no file is right of which anything is in integers.
    """
    # A classifier that tells apart what is nearly alike loses most, and costs least: one trial tells.
    tail = {*floats, *calibrated.tail}
    if calibrated.tail and right(calibrated.file(tail)):
        return tuple(sorted(tail))
    groups = calibrated.groups

    def chosen(count):
        return {*floats, *(layer for group in groups[:count] for layer in group)}

    count = fewest(lambda count: right(calibrated.file(chosen(count))), len(groups) - 1, least=1)
    return None if count is None else tuple(sorted(chosen(count)))
